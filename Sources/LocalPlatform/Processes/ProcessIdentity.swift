import Glibc

/// A process beyond doubt: its number, and when it started, since numbers are used again.
public struct ProcessIdentity: Sendable, Hashable, Codable {
    /// The process number.
    public let pid: Int32
    /// Clock ticks between the start of the machine and that of the process (field 22 of `/proc/PID/stat`).
    public let startTime: UInt64

    /// Looks `pid` up.
    ///
    /// - Returns: `nil` if there is no such process, or only its remains are left to be reaped.
    public init?(of pid: Int32) {
        guard let status = ProcessTable.status(of: pid) else { return nil }
        self.pid = pid
        startTime = status.startTime
    }

    /// Takes a child that has not been reaped, running or ended.
    init(child pid: Int32) {
        self.pid = pid
        startTime = ProcessTable.status(of: pid, evenEnded: true)?.startTime ?? 0
    }

    /// Whether this very process runs.
    public var isAlive: Bool { Self(of: pid) == self }

    /// Sends `signal` to this very process, never to a later one with the same number.
    ///
    /// - Returns: Whether it was there to take it.
    @discardableResult
    public func send(_ signal: Int32) -> Bool {
        guard let handle = ProcessHandle(self) else { return false }
        defer { handle.close() }
        return handle.send(signal)
    }
}
