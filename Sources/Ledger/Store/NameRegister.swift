internal import EventSourcing
internal import Foundation
internal import Postgres

/// The ids that the ledger's dictionaries gave to names, as far as one connection has met them.
///
/// They live as long as the connection: a server that was restored or failed over may not have the last ones.
final class NameRegister {
    /// What is kept of each kind at the most; beyond it, that kind begins anew.
    private static let mostNames = 100_000

    private var streams: [StreamName: Int64] = [:]
    private var types: [String: Int32] = [:]
    private var actors: [EventActor: Int32] = [:]

    /// The ids of one batch's names.
    struct Ids {
        fileprivate(set) var streams: [StreamName: Int64] = [:]
        fileprivate(set) var types: [String: Int32] = [:]
        fileprivate(set) var actors: [EventActor: Int32] = [:]
    }

    /// The ids of all names in `batch`; what is not known yet is looked up, and opened if it is new.
    func ids(for batch: [PreparedAppend], _ connection: PostgresConnection) async throws -> Ids {
        var ids = Ids()
        var missing = (streams: Set<StreamName>(), types: Set<String>(), actors: Set<EventActor>())
        for request in batch {
            let stream = request.append.stream
            if let id = streams[stream] { ids.streams[stream] = id } else { missing.streams.insert(stream) }
            for event in request.append.events {
                if ids.types[event.type] == nil {
                    if let id = types[event.type] {
                        ids.types[event.type] = id
                    } else {
                        missing.types.insert(event.type)
                    }
                }
                if ids.actors[event.actor] == nil {
                    if let id = actors[event.actor] {
                        ids.actors[event.actor] = id
                    } else {
                        missing.actors.insert(event.actor)
                    }
                }
            }
        }
        if !missing.streams.isEmpty { try await open(missing.streams, &ids, connection) }
        if !missing.types.isEmpty { try await open(missing.types, &ids, connection) }
        if !missing.actors.isEmpty { try await open(missing.actors, &ids, connection) }
        return ids
    }

    private func open(_ streams: Set<StreamName>, _ ids: inout Ids, _ connection: PostgresConnection) async throws {
        let names = Dictionary(uniqueKeysWithValues: streams.map { ($0.description, $0) })
        for row in try await connection.query(
            "SELECT name, stream_id FROM ledger.open_streams(\(Array(names.keys)))", .uncancellable)
        {
            guard let stream = names[try row.get(0)] else { continue }
            ids.streams[stream] = try row.get(1)
        }
        if self.streams.count + streams.count > Self.mostNames { self.streams = [:] }
        for stream in streams { self.streams[stream] = ids.streams[stream] }
    }

    private func open(_ types: Set<String>, _ ids: inout Ids, _ connection: PostgresConnection) async throws {
        for row in try await connection.query(
            "SELECT name, type_id FROM ledger.open_types(\(Array(types)))", .uncancellable)
        {
            ids.types[try row.get(0)] = try row.get(1)
        }
        if self.types.count + types.count > Self.mostNames { self.types = [:] }
        for type in types { self.types[type] = ids.types[type] }
    }

    private func open(_ actors: Set<EventActor>, _ ids: inout Ids, _ connection: PostgresConnection) async throws {
        let listed = Array(actors)
        for row in try await connection.query(
            """
            SELECT o, actor_id
            FROM ledger.open_actors(
                \(listed.map(\.subject)), \(listed.map(\.issuer)), \(listed.map(\.method.rawValue)),
                \(listed.map(\.onBehalfOf)))
            """, .uncancellable)
        {
            ids.actors[listed[try row.get(0, as: Int.self) - 1]] = try row.get(1)
        }
        if self.actors.count + actors.count > Self.mostNames { self.actors = [:] }
        for actor in actors { self.actors[actor] = ids.actors[actor] }
    }
}
