/// How busy the appends of one instance are, since it was started.
public struct AppendLoad: Sendable, Hashable {
    /// Appends that stand in line now.
    public var waiting = 0
    /// What those weigh on the wire, in bytes.
    public var waitingBytes = 0
    /// Appends that were sent and not answered yet.
    public var inFlight = 0
    /// Calls of the server that were made.
    public var calls: Int64 = 0
    /// Appends that were answered, whatever the answer.
    public var answered: Int64 = 0
    /// Appends that were turned away because too many stood in line.
    public var turnedAway: Int64 = 0
    /// How often an append had to wait for the append lock for so long that its holder was ended.
    public var stalls: Int64 = 0

    /// How many may stand in line; one more is turned away.
    public static let mostWaiting = 16_384
    /// How many bytes may stand in line, unless it is one append alone.
    public static let mostWaitingBytes = 64 << 20

    /// Nothing was done yet.
    public init() {}
}
