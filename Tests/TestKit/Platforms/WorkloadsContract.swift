public import Delivery
public import EventSourcing
internal import Synchronization

/// What every platform that runs pods promises, as clauses that each adapter's tests run, each on a stage of its own.
public struct WorkloadsContract: Sendable, CustomStringConvertible {
    /// The promise, in words.
    public let description: String
    /// Throws ``ContractBreach`` if the platform breaks the promise.
    public let check: @Sendable (any WorkloadsStage) async throws -> Void

    init(_ description: String, _ check: @escaping @Sendable (any WorkloadsStage) async throws -> Void) {
        self.description = description
        self.check = check
    }

    /// Every clause.
    public static var clauses: [WorkloadsContract] { sizes + generations + epochs + readiness }
}

/// A platform that runs nothing yet, and hands that reach into it as the world does.
public protocol WorkloadsStage: Sendable {
    /// The platform under test.
    var workloads: any Workloads { get }
    /// A pod template of a kind.
    func template(_ kind: SamplePods.Kind) -> JSONValue
    /// Ends one ready pod of a set as a crash would.
    func crash(in hash: String, of rollout: RolloutName) async throws
    /// Another instance on the same machines, as after a restart; the first one is not used again.
    func again() async throws -> any Workloads
}

/// What the clauses run.
public enum SamplePods {
    /// The rollout of most clauses.
    public static let rollout = RolloutName(namespace: "shop", name: "payments")!
    /// One that must not be touched by them.
    public static let other = RolloutName(namespace: "shop", name: "basket")!

    /// How pods behave.
    public enum Kind: Sendable {
        /// They become ready soon.
        case ready
        /// They run, and their probe never passes.
        case neverReady
        /// The platform cannot run them.
        case unusable
    }
}

extension WorkloadsStage {
    func intent(
        _ generation: Int, _ sizes: [String: Int], _ kind: SamplePods.Kind = .ready,
        for rollout: RolloutName = SamplePods.rollout, minReadySeconds: Int = 0, epoch: Int64 = 0
    ) -> ScaleIntent {
        var intent = ScaleIntent(
            rollout: rollout, generation: generation,
            sets: sizes.sorted { $0.key < $1.key }.map { hash, replicas in
                WantedSet(
                    podTemplateHash: hash, revision: 1, replicas: replicas, template: template(kind),
                    minReadySeconds: minReadySeconds)
            })
        intent.epoch = epoch
        return intent
    }

    /// Demands that `intent` is refused with `code`.
    func refuses(
        _ intent: ScaleIntent, _ code: PlatformFailure.Code, by workloads: (any Workloads)? = nil, line: UInt = #line
    ) async throws -> PlatformFailure {
        do {
            try await (workloads ?? self.workloads).scale(intent)
        } catch {
            try Demand.same(error.code, code, line: line)
            return error
        }
        throw ContractBreach("accepted, but should be refused: generation \(intent.generation)", line: line)
    }

    /// Runs `body` with someone who watches the pods.
    func watched(
        _ workloads: (any Workloads)? = nil, _ body: (WatchedPods) async throws -> Void
    ) async throws {
        let watched = WatchedPods(workloads ?? self.workloads)
        do {
            try await body(watched)
        } catch {
            await watched.end()
            throw error
        }
        await watched.end()
    }
}

/// All that was observed of the pods, since somebody began to watch.
final class WatchedPods: Sendable {
    private let seen = SeenPods()
    private let task: Task<Void, Never>

    init(_ workloads: any Workloads) {
        let observations = workloads.observations()
        // Awaited by `end`.
        task = Task { [seen] in for await one in observations { seen.add(one) } }
    }

    /// In order.
    func all(_ hash: String, of rollout: RolloutName = SamplePods.rollout) -> [PodObservation] {
        seen.all.filter { $0.podTemplateHash == hash && $0.rollout == rollout }
    }

    /// Returns once the latest observation of a set is as wanted.
    func comes(
        _ hash: String, of rollout: RolloutName = SamplePods.rollout, line: UInt = #line,
        _ fact: (PodObservation) -> Bool
    ) async throws {
        let came = try await eventually(within: .seconds(60)) { all(hash, of: rollout).last.map(fact) ?? false }
        guard came else {
            throw ContractBreach(
                "not observed; last of set \(hash): \(String(describing: all(hash, of: rollout).last))", line: line)
        }
    }

    /// Ends the watching, and demands nothing: the stream ends with its consumer.
    func end() async {
        task.cancel()
        await task.value
    }
}

/// Observations, kept while they come in.
private final class SeenPods: Sendable {
    private let kept = Mutex<[PodObservation]>([])
    var all: [PodObservation] { kept.withLock { $0 } }
    func add(_ one: PodObservation) { kept.withLock { $0.append(one) } }
}

extension PodObservation {
    /// Whether it shows a set of `count` pods, all there and available.
    func isWhole(_ count: Int) -> Bool {
        desired == count && current == count && ready == count && available == count
    }
}
