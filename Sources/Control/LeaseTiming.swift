/// How long leases last, and how early their holder stops to rely on them.
public struct LeaseTiming: Sendable, Hashable {
    /// How long a lease lasts from its claim or renewal.
    public var lasting: Duration
    /// How often leases are renewed, and others' are looked at.
    public var renewal: Duration
    /// By how much sooner than others may take a lease its holder stops effects: for clocks that run at different rates,
    /// and for what is on its way already.
    public var margin: Duration

    /// Chooses; by default leases last 3 s and are renewed each second.
    ///
    /// So whatever an instance held that died is taken over within 3 s and the time that one turn takes, and a database
    /// that does not answer for 1.5 s makes nobody stop.
    public init(
        lasting: Duration = .seconds(3), renewal: Duration = .seconds(1), margin: Duration = .milliseconds(300)
    ) {
        precondition(renewal > .zero && margin >= .zero && lasting > renewal + margin, "leases must outlast a renewal")
        self.lasting = lasting
        self.renewal = renewal
        self.margin = margin
    }
}
