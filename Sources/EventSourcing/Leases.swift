/// Who may do what alone, for a limited time; the port to what keeps several instances apart.
///
/// A lease is a name. Whoever holds it renews it in time; once it has run out, by the port's own clock, anybody may claim
/// it, and each claim gives the holding a greater epoch. An append that names an earlier epoch (``Fence``) is refused: a
/// claim and the appends have one order.
///
/// The holder's clock is never compared with the port's. A holder counts from the *sending* of a claim or a renewal, which
/// is before the port began to count, and so believes in its lease for a shorter time than others must wait for it.
public protocol Leases: Sendable {
    /// Makes holdings last `lasting` from now on, also one that has run out but was not claimed since.
    ///
    /// Costs the log nothing: appends do not wait for it.
    /// - Returns: Those of `held` that still are `holder`'s, sorted by name.
    func renew(
        _ held: [Fence], for holder: String, lasting: Duration
    ) async throws(EventStoreFailure) -> [Fence]

    /// Takes up to `limit` of the leases `names` that nobody holds.
    ///
    /// One that `holder` has itself is taken at once as well, with a greater epoch: a holder that does not know its holding
    /// is the successor of one that ended. So two that live at the same time must not bear one name.
    /// - Parameters:
    ///   - names: Each once; none may be empty.
    ///   - floors: Of some of the names an epoch that was seen elsewhere, such as at a platform, and that the new one has to
    ///     exceed: leases that were restored to an earlier time do not know of it.
    /// - Returns: What was taken, sorted by name.
    func claim(
        _ names: [String], above floors: [String: Int64], for holder: String, lasting: Duration, atMost limit: Int
    ) async throws(EventStoreFailure) -> [Fence]

    /// Ends holdings now, so that others may claim them at once; those that are somebody else's by now are left alone.
    func release(_ held: [Fence], by holder: String) async throws(EventStoreFailure)

    /// Every lease whose name begins with `prefix`, held or run out, sorted by name.
    func list(under prefix: String) async throws(EventStoreFailure) -> [Lease]
}

extension Leases {
    /// Takes up to `limit` of the leases `names` that nobody holds; nothing is known of their epochs elsewhere.
    public func claim(
        _ names: [String], for holder: String, lasting: Duration, atMost limit: Int
    ) async throws(EventStoreFailure) -> [Fence] {
        try await claim(names, above: [:], for: holder, lasting: lasting, atMost: limit)
    }
}

/// A lease at one moment.
public struct Lease: Sendable, Hashable {
    /// Its name.
    public var name: String
    /// Who holds it, or held it last.
    public var holder: String
    /// The number of the holding, from 1.
    public var epoch: Int64
    /// For how long it is still held; zero or below if anybody may claim it.
    public var remaining: Duration

    /// Makes a lease.
    public init(name: String, holder: String, epoch: Int64, remaining: Duration) {
        self.name = name
        self.holder = holder
        self.epoch = epoch
        self.remaining = remaining
    }

    /// Whether somebody holds it.
    public var isHeld: Bool { remaining > .zero }

    /// This holding, as an append names it.
    public var fence: Fence { Fence(lease: name, epoch: epoch) }
}
