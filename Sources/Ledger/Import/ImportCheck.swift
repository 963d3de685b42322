internal import EventSourcing
internal import Foundation
internal import Transparency

/// What a file of events holds, looked at as a whole before anything of it is appended.
struct ImportCheck: Sendable {
    /// What a stream does in the file.
    struct Span: Sendable {
        var firstVersion: Int64
        var lastVersion: Int64
        /// The line of its first event, from 1.
        var line: Int64
    }

    /// Where events stood in the ledger that wrote the file.
    struct Place: Sendable, Equatable {
        var position: Int64
        var recordedAt: Int64
        var epoch: Int64
    }

    private(set) var events: Int64 = 0
    private(set) var lines: Int64 = 0
    private(set) var streams: [String: Span] = [:]
    private(set) var types: Set<String> = []
    private(set) var actors: Set<EventActor> = []
    private var first: Place?
    /// Of the last event; the times of those before are no later.
    private(set) var last: Place?

    /// Looks at a file with so many workers.
    ///
    /// - Parameter keepsPlaces: Whether every event has to say its place, each following on the one before.
    /// - Throws: ``ImportFailure``.
    static func run(_ file: EventFile, keepsPlaces: Bool, workers: Int) async throws -> ImportCheck {
        var check = ImportCheck()
        var next: Int64 = 0
        try await withThrowingTaskGroup(of: (Int64, Result<ImportCheck, BlockProblem>).self) { group in
            func begin(_ group: inout ThrowingTaskGroup<(Int64, Result<ImportCheck, BlockProblem>), any Error>) {
                guard next < file.blocks else { return }
                let index = next
                next += 1
                group.addTask { @concurrent in
                    (index, try Self.look(at: try file.block(index), keepsPlaces: keepsPlaces))
                }
            }
            for _ in 0..<workers { begin(&group) }
            var waiting: [Int64: Result<ImportCheck, BlockProblem>] = [:]
            var merged: Int64 = 0
            while let (index, result) = try await group.next() {
                waiting[index] = result
                while let result = waiting.removeValue(forKey: merged) {
                    try check.add(result, file, keepsPlaces)
                    merged += 1
                }
                begin(&group)
            }
        }
        return check
    }

    /// What is wrong with a line of a block; lines count from the block's first.
    private struct BlockProblem: Error {
        var line: Int64
        var problem: LineProblem
    }

    private static func look(
        at block: [UInt8], keepsPlaces: Bool
    ) throws -> Result<ImportCheck, BlockProblem> {
        var check = ImportCheck()
        var (clock, parts) = (LineClock(), HashedParts())
        var known = LineNames()
        var ids: Set<UUID> = []
        do {
            check.lines = try block.forEachLine { line, bytes in
                do throws(LineProblem) {
                    let event = try EventLine(bytes, &clock)
                    try check.add(event, line, &known, keepsPlaces)
                    guard ids.insert(event.id).inserted else {
                        throw LineProblem(
                            field: "id", value: event.id.uuidString.lowercased(),
                            problem: "another event near it has the same id", fix: "give each event an id of its own")
                    }
                    if let claimed = event.contentHash, event.hash(using: &parts) != claimed {
                        throw LineProblem(
                            field: "contentHash", value: claimed.base64,
                            problem: "the event's content has another hash: it was changed since it was exported",
                            fix: "export it again, and leave data and metadata byte for byte as they are")
                    }
                } catch { throw BlockProblem(line: line, problem: error) }
            }
        } catch let problem as BlockProblem { return .failure(problem) }
        return .success(check)
    }

    /// Adds one event of a block.
    private mutating func add(
        _ event: EventLine, _ line: Int64, _ known: inout LineNames, _ keepsPlaces: Bool
    ) throws(LineProblem) {
        events += 1
        try known.look(at: event, types: &types, actors: &actors)
        let name = event.stream.string
        if let span = streams[name] {
            try Self.follow(name, span.lastVersion, event.version)
            streams[name]?.lastVersion = event.version
        } else {
            guard StreamName(name) != nil else {
                throw LineProblem(
                    field: "stream", value: name, problem: "it is no name of a stream",
                    fix: "use 3 to 512 printable ASCII characters without spaces")
            }
            streams[name] = Span(firstVersion: event.version, lastVersion: event.version, line: line)
        }
        guard keepsPlaces else { return }
        guard let position = event.position, let recordedAt = event.recordedAt, let epoch = event.epoch else {
            let missing = event.position == nil ? "position" : event.recordedAt == nil ? "recordedAt" : "epoch"
            throw LineProblem(
                field: missing, problem: "it is missing, and events are to keep their places",
                fix: "import without --as-recorded, or export again")
        }
        guard epoch <= Int32.max else {
            throw LineProblem(
                field: "epoch", value: "\(epoch)", problem: "epochs go to \(Int32.max)",
                fix: "import without --as-recorded")
        }
        let place = Place(position: position, recordedAt: recordedAt, epoch: epoch)
        if let last { try Self.follow(last, place) } else { first = place }
        last = place
    }

    /// Adds what comes next in the file.
    private mutating func add(
        _ next: Result<ImportCheck, BlockProblem>, _ file: EventFile, _ keepsPlaces: Bool
    ) throws {
        let block: ImportCheck
        switch next {
        case .failure(let found): throw found.problem.failure(file.name, line: lines + found.line)
        case .success(let found): block = found
        }
        var problem: (line: Int64, problem: LineProblem)?
        for (name, span) in block.streams {
            guard let before = streams[name] else {
                streams[name] = Span(
                    firstVersion: span.firstVersion, lastVersion: span.lastVersion, line: lines + span.line)
                continue
            }
            do throws(LineProblem) {
                try Self.follow(name, before.lastVersion, span.firstVersion)
                streams[name]?.lastVersion = span.lastVersion
            } catch  where span.line < problem?.line ?? .max { problem = (span.line, error) } catch { continue }
        }
        if keepsPlaces, let before = last, let after = block.first {
            do throws(LineProblem) { try Self.follow(before, after) } catch { problem = problem ?? (1, error) }
        }
        if let problem { throw problem.problem.failure(file.name, line: lines + problem.line) }
        first = first ?? block.first
        last = block.last ?? last
        types.formUnion(block.types)
        actors.formUnion(block.actors)
        events += block.events
        lines += block.lines
    }

    private static func follow(_ stream: String, _ last: Int64, _ version: Int64) throws(LineProblem) {
        guard version == last + 1 else {
            throw LineProblem(
                field: "version", value: "\(version)", problem: "version \(last + 1) of \(stream) follows here",
                fix: "put the events of a stream in the order of their versions, each once")
        }
    }

    private static func follow(_ last: Place, _ next: Place) throws(LineProblem) {
        if next.position != last.position + 1 {
            throw LineProblem(
                field: "position", value: "\(next.position)", problem: "position \(last.position + 1) follows here",
                fix: "import without --as-recorded, or export without gaps")
        }
        if next.recordedAt < last.recordedAt {
            throw LineProblem(
                field: "recordedAt", value: Instant(microseconds: next.recordedAt).description,
                problem: "it is earlier than that of the event before", fix: "import without --as-recorded")
        }
        if next.epoch < last.epoch {
            throw LineProblem(
                field: "epoch", value: "\(next.epoch)", problem: "it is earlier than that of the event before",
                fix: "import without --as-recorded")
        }
    }
}

/// Recognises types and actors that were met just before, by their bytes.
struct LineNames {
    private var type: [UInt8] = []
    private var actor: [[UInt8]] = []

    mutating func look(
        at event: EventLine, types: inout Set<String>, actors: inout Set<EventActor>
    ) throws(LineProblem) {
        if !isLast(type: event.type) { types.insert(event.type.string) }
        if !isLast(actor: event.actor) { actors.insert(try event.actor.value()) }
    }

    /// Whether the type is that of the last call.
    mutating func isLast(type text: LineText) -> Bool {
        if text.withBytes({ $0.elementsEqual(type) }) { return true }
        type = text.withBytes { Array($0) }
        return false
    }

    /// Whether the actor is that of the last call.
    mutating func isLast(actor next: LineActor) -> Bool {
        let parts = [next.subject, next.issuer, next.method] + (next.onBehalfOf.map { [$0] } ?? [])
        let isSame =
            actor.count == parts.count
            && zip(actor, parts).allSatisfy { known, part in part.withBytes { $0.elementsEqual(known) } }
        if !isSame { actor = parts.map { $0.withBytes { Array($0) } } }
        return isSame
    }
}
