internal import EventSourcing
internal import Foundation
internal import Postgres

/// An append on its way, with what is computed before it stands in line.
struct PreparedAppend: Sendable {
    let append: Append
    let hashes: [[UInt8]]
    /// Roughly what it weighs on the wire.
    let bytes: Int

    init(_ append: Append) {
        self.append = append
        hashes = append.events.map(ContentHash.of)
        bytes = append.events.reduce(200) { $0 + 300 + $1.data.utf8.count + $1.metadata.utf8.count }
    }
}

/// The one statement that writes: the call of `ledger.append` for a batch of requests, and its answers.
enum AppendStatement {
    /// The call; a stream at most once in `batch`.
    static func call(_ batch: [PreparedAppend]) -> SQL {
        let requests = batch.map(\.append)
        let events = requests.enumerated().flatMap { index, request in
            request.events.map { (request: Int32(index + 1), event: $0) }
        }
        func column<Value>(_ value: (NewEvent) -> Value) -> [Value] { events.map { value($0.event) } }
        return """
            SELECT status, version, position, recorded_at
            FROM ledger.append(
                \(requests.map(\.stream.description)),
                \(requests.map(\.expecting.version)),
                \(requests.map { $0.command?.uuid }),
                \(events.map(\.request)),
                \(column(\.id.uuid)),
                \(column(\.type)),
                \(column { PostgresInstant(microsecondsSinceEpoch: $0.occurredAt.microseconds) }),
                \(column(\.actor.subject)),
                \(column(\.actor.issuer)),
                \(column(\.actor.method.rawValue)),
                \(column(\.actor.onBehalfOf)),
                \(column { $0.causation?.uuid }),
                \(column(\.correlation.uuid)),
                \(batch.flatMap(\.hashes)),
                \(column(\.data)),
                \(column(\.metadata)))
            """
    }

    /// The answer to each request of `batch`, in order.
    static func answers(
        _ result: PostgresResult, to batch: [PreparedAppend]
    ) throws -> [Result<Appended, EventStoreFailure>] {
        guard result.count == batch.count else {
            throw PostgresError(
                .protocolViolation, "ledger.append gave \(result.count) answers to \(batch.count) requests",
                outcomeUnknown: true)
        }
        return try zip(result, batch).map { row, request in try answer(row, to: request.append) }
    }

    private static func answer(
        _ row: PostgresRow, to request: Append
    ) throws -> Result<Appended, EventStoreFailure> {
        let status = try row.get(0, as: String.self)
        switch status {
        case "appended", "duplicate":
            return .success(
                Appended(
                    version: StreamVersion(try row.get(1)), position: GlobalPosition(try row.get(2)),
                    recordedAt: Instant(try row.get(3)), isDuplicate: status == "duplicate"))
        case "conflict":
            return .failure(
                .wrongExpectedVersion(
                    stream: request.stream, expected: StreamVersion(request.expecting.version ?? 0),
                    actual: StreamVersion(try row.get(1))))
        case "reused": return .failure(.reusedEventID(request))
        default: throw PostgresError(.protocolViolation, "ledger.append answered \"\(status)\"", outcomeUnknown: true)
        }
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
