import API
import Analysis
import Delivery
import EventSourcing
import Foundation
import Glibc
import HTTPTestKit
import Ledger
import LocalPlatform
import Logging
import Postgres
import Synchronization
import TestKit
import Testing
import Transfer

@testable import rollbook

/// Real `rollbook serve` processes that share one PostgreSQL, on data directories of the test's own.
final class ServedFleet: Sendable {
    /// The database that they share.
    let store: PostgresEventStore
    private let pool: PostgresPool
    private let database: String
    private let folder: URL
    private let transfer = TransferClient()
    /// Answers each query with 0.
    private let prometheus: HTTPDouble
    private let started = Mutex<[Process]>([])

    /// - Parameter login: As whom the instances come; what the test itself looks at, it looks at with `configuration`.
    private init(_ configuration: PostgresConfiguration, login: PostgresConfiguration) async throws {
        database = try login.libpqText()
        pool = PostgresPool(configuration)
        store = PostgresEventStore(pool: pool, logger: Self.silent)
        folder = FileManager.default.temporaryDirectory.appending(path: "rbf-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        prometheus = try HTTPDouble {
            $0.respond(
                200, [("Content-Type", "application/json")],
                #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1.5,"0"]}]}}"#)
        }
    }

    /// Gives `body` a fleet on an empty database; ends afterwards whatever runs.
    static func with(_ body: (ServedFleet) async throws -> Void) async throws {
        try await withTemporaryDatabase { try await with($0, login: $0, body) }
    }

    /// The same on a database that was migrated by somebody else: the instances' login has the service's role, and no more.
    static func withServiceLogin(_ body: (ServedFleet) async throws -> Void) async throws {
        try await withTemporaryDatabase { owner in
            _ = try await Migrator(folder: migrations).migrate(owner)
            let superuser = try await PostgresConnection.connect(owner)
            var service = owner
            let login = "login_\(UUID().uuidString.lowercased().prefix(8))"
            service.overrides["user"] = login
            try await superuser.script("CREATE ROLE \(login) LOGIN; GRANT rollbook_service TO \(login)")
            try await with(owner, login: service, body)
            try await superuser.script("DROP ROLE \(login)")
            await superuser.close()
        }
    }

    private static func with(
        _ configuration: PostgresConfiguration, login: PostgresConfiguration, _ body: (ServedFleet) async throws -> Void
    ) async throws {
        let fleet = try await ServedFleet(configuration, login: login)
        do {
            try await body(fleet)
        } catch {
            try await fleet.end()
            throw error
        }
        try await fleet.end()
    }

    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Ends pods, nginx and what else the instances left running.
    private func end() async throws {
        for process in started.withLock({ $0 }) where process.isRunning { kill(process.processIdentifier, SIGKILL) }
        for data in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        where data.hasDirectoryPath {
            let platform = try LocalPlatform(
                directory: DataDirectory(data.path()).platform, port: 1, logger: Self.silent)
            try await platform.end()
        }
        prometheus.stop()
        await transfer.close()
        await pool.close()
        try FileManager.default.removeItem(at: folder)
    }

    /// A platform's place: a data directory, and the port that takes its traffic.
    struct Place {
        let data: String
        let trafficPort: Int
    }

    func place(_ name: String) throws -> Place {
        Place(data: folder.appending(path: name).path(), trafficPort: try LoopbackPort.free())
    }

    /// One `serve`.
    struct Instance {
        let name: String
        let client: ServerClient
        let running: RollbookProgram.Running

        /// What its `/readyz` says; `nil` if it is not ready.
        func duties() async -> Readiness.Duties? {
            do {
                let readiness: Readiness = try await client.get("/readyz")
                return readiness.duties
            } catch { return nil }
        }

        func signal(_ signal: Int32) { kill(running.process.processIdentifier, signal) }

        /// Ends it in good order.
        func stop() async throws {
            running.process.terminate()
            let code = try await running.ended()
            let said = try running.said
            #expect(code == 0, "\(name): \(said)")
        }
    }

    struct Readiness: Decodable {
        struct Duties: Decodable {
            let cluster: String
            let shards: Int
            let leases: [String]
        }
        let duties: Duties?
    }

    /// Starts an instance, and returns when it is ready.
    func serve(_ name: String, at place: Place, cluster: String = "default", _ more: String...) async throws -> Instance
    {
        let instance = try start(name, at: place, cluster: cluster, more)
        let isReady = try await eventually(within: .seconds(60)) {
            if !instance.running.process.isRunning { return true }
            return await instance.duties() != nil
        }
        let said = try instance.running.said
        #expect(isReady && instance.running.process.isRunning, "\(name) is ready: \(said)")
        return instance
    }

    /// Starts an instance.
    func start(_ name: String, at place: Place, cluster: String, _ more: [String]) throws -> Instance {
        let port = try LoopbackPort.free()
        let server = "http://127.0.0.1:\(port)"
        let running = try RollbookProgram.Running(
            [
                "serve", "--database", database, "--data", place.data, "--port", "\(port)", "--traffic-port",
                "\(place.trafficPort)", "--prometheus-port", "0", "--cluster", cluster, "--instance", name,
                "--migrations", Self.migrations,
            ] + more, server: server, folder: folder)
        started.withLock { $0.append(running.process) }
        return Instance(
            name: name,
            client: ServerClient(server: server, cluster: cluster, actor: "maria@laptop", transfer: transfer),
            running: running)
    }

    private static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let migrations = repository.appending(path: "migrations").path()

    /// Applies the shop, whose canary is measured each second.
    func apply(_ tag: String, by instance: Instance) async throws {
        let documents = try ManifestReader.documents(yaml: try manifest(tag), file: "shop.yaml")
        let reply: ApplyReply = try await instance.client.post(
            "/api/v1/apply", query: [("cluster", instance.client.cluster)],
            ["apiVersion": "v1", "kind": "List", "items": .array(documents.map(\.value))])
        #expect(reply.applied.contains { $0.kind == "Rollout" })
    }

    /// The shop of `deploy/faults`, with an analysis between two steps.
    private func manifest(_ tag: String) throws -> String {
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "payments-api").path()
        let steps = """
                    - setWeight: 20
                    - analysis: { templates: [{ templateName: errors }] }
                    - setWeight: 60
                    - pause: { duration: 1s }
            """
        let text = try String(contentsOf: Self.repository.appending(path: "deploy/faults/shop.yaml"), encoding: .utf8)
        let manifest = try #require(text.firstRange(of: "apiVersion")).lowerBound
        return [
            ("TAG", tag), ("PROGRAM", program), ("CANARY\n", ""), ("COUNT", "      count: 6"), ("STEPS", steps),
            ("ADDRESS", "http://127.0.0.1:\(prometheus.port)"), ("QUERY", "errors"),
        ].reduce(String(text[manifest...])) { $0.replacing($1.0, with: $1.1) }
    }

    /// Every lease, by whom and for which time in a row it is held.
    func leases() async throws -> [String] {
        try await PostgresLeases(pool: pool).list(under: "").map { "\($0.name) \($0.holder) \($0.epoch)" }
    }

    /// What the log has of the shop.
    func events(_ cluster: String = "default") async throws -> [RecordedEvent] {
        let name = try #require(RolloutName(cluster: cluster, namespace: "default", name: "shop"))
        return try await store.read(name.stream, after: .none, limit: 10_000)
    }

    func facts(_ cluster: String = "default") async throws -> [RolloutFact] {
        try await events(cluster).map { try RolloutDecider.decode($0).fact }
    }

    /// Waits until `count` releases of the shop have come to their end.
    func completes(_ count: Int, _ cluster: String = "default") async throws {
        let came = try await eventually(within: .seconds(90), every: .milliseconds(50)) {
            try await facts(cluster).count { if case .completed = $0 { true } else { false } } == count
        }
        let types = try await facts(cluster).map(\.wireName)
        #expect(came, "\(count) completed; the log has \(types)")
    }

    /// Waits until the data plane was seen to give the canary `weight`, in the last release.
    func applied(_ weight: Int, _ cluster: String = "default") async throws {
        let came = try await eventually(within: .seconds(60)) {
            guard case .weightApplied(let seen) = try await facts(cluster).last(where: { $0.isWeightApplied }) else {
                return false
            }
            return seen.canary == weight
        }
        #expect(came, "weight \(weight) applied")
    }

    /// The generations of the weights that were decided, and of those that were applied, in the log's order.
    private func weights(_ cluster: String) async throws -> (decided: [Int], applied: [Int]) {
        try await facts(cluster).reduce(into: ([], [])) { weights, fact in
            switch fact {
            case .weightDecided(let weight): weights.0.append(weight.generation)
            case .weightApplied(let weight): weights.1.append(weight.generation)
            default: break
            }
        }
    }

    /// Nothing is in the log twice, and nothing that was decided or begun is missing.
    func expectEachOnce(_ cluster: String = "default") async throws {
        // The last weight is decided with what ends the release, and applied a moment later.
        var (decided, applied): ([Int], [Int]) = ([], [])
        let isApplied = try await eventually {
            (decided, applied) = try await weights(cluster)
            return applied.last == decided.last
        }
        #expect(isApplied, "the last weight was applied")
        var numbers: [String: [Int]] = [:]
        for fact in try await facts(cluster) {
            guard case .measurementTaken(let taken) = fact else { continue }
            numbers["\(taken.run) \(taken.metric)", default: []].append(taken.number)
        }
        #expect(Set(decided).count == decided.count, "decided \(decided)")
        #expect(applied == decided, "each weight that was decided was applied, once and in order")
        for (run, taken) in numbers { #expect(taken == Array(1...taken.count), "\(run) has \(taken)") }
    }
}

extension RolloutFact {
    fileprivate var isWeightApplied: Bool { if case .weightApplied = self { true } else { false } }
}
