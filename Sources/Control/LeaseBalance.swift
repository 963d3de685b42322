import EventSourcing

/// Who should have how many of a set of leases: each aims at the whole divided by the number of instances, rounded up.
///
/// What an instance has beyond that it gives away, but only while the set of instances has been the same for some turns: an
/// instance that comes and goes moves nothing twice. What nobody holds is taken at once.
struct LeaseBalance {
    /// The leases to take, if there are any.
    var free: [String] = []
    /// How many of them.
    var room = 0
    /// The leases to give away.
    var surplus: [String] = []

    /// - Parameters:
    ///   - names: All leases of the set, in a fixed order.
    ///   - listed: As they are, those that were never held left out.
    ///   - held: Those that `holder` has.
    ///   - instances: How many share them, `holder` among them.
    ///   - isSettled: Whether the instances have been the same for some turns.
    init(
        names: [String], listed: [Lease], holder: String, held: Set<String>, instances: Int, isSettled: Bool
    ) {
        let share = (names.count + max(1, instances) - 1) / max(1, instances)
        let taken = Set(listed.filter { $0.isHeld && $0.holder != holder }.map(\.name))
        let mine = names.filter(held.contains)
        room = max(0, share - mine.count)
        if room > 0 { free = names.filter { !taken.contains($0) && !held.contains($0) } }
        if isSettled, mine.count > share { surplus = Array(mine.suffix(mine.count - share)) }
    }
}
