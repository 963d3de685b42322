internal import EventSourcing
internal import Foundation
internal import Postgres
internal import Transparency

/// The ranges of the log that stand in files.
extension LedgerVerifier {
    /// Compares what the database keeps of each archive with what the log itself says of it.
    ///
    /// - Returns: Findings that may only follow from what is wrong with the event that says so, which stands above.
    func compareRecords(
        _ archives: [ArchivedRange], _ through: Int64, _ report: inout VerifyReport
    ) async throws -> [VerifyReport.Finding] {
        guard !archives.isEmpty else { return [] }
        let said = try await ArchiveAnnouncement.all(store.pool)
        // Of events: what the tree and its heads show lies somewhere among many.
        let kinds: Set<VerifyReport.Finding.Kind> = [.missing, .content, .leaf, .version, .name, .cut]
        let wrong = report.findings.filter { kinds.contains($0.kind) }
        var following: [VerifyReport.Finding] = []
        for range in archives where range.positions.lowerBound <= through {
            let (positions, there) = (range.positions, said[range.announcement])
            guard there?.announcement != .init(range) else { continue }
            let finding = VerifyReport.Finding(
                .archive, at: positions.lowerBound, through: positions.upperBound,
                there == nil
                    ? "the log does not say that these positions were archived: if an archive did not come to its end, "
                        + "call `rollbook archive` again, which says it"
                    : "the record of \(range.file) is not what the log says of this archive")
            let isFollowing = wrong.contains { wrong in
                // One that follows on what is missing says what it said all the same.
                there.map { $0.position == wrong.position && wrong.kind != .version }
                    ?? ((wrong.through ?? wrong.position) > positions.upperBound)
            }
            if isFollowing { following.append(finding) } else { report.findings.append(finding) }
        }
        return following
    }

    /// Looks at the files of archived ranges, or says that it did not.
    func look(
        at frame: Frame, in folder: String?, _ through: Int64, _ report: inout VerifyReport
    ) async throws {
        for range in frame.archives where range.positions.lowerBound <= through {
            guard let folder else {
                report.remarks.append(
                    "positions \(range.positions.lowerBound) to \(range.positions.upperBound) stand in \(range.file): what is "
                        + "not in the log was taken from the tiles of the tree; give --archive FOLDER to look at the file"
                )
                continue
            }
            let path = folder + "/" + range.file
            do {
                guard try ArchiveReader(path: path).sum() == range.sha256 else {
                    throw ArchiveFailure("\(path) is not the file that was archived: it has another SHA-256")
                }
                var staying = StayingEvents(thinned: frame.thinned)
                _ = try await ArchiveCheck(store).run(path, range.positions) { staying.add($0) }
                report.archives += 1
                try await compare(staying, range, through, &report)
            } catch let failure as ArchiveFailure {
                report.findings.append(
                    .init(
                        .archive, at: failure.position ?? range.positions.lowerBound,
                        through: range.positions.upperBound, failure.description))
            }
        }
    }

    /// Names each event that has to stay in the log, as the file has it, and is not there.
    private func compare(
        _ staying: StayingEvents, _ range: ArchivedRange, _ through: Int64, _ report: inout VerifyReport
    ) async throws {
        let positions = range.positions
        let there = Set(
            try await store.pool.query(
                """
                SELECT position
                FROM ledger.event
                WHERE position BETWEEN \(positions.lowerBound) AND \(positions.upperBound)
                """
            ).map { try $0.get(0, as: Int64.self) })
        let missing = staying.positions.filter { $0 <= through && !there.contains($0) }
        guard !missing.isEmpty else { return }
        // What was only counted before has a place now.
        report.findings.removeAll {
            $0.kind == .missing && $0.through == positions.upperBound && positions.contains($0.position)
        }
        for position in missing {
            report.findings.append(
                .init(
                    .missing, at: position,
                    "there is no event at position \(position), which stays in the log when its range is archived"))
        }
    }
}

/// Which events of an archived range stay in the log: the rule of `ledger.prepare_archive`, over the events of the file.
struct StayingEvents {
    private let thinned: [[UInt8]]
    private var whole: [Int64] = []
    private var last: [[UInt8]: Int64] = [:]

    /// - Parameter thinned: What the names of streams begin with that keep their last event alone.
    init(thinned: [[UInt8]]) { self.thinned = thinned }

    /// Adds the next event of the range.
    mutating func add(_ entry: ArchiveReader.Entry) {
        let stream = entry.event.stream.withBytes { Array($0) }
        if thinned.contains(where: { stream.starts(with: $0) }) {
            last[stream] = entry.position
        } else {
            whole.append(entry.position)
        }
    }

    /// Ascending.
    var positions: [Int64] { (whole + last.values).sorted() }
}
