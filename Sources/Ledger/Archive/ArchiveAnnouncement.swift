internal import EventSourcing
internal import Foundation
internal import Postgres
internal import Transparency

/// What the log says of an archive, in an event of its own.
struct ArchiveAnnouncement: Codable, Equatable {
    var firstPosition: Int64
    var lastPosition: Int64
    var events: Int64
    var kept: Int64
    var file: String
    var sha256: String
    var root: String
    var table: String

    /// Says what the database keeps of a range.
    init(_ range: ArchivedRange) {
        firstPosition = range.positions.lowerBound
        lastPosition = range.positions.upperBound
        events = range.events
        kept = range.kept
        file = range.file
        sha256 = Data(range.sha256).hexadecimal
        root = range.root.base64
        table = range.table
    }

    /// An announcement, and where it stands.
    struct Recorded {
        var position: Int64
        var announcement: ArchiveAnnouncement
    }

    /// Every announcement that stands in the log and can be read, by the id of its event.
    static func all(_ connection: some PostgresQueryable) async throws -> [Identifier: Recorded] {
        var found: [Identifier: Recorded] = [:]
        let rows = try await connection.query(
            """
            SELECT e.event_id, e.data, e.position
            FROM ledger.event e
            WHERE e.stream_id = (SELECT stream_id FROM ledger.stream WHERE name = \(KeyHistory.stream.description))
              AND e.type_id = (SELECT type_id FROM ledger.event_type WHERE name = \(LedgerArchive.wireName))
            ORDER BY e.version
            """)
        for row in rows {
            let id = Identifier(try row.get(0, as: UUID.self))
            // One that cannot be read says nothing of an archive, and is damage that its content's hash shows.
            do {
                found[id] = Recorded(
                    position: try row.get(2), announcement: try CanonicalJSON.read(from: try row.get(1)))
            } catch is DecodingError { continue }
        }
        return found
    }
}
