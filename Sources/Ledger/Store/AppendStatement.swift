internal import EventSourcing
internal import Foundation
internal import Postgres

/// The statements that write: the calls of `ledger.append` and `ledger.append_one`, and what they answer.
struct AppendStatement {
    /// The type `ledger.new_event` and its array on this server.
    let newEvent: (element: PostgresType, array: PostgresType)

    /// Looks the types up.
    init(_ connection: PostgresConnection) async throws {
        let row = try await connection.query(
            """
            SELECT t.oid::bigint, t.typarray::bigint
            FROM pg_type t
            WHERE t.oid = 'ledger.new_event'::regtype
            """, AppendLane.options
        ).single()
        newEvent = (
            PostgresType(rawValue: UInt32(try row.get(0, as: Int64.self))),
            PostgresType(rawValue: UInt32(try row.get(1, as: Int64.self)))
        )
    }

    // MARK: Many

    /// The call for several requests; a stream at most once in `batch`.
    ///
    /// A repeat is answered for what was committed before, but maybe not replicated: the wait for that may have been
    /// cancelled. So a repeat commits something of its own, behind which the first answer's commit has to be durable too.
    func call(_ batch: [PreparedAppend], _ ids: NameRegister.Ids) -> SQL {
        let requests = batch.map(\.append)
        let events = encoded(batch, ids)
        let hasCommands = requests.contains { $0.command != nil }
        let hasFences = requests.contains { $0.fence != nil }
        return """
            SELECT first_position, recorded_at, status, version, position, at,
                   CASE WHEN 'duplicate' = ANY (status) THEN \(Self.durableCommit) END, reused_on, epoch
            FROM ledger.append(
                \(ids.streams), \(requests.map(\.expecting.version)), \(events),
                \(hasCommands ? requests.map { $0.command?.uuid } : nil),
                \(hasCommands ? requests.map { $0.fingerprint.map { Data($0) } } : nil),
                \(hasFences ? requests.map { $0.fence?.lease } : nil),
                \(hasFences ? requests.map { $0.fence?.epoch } : nil))
            """
    }

    /// A commit that waits until all before it are durable, as ``PostgresConfiguration/asLedgerAppender`` says it.
    ///
    /// - Source: PostgreSQL `xact.c`, `RecordTransactionCommit`: who has written nothing waits for nothing.
    static var durableCommit: SQL { "pg_logical_emit_message(true, 'rollbook', '')" }

    /// What the server says to a call: an answer to each request, in order, and the epoch that the log is in.
    typealias Answers = (each: [AppendQueue.Answer], epoch: Int)

    /// The answers to `batch`.
    func answers(_ result: PostgresResult, to batch: [PreparedAppend]) throws -> Answers {
        let row = try result.single()
        return (try answers(row, to: batch), try row.get(8))
    }

    private func answers(_ row: PostgresRow, to batch: [PreparedAppend]) throws -> [AppendQueue.Answer] {
        guard let statuses = try row.get(2, as: [String]?.self) else {
            var position: Int64 = try row.get(0)
            let recordedAt = Instant(try row.get(1, as: PostgresInstant.self))
            return batch.map { request in
                position += Int64(request.append.events.count)
                let version = (request.append.expecting.version ?? 0) + Int64(request.append.events.count)
                return .success(
                    Appended(
                        version: StreamVersion(version), position: GlobalPosition(position - 1),
                        recordedAt: recordedAt, isDuplicate: false))
            }
        }
        let versions = try row.get(3, as: [Int64].self)
        let positions = try row.get(4, as: [Int64?].self)
        let times = try row.get(5, as: [PostgresInstant?].self)
        let reusedOn = try row.get(7, as: [String?].self)
        guard
            [statuses.count, versions.count, positions.count, times.count, reusedOn.count]
                .allSatisfy({ $0 == batch.count })
        else {
            throw PostgresError(
                .protocolViolation, "ledger.append gave \(statuses.count) answers to \(batch.count) requests",
                outcomeUnknown: true)
        }
        return try batch.indices.map { index in
            try answer(
                statuses[index], versions[index], positions[index], times[index], reusedOn[index],
                to: batch[index].append)
        }
    }

    private func answer(
        _ status: String, _ version: Int64, _ position: Int64?, _ time: PostgresInstant?, _ reusedOn: String?,
        to request: Append
    ) throws -> Result<Appended, EventStoreFailure> {
        switch (status, position, time) {
        case ("appended", let position?, let time?), ("duplicate", let position?, let time?):
            return .success(
                Appended(
                    version: StreamVersion(version), position: GlobalPosition(position),
                    recordedAt: Instant(time), isDuplicate: status == "duplicate"))
        case ("conflict", _, _):
            return .failure(
                .wrongExpectedVersion(
                    stream: request.stream, expected: StreamVersion(request.expecting.version ?? 0),
                    actual: StreamVersion(version)))
        case ("fenced", _, _):
            guard let fence = request.fence else { break }
            return .failure(.fenced(by: fence))
        case ("reused", _, _):
            guard let command = request.command else { break }
            return .failure(.commandReused(command, stream: reusedOn.flatMap { StreamName($0) } ?? request.stream))
        default: break
        }
        throw PostgresError(.protocolViolation, "ledger.append answered \"\(status)\"", outcomeUnknown: true)
    }

    /// All events as one array of the composite type, in binary form.
    ///
    /// - Source: PostgreSQL `array_recv` and `record_recv`: of each field its type, its length and its bytes.
    private func encoded(_ batch: [PreparedAppend], _ ids: NameRegister.Ids) -> PostgresValue {
        let count = ids.types.count
        var array = ByteWriter(capacity: batch.reduce(32) { $0 + $1.bytes })
        array.int32(count == 0 ? 0 : 1)
        array.int32(0)
        array.int32(Int32(bitPattern: newEvent.element.rawValue))
        if count > 0 {
            array.int32(Int32(count))
            array.int32(1)
        }
        var names = zip(ids.types, ids.actors).makeIterator()
        for (request, stream) in zip(batch, ids.streams) {
            for (event, hash) in zip(request.append.events, request.hashes) {
                guard let (type, actor) = names.next() else { preconditionFailure("an event without its names' ids") }
                array.counted { record in
                    record.int32(10)
                    record.field(.int8) { $0.int64(stream) }
                    record.field(.uuid) { $0.uuid(event.id.uuid) }
                    record.field(.int4) { $0.int32(type) }
                    record.field(.int4) { $0.int32(actor) }
                    record.field(.timestamptz) { $0.int64(PostgresInstant(event.occurredAt).microsecondsSince2000) }
                    if let causation = event.causation {
                        record.field(.uuid) { $0.uuid(causation.uuid) }
                    } else {
                        record.null(.uuid)
                    }
                    record.field(.uuid) { $0.uuid(event.correlation.uuid) }
                    record.field(.text) { $0.utf8(event.data) }
                    record.field(.text) { $0.utf8(event.metadata) }
                    record.field(.bytea) { $0.raw(hash) }
                }
            }
        }
        return PostgresValue(type: newEvent.array, format: .binary, bytes: array.bytes)
    }

    // MARK: One

    /// The call for one event; ``answer(_:toOne:)`` is nil where ``call(_:_:)`` must judge.
    func call(one request: PreparedAppend, _ ids: NameRegister.Ids) -> SQL? {
        guard let (event, expected) = request.loneEvent else { return nil }
        let fence = request.append.fence
        return """
            SELECT position, recorded_at, epoch
            FROM ledger.append_one(
                \(ids.streams[0]), \(expected), \(event.id.uuid), \(ids.types[0]), \(ids.actors[0]),
                \(PostgresInstant(event.occurredAt)), \(event.causation?.uuid),
                \(event.correlation.uuid), \(event.data), \(event.metadata), \(request.hashes[0]), \(fence?.lease),
                \(fence?.epoch))
            """
    }

    /// The answer to one event; nil if nothing was decided.
    func answer(_ result: PostgresResult, toOne request: PreparedAppend) throws -> Answers? {
        let row = try result.single()
        guard let position = try row.get(0, as: Int64?.self) else { return nil }
        let appended = Appended(
            version: StreamVersion((request.append.expecting.version ?? 0) + 1), position: GlobalPosition(position),
            recordedAt: Instant(try row.get(1, as: PostgresInstant.self)), isDuplicate: false)
        return ([.success(appended)], try row.get(2))
    }
}

extension ByteWriter {
    fileprivate mutating func field(_ type: PostgresType, _ write: (inout ByteWriter) -> Void) {
        int32(Int32(bitPattern: type.rawValue))
        counted(write)
    }

    fileprivate mutating func null(_ type: PostgresType) {
        int32(Int32(bitPattern: type.rawValue))
        int32(-1)
    }
}

extension ExpectedVersion {
    /// The number; nil accepts any.
    fileprivate var version: Int64? {
        switch self {
        case .exactly(let version): version.value
        case .any: nil
        }
    }
}

extension Instant {
    /// The same time.
    init(_ instant: PostgresInstant) { self.init(microseconds: instant.microsecondsSinceEpoch) }
}
