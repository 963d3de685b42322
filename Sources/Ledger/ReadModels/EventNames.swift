import Delivery
import EventSourcing
import Postgres

/// What the ids in drained events stand for, as far as folds of rollouts need to know.
struct EventNames: Sendable {
    /// Types that this build knows as events of a rollout.
    private(set) var types: [Int32: RolloutSummaryFold.EventType] = [:]
    private(set) var typeNames: [Int32: String] = [:]
    private(set) var actors: [Int32: EventActor] = [:]
    /// `.some(nil)`: a stream that is no rollout.
    private(set) var streams: [Int64: RolloutName?] = [:]
    /// Types whose payload no fold looks at.
    private(set) var passedOver: [Int32] = []

    /// Looks up all types and the ids in `drain` that are not known yet.
    mutating func learn(_ drain: EventDrain, through connection: PostgresConnection) async throws {
        var (newTypes, newActors, newStreams) = (false, Set<Int32>(), Set<Int64>())
        drain.bytes.withUnsafeBytes { buffer in
            for at in drain.rows {
                let event = DrainedEvent(buffer: buffer, at: at)
                if typeNames[event.type] == nil { newTypes = true }
                if actors[event.actor] == nil { newActors.insert(event.actor) }
                if streams[event.stream] == nil { newStreams.insert(event.stream) }
            }
        }
        if newTypes { try await learnTypes(through: connection) }
        if !newActors.isEmpty {
            for row in try await connection.query(
                "SELECT actor_id, subject, issuer, method, on_behalf_of FROM ledger.actor "
                    + "WHERE actor_id = ANY (\(newActors.sorted()))")
            {
                let method = try row.get(3, as: String.self)
                guard let known = EventActor.Method(rawValue: method) else {
                    throw PostgresError(.decoding, "actor \(try row.get(0, as: Int32.self)): method \(method)")
                }
                actors[try row.get(0)] = EventActor(
                    subject: try row.get(1), issuer: try row.get(2), method: known, onBehalfOf: try row.get(4))
            }
        }
        if !newStreams.isEmpty {
            for row in try await connection.query(
                "SELECT stream_id, name FROM ledger.stream WHERE stream_id = ANY (\(newStreams.sorted()))")
            {
                streams[try row.get(0)] = .some(StreamName(try row.get(1, as: String.self)).flatMap { RolloutName($0) })
            }
        }
        try check(newActors, newStreams, drain)
    }

    /// Looks up all types.
    mutating func learnTypes(through connection: PostgresConnection) async throws {
        passedOver = []
        for row in try await connection.query("SELECT type_id, name FROM ledger.event_type ORDER BY type_id") {
            let (id, name): (Int32, String) = (try row.get(0), try row.get(1))
            typeNames[id] = name
            types[id] = RolloutSummaryFold.EventType(name)
            if let type = types[id] ?? nil {
                if !type.needsPayload { passedOver.append(id) }
            } else if !name.hasPrefix("rollout.") {
                passedOver.append(id)
            }
        }
    }

    /// Forgets streams, of which there may be many; they are looked up again.
    mutating func forgetStreams() { streams = [:] }

    private func check(_ newActors: Set<Int32>, _ newStreams: Set<Int64>, _ drain: EventDrain) throws {
        if let id = newActors.first(where: { actors[$0] == nil }) {
            throw PostgresError(.decoding, "ledger.actor has no actor \(id), who stands in an event")
        }
        if let id = newStreams.first(where: { streams[$0] == nil }) {
            throw PostgresError(.decoding, "ledger.stream has no stream \(id), which an event stands in")
        }
    }
}
