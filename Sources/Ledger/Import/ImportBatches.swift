internal import EventSourcing
internal import Foundation
internal import Postgres
internal import Transparency

/// Events of a file on their way, as one array of `ledger.imported_event` in binary form.
struct ImportBatch: Sendable {
    /// The array.
    var value: PostgresValue
    /// The line of each event, from 1.
    var lines: [Int64]
    /// The position that the first event had, if events keep their places.
    var firstPosition: Int64?
}

/// The ids of everything that a file names.
struct ImportNames: Sendable {
    var streams: [String: Int64] = [:]
    var types: [String: Int32] = [:]
    var actors: [EventActor: Int32] = [:]
}

/// Takes a file apart again, and makes batches of the events that the ledger does not have.
actor ImportBatches {
    /// So many events, or so many bytes, go at once: who appends beside waits for no more than one batch.
    private static let most = (events: 8192, bytes: 8 << 20)

    private let file: EventFile
    private let names: ImportNames
    /// Of each stream, the version that the ledger has it up to.
    private let known: [String: Int64]
    private let keepsPlaces: Bool
    private let element: PostgresType
    private let array: PostgresType

    private var nextBlock: Int64 = 0
    private var linesBefore: Int64 = 0
    private var ready: [ImportBatch] = []
    private var writer = ByteWriter(capacity: 0)
    private var lines: [Int64] = []
    private var firstPosition: Int64?
    private var clock = LineClock()
    private var parts = HashedParts()
    private var last = LineNames()
    private var lastType: Int32 = 0
    private var lastActor: Int32 = 0

    init(
        _ file: EventFile, _ names: ImportNames, known: [String: Int64], keepsPlaces: Bool, element: PostgresType,
        array: PostgresType
    ) {
        self.file = file
        self.names = names
        self.known = known
        self.keepsPlaces = keepsPlaces
        self.element = element
        self.array = array
    }

    /// The next batch; nil at the end.
    ///
    /// - Throws: ``ImportFailure`` if the file is not the one that was checked any more.
    func next() throws -> ImportBatch? {
        while ready.isEmpty {
            guard nextBlock < file.blocks else {
                finish()
                break
            }
            let block = try file.block(nextBlock)
            nextBlock += 1
            linesBefore += try block.forEachLine { line, bytes in
                do throws(LineProblem) { try add(bytes, linesBefore + line) } catch {
                    throw error.failure(file.name, line: linesBefore + line)
                }
            }
        }
        return ready.isEmpty ? nil : ready.removeFirst()
    }

    private func add(_ bytes: UnsafeBufferPointer<UInt8>, _ line: Int64) throws(LineProblem) {
        let event = try EventLine(bytes, &clock)
        let name = event.stream.string
        if event.version <= known[name, default: 0] { return }
        guard let stream = names.streams[name] else { throw Self.changed }
        if !last.isLast(type: event.type) {
            guard let id = names.types[event.type.string] else { throw Self.changed }
            lastType = id
        }
        if !last.isLast(actor: event.actor) {
            guard let id = names.actors[try event.actor.value()] else { throw Self.changed }
            lastActor = id
        }
        if lines.isEmpty { begin(event) }
        write(event, stream)
        lines.append(line)
        if lines.count >= Self.most.events || writer.bytes.count >= Self.most.bytes { finish() }
    }

    private static let changed = LineProblem(
        field: "", problem: "the file was changed while it was imported", fix: "leave it alone, and import it again")

    private func begin(_ event: EventLine) {
        writer = ByteWriter(capacity: Self.most.bytes + 64 << 10)
        writer.int32(1)
        writer.int32(0)
        writer.int32(Int32(bitPattern: element.rawValue))
        writer.int32(0)
        writer.int32(1)
        firstPosition = keepsPlaces ? event.position : nil
    }

    private func finish() {
        guard !lines.isEmpty else { return }
        writer.replace(int32: Int32(lines.count), at: 12)
        ready.append(
            ImportBatch(
                value: PostgresValue(type: array, format: .binary, bytes: writer.bytes), lines: lines,
                firstPosition: firstPosition))
        writer = ByteWriter(capacity: 0)
        lines = []
    }

    /// - Source: PostgreSQL `record_recv`: of each field its type, its length and its bytes.
    private func write(_ event: EventLine, _ stream: Int64) {
        let hash = event.hash(using: &parts)
        let (type, actor, keepsPlaces) = (lastType, lastActor, keepsPlaces)
        writer.counted { record in
            record.int32(13)
            record.field(.int8, stream)
            record.field(.int8, event.version)
            record.field(event.id)
            record.field(type)
            record.field(actor)
            record.field(.timestamptz, event.occurredAt - LineClock.postgresEpoch)
            if let causation = event.causation { record.field(causation) } else { record.null(.uuid) }
            record.field(event.correlation)
            event.data.withBytes { record.field(.text, $0) }
            event.metadata.withBytes { record.field(.text, $0) }
            hash.withUnsafeBytes { record.field(.bytea, $0) }
            if keepsPlaces, let recordedAt = event.recordedAt, let epoch = event.epoch {
                record.field(.timestamptz, recordedAt - LineClock.postgresEpoch)
                record.field(Int32(clamping: epoch))
            } else {
                record.null(.timestamptz)
                record.null(.int4)
            }
        }
    }
}

extension LineClock {
    /// Microseconds from 1970 to 2000, where PostgreSQL counts from.
    static let postgresEpoch: Int64 = 946_684_800_000_000
}

extension ByteWriter {
    fileprivate mutating func field(_ type: PostgresType, _ value: Int64) {
        int32(Int32(bitPattern: type.rawValue))
        int32(8)
        int64(value)
    }

    fileprivate mutating func field(_ value: Int32) {
        int32(Int32(bitPattern: PostgresType.int4.rawValue))
        int32(4)
        int32(value)
    }

    fileprivate mutating func field(_ value: UUID) {
        int32(Int32(bitPattern: PostgresType.uuid.rawValue))
        int32(16)
        uuid(value)
    }

    fileprivate mutating func field(_ type: PostgresType, _ value: UnsafeRawBufferPointer) {
        int32(Int32(bitPattern: type.rawValue))
        int32(Int32(value.count))
        raw(value)
    }

    fileprivate mutating func null(_ type: PostgresType) {
        int32(Int32(bitPattern: type.rawValue))
        int32(-1)
    }
}
