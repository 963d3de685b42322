import Analysis
import EventSourcing
import Foundation
import Testing

@testable import Delivery

/// One file for each event type and version, as the ledger has them for good: they must decode for ever, and what this
/// build writes must read the same.
@Suite struct GoldenEventTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("Golden")
    private static let at = Instant("2026-11-24T09:00:00Z")!
    private static let release = Identifier("01a20b64-0b10-7e1b-9bc7-60e4c1ef2a5f")!

    private static let measurement = MeasurementTaken(
        run: "shop-6db55869fc-2-3", metric: "error-rate", number: 1, phase: .failed,
        value: MeasuredValue(type: "vector", text: "[0.0125]"), message: nil, startedAt: at, finishedAt: at,
        source: MeasurementSource(provider: "prometheus", address: "http://p:9090", queryDigest: "sha256:00"),
        condition: "result[0] <= 0.01", dryRun: false)

    /// Every fact, once.
    private static func facts() throws -> [RolloutFact] {
        let bundle = Plans.shop()
        let plan = try bundle.plan()
        let step = plan.steps[0]
        return [
            .manifestRecorded(
                ManifestRecorded(
                    digest: bundle.digest, manifest: bundle, plan: plan, source: ManifestSource(kind: .cli),
                    changed: ["template"], warnings: ["spec.x: unknown"])),
            .releaseStarted(
                ReleaseStarted(
                    release: release, revision: 2, podTemplateHash: "6db55869fc", images: ["app": "shop:2"],
                    trigger: .newRevision, strategy: "canary", plan: plan,
                    stable: RevisionReference(revision: 1, podTemplateHash: "84c7bc7c76"), deciderVersion: 1)),
            .stepEntered(StepEntered(index: 0, step: step)),
            .stepCompleted(StepCompleted(index: 0, step: step, because: .done)),
            .weightDecided(
                WeightDecided(
                    canary: 5, stable: 95, max: 100, canaryHash: "6db55869fc", stableHash: "84c7bc7c76", generation: 4,
                    because: .step)),
            .weightApplied(
                WeightApplied(
                    canary: 5, stable: 95, max: 100, generation: 4, router: "nginx", observed: "state 7",
                    took: "PT0.021S")),
            .weightRejected(
                IntentRejected(generation: 4, by: "nginx", error: "refused", attempt: 1, retryAt: at)),
            .scaleDecided(
                ScaleDecided(
                    generation: 3, sets: [.init(podTemplateHash: "6db55869fc", role: .canary, replicas: 1)])),
            .scaleApplied(ScaleApplied(generation: 3)),
            .scaleRejected(
                IntentRejected(generation: 3, by: "workloads", error: "no such file", attempt: 2, retryAt: at)),
            .podsObserved(
                PodsObserved(
                    podTemplateHash: "6db55869fc", role: .canary, desired: 1, current: 1, ready: 1, available: 0)),
            .pauseBegan(PauseBegan(reason: .step, until: at, message: nil)),
            .pauseEnded(PauseEnded(reason: .step, because: .elapsed)),
            .analysisStarted(
                AnalysisStarted(
                    run: "shop-6db55869fc-2-3", kind: .step, stepIndex: 3,
                    templates: [TemplateReference(name: "errors", clusterScope: false, digest: "sha256:00")],
                    arguments: ["service": "shop-canary"],
                    metrics: [
                        ResolvedMetric(
                            plan: MetricPlan(name: "error-rate", interval: .seconds(30), count: 5, failureLimit: 2),
                            provider: ["prometheus": ["query": "up"]])
                    ], error: nil)),
            .measurementTaken(measurement),
            .metricConcluded(
                MetricConcluded(
                    run: "shop-6db55869fc-2-3", metric: "error-rate", phase: .failed,
                    message: "failed (3) > failureLimit (2)",
                    counts: MeasurementCounts(successful: 1, failed: 3, inconclusive: 0, error: 0), dryRun: false)),
            .analysisConcluded(AnalysisConcluded(run: "shop-6db55869fc-2-3", phase: .failed, message: "why")),
            .deadlineExceeded(DeadlineExceeded(afterSeconds: 600, message: "timed out")),
            .promoted(Promoted(kind: .step, fromIndex: 1, reason: "looks good")),
            .aborted(
                Aborted(
                    by: .analysis, reason: nil,
                    evidence: [MeasurementReference(run: "shop-6db55869fc-2-3", metric: "error-rate", number: 1)],
                    message: "Rollout aborted update to revision 2")),
            .completed(
                Completed(podTemplateHash: "6db55869fc", took: "PT22S", message: "Completed all 7 canary steps")),
            .superseded(Superseded(by: release)),
            .standingOrderExecuted(
                StandingOrderExecuted(
                    unreachableFrom: at, until: at, because: .blindness, routedZeroAt: at, generation: 9,
                    measurements: [measurement])),
            .setRetired(SetRetired(podTemplateHash: "84c7bc7c76", because: .delay)),
        ]
    }

    @Test func `every event type has its golden file, and still reads and writes it`() throws {
        let facts = try Self.facts()
        #expect(facts.map(\.wireName) == RolloutFact.wireNames)
        for fact in facts {
            let file = Self.folder.appendingPathComponent(fact.wireName + ".json")
            let text = try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(fact.payload == text, "\(fact.wireName) is written in another way than the ledger has it")
            let decoded = try RolloutDecider.decode(type: fact.wireName, data: text, occurredAt: Self.at)
            #expect(decoded == RolloutEvent(at: Self.at, fact), "\(fact.wireName) no longer reads as it did")
        }
    }

    @Test func `no golden file stands without a reader`() throws {
        for file in try FileManager.default.contentsOfDirectory(atPath: Self.folder.path) {
            let name = String(file.dropLast(".json".count))
            let text = try String(contentsOf: Self.folder.appendingPathComponent(file), encoding: .utf8)
            _ = try RolloutDecider.decode(type: name, data: text, occurredAt: Self.at)
        }
    }
}
