import EventSourcing
import Foundation
import Postgres
import TestKit
import Testing
import Transparency

@testable import Ledger

/// What is left in the log of an archived range is as safe as the rest of it.
@Suite(.timeLimit(.minutes(20))) struct ArchiveDamageTests {
    @Test func `each event that is deleted is missed, and named if the files are there`() async throws {
        try await withArchived { bed, head in
            for position in try await bed.positions().sorted() where position <= 48 || position % 7 == 0 {
                try await bed.proofs.damage("DELETE FROM ledger.event WHERE position = \(position)")
                let report = try await bed.verify(archives: nil, against: [head])
                let place = "\(position): \(report.findings)"
                #expect(report.findings.contains { $0.kind == .missing && $0.covers(position) }, "\(place)")
                #expect(report.findings.first?.covers(position) == true, "\(place)")
                let exact = try await bed.verify(archives: bed.folder, against: [head])
                #expect(exact.findings.first?.kind == .missing, "\(position): \(exact.findings)")
                #expect(exact.firstBadPosition == position, "\(position): \(exact.findings)")
                #expect(exact.findings.first?.through == nil, "\(position): \(exact.findings)")
                try await bed.proofs.damage(
                    "INSERT INTO ledger.event SELECT * FROM saved_event WHERE position = \(position)")
            }
            #expect(try await bed.verify(archives: bed.folder, against: [head]).findings == [])
        }
    }

    /// Some ways to damage an archived log; `at` is the position of an event that stayed in it.
    private static func damages(at position: Int64) -> [(name: String, statements: String)] {
        let one = "WHERE position = \(position)"
        let delete = "DELETE FROM ledger.event \(one);"
        let range = "first_position <= \(position) AND end_position > \(position)"
        let byte = (position - 1) * 32
        return [
            ("data", "UPDATE ledger.event SET data = '{}' \(one)"),
            ("content hash", "UPDATE ledger.event SET content_hash = sha256(content_hash) \(one)"),
            ("id", "UPDATE ledger.event SET event_id = gen_random_uuid() \(one)"),
            ("version", "UPDATE ledger.event SET version = version + 1000 \(one)"),
            (
                "stream",
                """
                UPDATE ledger.event e SET version = version + 1000,
                    stream_id = (SELECT min(stream_id) FROM ledger.stream s WHERE s.stream_id <> e.stream_id) \(one)
                """
            ),
            (
                "moved to a place whose event is in the file",
                """
                UPDATE ledger.event SET position = (
                    SELECT min(p) FROM ledger.archive a, generate_series(a.first_position, a.end_position - 1) p
                    WHERE \(range) AND NOT EXISTS (SELECT FROM ledger.event e WHERE e.position = p)) \(one)
                """
            ),
            (
                "swapped with its neighbour",
                """
                CREATE TEMP TABLE pair AS
                SELECT * FROM ledger.event WHERE position <= 48 AND position >= \(min(position, 40))
                ORDER BY position LIMIT 2;
                DELETE FROM ledger.event WHERE position IN (SELECT position FROM pair);
                UPDATE pair SET position = (SELECT sum(position) FROM pair) - position;
                INSERT INTO ledger.event SELECT * FROM pair
                """
            ),
            ("deleted, and not counted", delete + "UPDATE ledger.archive SET kept = kept - 1 WHERE \(range)"),
            (
                "deleted, and folded streams are thinned from now on",
                delete + "INSERT INTO ledger.archivable VALUES ('rollout')"
            ),
            (
                "deleted, not counted, and folded streams are thinned from now on",
                delete + "UPDATE ledger.archive SET kept = kept - 1 WHERE \(range);"
                    + "INSERT INTO ledger.archivable VALUES ('rollout')"
            ),
            (
                "deleted, and another put back from the file",
                delete
                    + """
                    INSERT INTO ledger.event SELECT * FROM saved_whole w WHERE position = (
                        SELECT min(w.position) FROM saved_whole w, ledger.archive a
                        WHERE \(range) AND w.position >= a.first_position AND w.position < a.end_position
                          AND w.position <> \(position)
                          AND NOT EXISTS (SELECT FROM ledger.event e WHERE e.position = w.position))
                    """
            ),
            ("the record of the archive", "UPDATE ledger.archive SET sha256 = sha256(sha256) WHERE \(range)"),
            ("the root of the archive", "UPDATE ledger.archive SET root = sha256(root) WHERE \(range)"),
            ("the archive is not known", "DELETE FROM ledger.archive WHERE \(range)"),
            (
                "an archive that never was",
                """
                DELETE FROM ledger.event WHERE position = (SELECT min(position) FROM ledger.event WHERE position > 48);
                INSERT INTO ledger.archive
                SELECT 49, 50, 't', 'r', false, 1, 1, 'f', sha256, root, gen_random_uuid() FROM ledger.archive LIMIT 1
                """
            ),
            (
                "the news of an archive",
                "DELETE FROM ledger.event WHERE event_id = (SELECT announcement FROM ledger.archive WHERE \(range))"
            ),
            (
                "what the news says",
                """
                UPDATE ledger.event SET data = '{}'
                WHERE event_id = (SELECT announcement FROM ledger.archive WHERE \(range))
                """
            ),
            ("tail cut", "DELETE FROM ledger.event WHERE position >= \(position)"),
            (
                "a tile",
                """
                UPDATE ledger.tile_edge
                SET hashes = set_byte(hashes, \(byte), get_byte(hashes, \(byte)) # 1)
                WHERE level = 0
                """
            ),
        ]
    }

    private static let tables = ["event", "archive", "archivable", "tile_edge"]

    @Test func `whatever is done to what stayed of an archived range, or to what is known of it, is found`()
        async throws
    {
        try await withArchived { bed, head in
            let restore = Self.tables.map {
                "DELETE FROM ledger.\($0); INSERT INTO ledger.\($0) SELECT * FROM saved_\($0);"
            }.joined()
            let stayed = try await bed.positions().filter { $0 <= 48 }.sorted()
            let chosen = [stayed[0], stayed[stayed.count / 2], stayed[stayed.count - 1]]
            for position in chosen {
                for damage in Self.damages(at: position) {
                    try await bed.proofs.damage(damage.statements)
                    let report = try await bed.verify(archives: nil, against: [head])
                    #expect(!report.intact, "\(damage.name) at \(position)")
                    #expect(
                        try await bed.verify(archives: bed.folder, against: [head]).intact == false, "\(damage.name)")
                    try await bed.proofs.damage(restore)
                }
            }
            #expect(try await bed.verify(archives: bed.folder, against: [head]).findings == [])
        }
    }

    @Test func `what is wrong behind an archive does not hide what is wrong with its record`() async throws {
        try await withArchived { bed, head in
            let behind = try #require(try await bed.positions().filter { $0 > 48 }.min())
            try await bed.proofs.damage(
                """
                DELETE FROM ledger.event WHERE position = \(behind);
                UPDATE ledger.archive SET root = sha256(root) WHERE first_position = 17
                """)
            for folder in [bed.folder, nil] {
                let report = try await bed.verify(archives: folder, against: [head])
                #expect(report.findings.contains { $0.kind == .missing && $0.position == behind })
                #expect(report.findings.first?.kind == .archive, "\(report.findings)")
                #expect(report.firstBadPosition == 17)
            }
            // Where the event that says so is gone itself, that comes first.
            try await bed.proofs.damage(
                "DELETE FROM ledger.event WHERE event_id = (SELECT announcement FROM ledger.archive WHERE first_position = 1)"
            )
            let report = try await bed.verify(archives: nil, against: [head])
            #expect(report.findings.filter { $0.kind == .archive }.map(\.position) == [17, 1])
            #expect(report.findings.last?.position == 1)
        }
    }

    @Test func `an archive excuses no gap in the versions of what was appended after it`() async throws {
        try await withArchived { bed, _ in
            let stream = "inbox-a"
            let appended = try await bed.store.append(
                SampleEvents.append(to: stream, after: bed.versions[stream] ?? 0))
            // Not sealed yet: its version alone says that it does not follow.
            try await bed.proofs.damage(
                "UPDATE ledger.event SET version = version + 1 WHERE position = \(appended.position.value)")
            let report = try await bed.verify(archives: bed.folder)
            #expect(report.findings.map(\.kind) == [.version])
            #expect(report.firstBadPosition == appended.position.value)
        }
    }

    @Test func `a head that was held outside may lie within a range that was archived later`() async throws {
        try await withArchivable(sealing: false) { bed in
            try await bed.proofs.sealAll(eventsPerHead: 10)
            let head = try await bed.proofs.head(20)
            _ = try await bed.archive(through: 48)
            for folder in [bed.folder, nil] {
                let report = try await bed.verify(archives: folder, against: [head])
                #expect(report.findings == [])
                #expect(report.through == 32)
                #expect(report.outsideHeads == 1)
            }
            let last = try #require(try await bed.positions().filter { $0 <= 20 }.max())
            try await bed.proofs.damage("DELETE FROM ledger.event WHERE position = \(last)")
            #expect(try await bed.verify(archives: nil, against: [head]).findings.first?.covers(last) == true)
        }
    }

    @Test func `a range is counted across the chunks that it is read in`() throws {
        let chunk = VerifiedChunk.width
        let positions = 1...2 * chunk
        func findings(version: Int64, kept: Int64, isThinned: Bool = true) -> [VerifyReport.Finding] {
            let range = ArchivedRange(
                positions: positions, file: "f", sha256: [], root: .empty, events: 2 * chunk, kept: kept, table: "t",
                isDropped: false, announcement: SampleEvents.id(), archivedAt: SampleEvents.noon)
            var fold = VerificationFold(through: 2 * chunk, archives: [range])
            var chunks = (0..<2).map { index in
                VerifiedChunk(
                    .init(
                        index: index, last: (index + 1) * chunk, wantedSizes: [], sealed: 2 * chunk, edges: [],
                        archives: [positions]))
            }
            // Of a stream that has its third version in the first chunk, which lacks two events, the second lacks three.
            chunks[0].streams[7] = .init(firstVersion: 3, firstPosition: 9, lastVersion: 3, isThinned: isThinned)
            chunks[0].archived[1] = .init(missing: 2, firstMissing: 4, passedOver: 0)
            chunks[1].streams[7] = .init(
                firstVersion: version, firstPosition: chunk + 9, lastVersion: version, isThinned: isThinned)
            chunks[1].archived[1] = .init(missing: 3, firstMissing: chunk + 1, passedOver: 0)
            for chunk in chunks { fold.add(chunk) }
            return fold.report(sealed: 2 * chunk).findings
        }
        #expect(findings(version: 7, kept: 2 * chunk - 5) == [])
        for (version, kept) in [(6, 5), (8, 5), (7, 4), (7, 6)] as [(Int64, Int64)] {
            let found = findings(version: version, kept: 2 * chunk - kept)
            #expect(found.map(\.kind) == [.missing])
            #expect(found.first?.position == 4)
            #expect(found.first?.through == 2 * chunk)
        }
        #expect(findings(version: 7, kept: 2 * chunk - 5, isThinned: false).map(\.kind) == [.version, .version])
    }

    /// Three archived ranges, sealed with what stands behind them, and a copy of all rows; `body` is given the head.
    private func withArchived(_ body: (ArchiveBed, SignedTreeHead) async throws -> Void) async throws {
        try await withArchivable { bed in
            try await bed.proofs.damage("CREATE TABLE saved_whole AS TABLE ledger.event")
            _ = try await bed.archive(through: 48)
            try await bed.proofs.sealAll()
            try await bed.proofs.damage(Self.tables.map { "CREATE TABLE saved_\($0) AS TABLE ledger.\($0);" }.joined())
            let head = try await bed.proofs.head()
            #expect(try await bed.verify(archives: nil, against: [head]).findings == [])
            try await body(bed, head)
        }
    }
}

extension VerifyReport.Finding {
    /// Whether what is wrong may stand at a position.
    fileprivate func covers(_ position: Int64) -> Bool {
        self.position <= position && position <= through ?? self.position
    }
}
