/// Figures of the supervision of pods; the standard ones are those of Kubernetes where it has them.
public struct PodSettings: Sendable, Hashable {
    /// Wait before the first restart after a crash; doubles with each further one.
    public var firstBackOff: Duration
    /// The longest wait.
    public var longestBackOff: Duration
    /// After a run of this length crashes are counted from 0 again.
    public var steadyAfter: Duration
    /// How long requests in flight at a pod that goes are awaited before SIGTERM.
    public var drainTimeout: Duration
    /// Logs longer than this are moved aside at the start of a process, in bytes.
    public var logLimit: Int
    /// From which pods get their ports.
    ///
    /// Below the range that the system takes ports of outgoing connections from.
    public var ports: ClosedRange<Int>
    /// Where commands are run and relative paths begin; `nil` for the working directory of this process.
    public var workingDirectory: String?

    /// Makes settings.
    public init(
        firstBackOff: Duration = .seconds(1), longestBackOff: Duration = .seconds(300),
        steadyAfter: Duration = .seconds(600), drainTimeout: Duration = .seconds(30), logLimit: Int = 16 << 20,
        ports: ClosedRange<Int> = 20_000...31_999, workingDirectory: String? = nil
    ) {
        self.firstBackOff = firstBackOff
        self.longestBackOff = longestBackOff
        self.steadyAfter = steadyAfter
        self.drainTimeout = drainTimeout
        self.logLimit = logLimit
        self.ports = ports
        self.workingDirectory = workingDirectory
    }

    /// The wait before the restart that follows crash number `crashes`, from 1.
    func backOff(after crashes: Int) -> Duration {
        min(longestBackOff, firstBackOff * (1 << min(max(crashes, 1) - 1, 20)))
    }
}
