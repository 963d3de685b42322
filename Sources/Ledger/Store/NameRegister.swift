internal import EventSourcing
internal import Foundation
internal import Postgres
internal import Synchronization

/// The ids that the ledger's dictionaries gave to names, as far as this instance has met them.
///
/// A server that was restored or failed over may not have the last ones: they are kept for one run of one server, and
/// a connection to another begins anew.
final class NameRegister: Sendable {
    private struct State {
        var server: Server?
        var streams: [StreamName: Int64] = [:]
        var types: [String: Int32] = [:]
        var actors: [EventActor: Int32] = [:]
    }

    /// What is kept of each kind at the most; beyond it, that kind begins anew.
    private static let mostNames = 100_000

    private let state = Mutex(State())

    /// One run of a server, and the database there.
    struct Server: Hashable {
        fileprivate let startedAt: PostgresInstant
        fileprivate let database: Int64

        /// One that nobody has to answer for.
        init(startedAt: PostgresInstant, database: Int64) { (self.startedAt, self.database) = (startedAt, database) }

        /// Asks who answers.
        init(_ connection: PostgresConnection) async throws {
            let row = try await connection.query(
                """
                SELECT pg_postmaster_start_time(), d.oid::bigint
                FROM pg_database d
                WHERE d.datname = current_database()
                """, AppendLane.options
            ).single()
            startedAt = try row.get(0)
            database = try row.get(1)
        }
    }

    /// Forgets what another server said.
    func begin(_ server: Server) {
        state.withLock { state in
            if state.server != server { state = State(server: server) }
        }
    }

    /// The ids of one batch's names, each in its order: whoever writes or reads its events need not look a name up again.
    struct Ids {
        /// Of the requests.
        fileprivate(set) var streams: [Int64] = []
        /// Of the events of all requests, one request after the other.
        fileprivate(set) var types: [Int32] = []
        fileprivate(set) var actors: [Int32] = []
    }

    /// The ids of all names in `batch`; what is not known yet is looked up, and opened if it is new.
    func ids(
        for batch: [PreparedAppend], _ connection: PostgresConnection, of server: Server
    ) async throws -> Ids {
        var ids = Ids()
        ids.streams.reserveCapacity(batch.count)
        ids.types.reserveCapacity(batch.count)
        ids.actors.reserveCapacity(batch.count)
        var missing = (streams: Set<StreamName>(), types: Set<String>(), actors: Set<EventActor>())
        state.withLock { state in
            for request in batch {
                let stream = request.append.stream
                let known = state.streams[stream]
                ids.streams.append(known ?? 0)
                if known == nil { missing.streams.insert(stream) }
                for event in request.append.events {
                    let (type, actor) = (state.types[event.type], state.actors[event.actor])
                    ids.types.append(type ?? 0)
                    ids.actors.append(actor ?? 0)
                    if type == nil { missing.types.insert(event.type) }
                    if actor == nil { missing.actors.insert(event.actor) }
                }
            }
        }
        if !missing.streams.isEmpty {
            let opened = try await open(missing.streams, connection, server)
            for (index, request) in batch.enumerated() {
                guard let id = opened[request.append.stream] else { continue }
                ids.streams[index] = id
            }
        }
        let types = missing.types.isEmpty ? [:] : try await open(missing.types, connection, server)
        let actors = missing.actors.isEmpty ? [:] : try await open(missing.actors, connection, server)
        guard !types.isEmpty || !actors.isEmpty else { return ids }
        for (index, event) in batch.lazy.flatMap(\.append.events).enumerated() {
            if let id = types[event.type] { ids.types[index] = id }
            if let id = actors[event.actor] { ids.actors[index] = id }
        }
        return ids
    }

    private func open(
        _ streams: Set<StreamName>, _ connection: PostgresConnection, _ server: Server
    ) async throws -> [StreamName: Int64] {
        var found: [StreamName: Int64] = [:]
        let names = Dictionary(uniqueKeysWithValues: streams.map { ($0.description, $0) })
        for row in try await connection.query(
            "SELECT name, stream_id FROM ledger.open_streams(\(Array(names.keys)))", AppendLane.options)
        {
            guard let stream = names[try row.get(0)] else { continue }
            found[stream] = try row.get(1)
        }
        try Self.check(streams, found, \.description)
        let known = found
        state.withLock { state in
            guard state.server == server else { return }
            if state.streams.count + streams.count > Self.mostNames { state.streams = [:] }
            state.streams.merge(known) { $1 }
        }
        return found
    }

    private func open(
        _ types: Set<String>, _ connection: PostgresConnection, _ server: Server
    ) async throws -> [String: Int32] {
        var found: [String: Int32] = [:]
        for row in try await connection.query(
            "SELECT name, type_id FROM ledger.open_types(\(Array(types)))", AppendLane.options)
        {
            found[try row.get(0)] = try row.get(1)
        }
        try Self.check(types, found, \.self)
        let known = found
        state.withLock { state in
            guard state.server == server else { return }
            if state.types.count + types.count > Self.mostNames { state.types = [:] }
            state.types.merge(known) { $1 }
        }
        return found
    }

    private func open(
        _ actors: Set<EventActor>, _ connection: PostgresConnection, _ server: Server
    ) async throws -> [EventActor: Int32] {
        let listed = Array(actors)
        var found: [EventActor: Int32] = [:]
        for row in try await connection.query(
            """
            SELECT o, actor_id
            FROM ledger.open_actors(
                \(listed.map(\.subject)), \(listed.map(\.issuer)), \(listed.map(\.method.rawValue)),
                \(listed.map(\.onBehalfOf)))
            """, AppendLane.options)
        {
            found[listed[try row.get(0, as: Int.self) - 1]] = try row.get(1)
        }
        try Self.check(actors, found, \.subject)
        let known = found
        state.withLock { state in
            guard state.server == server else { return }
            if state.actors.count + actors.count > Self.mostNames { state.actors = [:] }
            state.actors.merge(known) { $1 }
        }
        return found
    }

    /// - Throws: `PostgresError` unless each of `names` has an id.
    private static func check<Name, ID>(_ names: Set<Name>, _ ids: [Name: ID], _ text: (Name) -> String) throws {
        guard let lacking = names.first(where: { ids[$0] == nil }) else { return }
        throw PostgresError(.protocolViolation, "the ledger gave no id for \"\(text(lacking))\"")
    }
}
