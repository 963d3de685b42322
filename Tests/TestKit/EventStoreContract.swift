public import EventSourcing
internal import Foundation

/// What every event store promises, as clauses that each adapter's tests run, each on an empty store of its own.
public struct EventStoreContract: Sendable, CustomStringConvertible {
    /// The promise, in words.
    public let description: String
    /// Throws ``Breach`` if the store breaks the promise.
    public let check: @Sendable (any EventStore) async throws -> Void

    init(_ description: String, _ check: @escaping @Sendable (any EventStore) async throws -> Void) {
        self.description = description
        self.check = check
    }

    /// A promise that was not kept.
    public struct Breach: Error, CustomStringConvertible {
        /// What was expected, and what was found.
        public let description: String
    }

    /// Every clause.
    public static var clauses: [EventStoreContract] { appending + repeating + reading + following }

    static func expect(_ isTrue: Bool, _ words: @autoclosure () -> String, line: UInt = #line) throws {
        guard isTrue else { throw Breach(description: "\(words()) (contract line \(line))") }
    }

    static func same<Value: Equatable>(
        _ found: Value, _ wanted: Value, _ place: @autoclosure () -> String = "", line: UInt = #line
    ) throws {
        try expect(found == wanted, "\(place()) found \(found), wanted \(wanted)", line: line)
    }

    static func refused(
        _ append: Append, by store: any EventStore, line: UInt = #line
    ) async throws -> EventStoreFailure {
        do {
            let answer = try await store.append(append)
            throw Breach(description: "accepted, but should be refused: \(answer) (contract line \(line))")
        } catch let failure as EventStoreFailure {
            return failure
        }
    }
}

/// Events for tests of stores.
public enum SampleEvents {
    /// A time within all tests.
    public static let noon = Instant(microseconds: 1_790_000_000_000_000)

    /// A new random id.
    public static func id() -> Identifier { Identifier(UUID()) }

    /// A stream's name.
    public static func stream(_ text: String) -> StreamName {
        guard let name = StreamName(text) else { preconditionFailure("not a stream name: \(text)") }
        return name
    }

    /// An event with a new id.
    public static func event(
        _ type: String = "sample.happened.v1", by subject: String = "maria@laptop", onBehalfOf: String? = nil,
        correlation: Identifier = id(), causation: Identifier? = nil, data: String = #"{"n":1}"#,
        metadata: String = "{}"
    ) -> NewEvent {
        NewEvent(
            id: id(), type: type, occurredAt: noon,
            actor: EventActor(subject: subject, issuer: "tests", method: .token, onBehalfOf: onBehalfOf),
            causation: causation, correlation: correlation, data: data, metadata: metadata)
    }

    /// An append of `count` new events.
    public static func append(
        _ count: Int = 1, to stream: String, after version: Int64? = 0, command: Identifier? = nil
    ) -> Append {
        Append(
            stream: Self.stream(stream), expecting: version.map { .exactly(StreamVersion($0)) } ?? .any,
            events: (0..<count).map { event(data: #"{"n":\#($0)}"#) }, command: command)
    }
}

extension EventReader {
    /// The whole log.
    public func everything() async throws -> [RecordedEvent] {
        var log: [RecordedEvent] = []
        while true {
            let page = try await readAll(
                after: log.last?.position ?? .start, before: nil, filter: EventFilter(), backwards: false, limit: 1000)
            log += try page.whole()
            if page.end == .complete { return log }
        }
    }

    /// The events of a stream with a version above `after`, in order, at most `limit`.
    public func read(
        _ stream: StreamName, after: StreamVersion, limit: Int
    ) async throws(EventStoreFailure) -> [RecordedEvent] {
        var events: [RecordedEvent] = []
        while events.count < limit {
            let page = try await read(
                stream, after: events.last?.version ?? after, through: nil, backwards: false,
                limit: min(1000, limit - events.count))
            events += try page.whole()
            if page.end == .complete { break }
        }
        return events
    }
}
