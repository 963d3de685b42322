import Delivery
import EventSourcing
import FoundationEssentials

/// One pod as its state file has it.
///
/// The file is written before the process is started, and again once its number is known. A process that was started but not
/// recorded is found by the `ROLLBOOK_POD_UID` in its environment, so that none is ever forgotten.
struct PodRecord: Sendable, Hashable, Codable {
    var uid: String
    var name: String
    var rollout: RolloutName
    var podTemplateHash: String
    var revision: Int
    var minReadySeconds: Int
    var spec: PodSpec
    /// Declared port to the pod's own port on loopback.
    var ports: [Int: Int]
    /// `nil` before the start, and between a crash and the next start.
    var process: ProcessIdentity?
    /// When the process was started.
    var startedAt: Instant?
    /// Since when its probe passes.
    var readyAt: Instant?
    /// Ends of the process that nobody asked for, since the last long run.
    var crashes = 0
    /// Whether it is on its way out.
    var isGoing = false

    /// The address behind a declared port; `nil` if it was given none yet.
    func address(of port: PodSpec.Port) -> String? { ports[port.number].map { "127.0.0.1:\($0)" } }

    /// Its addresses by number and by name of the declared ports.
    var addresses: [String: String] {
        var found: [String: String] = [:]
        for port in spec.ports {
            guard let address = address(of: port) else { continue }
            found[String(port.number)] = address
            if let name = port.name { found[name] = address }
        }
        return found
    }

    /// The own port behind a declared one, by number or name.
    func ownPort(of text: String) -> Int? {
        spec.ports.first { $0.name == text || String($0.number) == text }.flatMap { ports[$0.number] }
    }
}

/// What a rollout wants, as its state file has it.
struct WantedRollout: Sendable, Hashable, Codable {
    var rollout: RolloutName
    /// Of the last scale intent.
    var generation: Int
    /// Of the last scale intent; `nil` without a lease.
    var epoch: Int64?
    /// By pod-template-hash.
    var sets: [String: WantedSet]
}

/// The state files of pods and rollouts.
struct PodStore: Sendable {
    let directory: String

    var logs: String { directory + "/logs" }
    private var pods: String { directory + "/pods" }
    private var rollouts: String { directory + "/rollouts" }

    /// - Parameter directory: The data directory, absolute.
    init(directory: String) { self.directory = directory }

    func prepare() throws(FileFailure) {
        for path in [pods, rollouts, logs] { try DurableFile.makeDirectory(path) }
    }

    func log(of pod: PodRecord) -> String { "\(logs)/\(pod.name).log" }

    func save(_ pod: PodRecord) throws { try save(pod, "\(pods)/\(pod.uid).json") }

    func remove(_ pod: PodRecord) throws(FileFailure) { try DurableFile(path: "\(pods)/\(pod.uid).json").remove() }

    func save(_ rollout: WantedRollout) throws {
        let name = rollout.rollout.description.replacing("/", with: "_")
        try save(rollout, "\(rollouts)/\(name).json")
    }

    func allPods() throws -> [PodRecord] { try all(PodRecord.self, in: pods) }

    func allRollouts() throws -> [WantedRollout] { try all(WantedRollout.self, in: rollouts) }

    private func save(_ value: some Encodable, _ path: String) throws {
        try DurableFile(path: path).replace(with: JSONEncoder().encode(value))
    }

    private func all<Value: Decodable>(_ type: Value.Type, in directory: String) throws -> [Value] {
        try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".json") }.sorted()
            .compactMap { name in
                guard let bytes = try DurableFile(path: "\(directory)/\(name)").read() else { return nil }
                return try JSONDecoder().decode(type, from: Data(bytes))
            }
    }
}
