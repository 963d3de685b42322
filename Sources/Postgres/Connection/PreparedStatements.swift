/// Which statements a connection has prepared: by text and parameter types, the least recently used going first.
///
/// A statement is prepared at its second use, so that one that is sent once costs one round trip.
struct PreparedStatements {
    struct Key: Hashable {
        let text: String
        let types: [PostgresType]
    }

    private struct Entry {
        var name: String
        var isPrepared: Bool
        var lastUse: UInt64
    }

    /// What to do with a statement.
    enum Plan: Equatable {
        case sendOnce
        case prepare(name: String)
        case use(name: String)
    }

    private let limit: Int
    private var entries: [Key: Entry] = [:]
    private var clock: UInt64 = 0
    private var nextName: UInt64 = 1
    /// Names of forgotten statements that the server still holds.
    private(set) var stale: [String] = []

    init(limit: Int) { self.limit = limit }

    /// Decides how to send the statement and notes the use.
    mutating func plan(for key: Key) -> Plan {
        guard limit > 0 else { return .sendOnce }
        clock += 1
        if var entry = entries[key] {
            entry.lastUse = clock
            entries[key] = entry
            return entry.isPrepared ? .use(name: entry.name) : .prepare(name: entry.name)
        }
        if entries.count >= limit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            entries[oldest.key] = nil
            if oldest.value.isPrepared { stale.append(oldest.value.name) }
        }
        entries[key] = Entry(name: "rb\(nextName)", isPrepared: false, lastUse: clock)
        nextName += 1
        return .sendOnce
    }

    /// The server has prepared it.
    mutating func prepared(_ key: Key) { entries[key]?.isPrepared = true }

    /// The server's plan is of no use any more, or is gone.
    mutating func forget(_ key: Key) {
        if let entry = entries.removeValue(forKey: key), entry.isPrepared { stale.append(entry.name) }
    }

    /// Gives up to one stale name to deallocate.
    mutating func takeStale() -> String? { stale.popLast() }
}
