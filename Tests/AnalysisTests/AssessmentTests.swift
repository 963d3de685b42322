import Analysis
import Conditions
import Foundation
import Testing

@Suite struct AssessmentTests {
    private func measured(_ phase: AnalysisPhase, at seconds: Int = 0) -> Measured {
        Measured(phase: phase, startedAt: .seconds(seconds), finishedAt: .seconds(seconds))
    }

    @Test func `the third failure over a limit of two ends the run in Argo's words`() {
        var run = AnalysisAssessment(
            plans: [MetricPlan(name: "error-rate", interval: .seconds(5), count: 10, failureLimit: 2)])
        for second in [0, 5, 10] {
            run.count(measured(.failed, at: second), of: "error-rate")
            run.settle()
        }
        #expect(run.phase == .failed)
        #expect(run.message == "Metric \"error-rate\" assessed Failed due to failed (3) > failureLimit (2)")
        #expect(run.agenda(at: .seconds(99)) == Agenda())
    }

    @Test func `a failing metric ends the run at once when nothing is in flight`() {
        var run = AnalysisAssessment(plans: [MetricPlan(name: "a"), MetricPlan(name: "b", interval: .seconds(5))])
        run.count(measured(.successful), of: "b")
        run.count(measured(.failed), of: "a")
        run.settle()
        #expect(run.phase == .failed)
        #expect(run["b"]?.tally.phase == .successful)
    }

    @Test func `a failing metric waits for measurements in flight to be ended`() {
        var run = AnalysisAssessment(plans: [MetricPlan(name: "a"), MetricPlan(name: "job")])
        run.count(Measured(phase: .running, startedAt: .zero), of: "job")
        run.count(measured(.failed), of: "a")
        run.settle()
        #expect(run.phase == .running)
        #expect(run.agenda(at: .zero) == Agenda(terminate: ["job"]))
        run.count(measured(.inconclusive), of: "job")
        run.settle()
        #expect(run.phase == .failed)
    }

    @Test func `a late or foreign measurement changes nothing`() {
        var run = AnalysisAssessment(plans: [MetricPlan(name: "a"), MetricPlan(name: "b")])
        let isUnknownCounted = run.count(measured(.failed), of: "unknown")
        #expect(!isUnknownCounted)
        run.count(measured(.successful), of: "a")
        run.settle()
        let before = run
        let isLateCounted = run.count(measured(.failed), of: "a")
        #expect(!isLateCounted)
        #expect(run == before)
        run.count(measured(.successful), of: "b")
        run.settle()
        #expect(run.phase == .successful)
        let isLaterCounted = run.count(measured(.failed), of: "b")
        #expect(!isLaterCounted)
        run.requestStop()
        run.settle()
        #expect(run.phase == .successful && !run.isStopRequested)
    }

    @Test func `the agenda names what is due and wakes for what is not`() {
        let plans = [
            MetricPlan(name: "a", interval: .seconds(10)), MetricPlan(name: "b", initialDelay: .seconds(30)),
            MetricPlan(name: "c", interval: .milliseconds(1500)),
        ]
        var run = AnalysisAssessment(plans: plans)
        #expect(run.agenda(at: .zero) == Agenda(measure: ["a", "c"], wakeAt: .seconds(30)))
        run.count(measured(.successful, at: 1), of: "a")
        run.count(measured(.successful, at: 1), of: "c")
        run.settle()
        #expect(run.agenda(at: .seconds(2)) == Agenda(wakeAt: .milliseconds(2500)))
        #expect(run.agenda(at: .milliseconds(2500)) == Agenda(measure: ["c"], wakeAt: .seconds(11)))
    }

    @Test func `a snapshot loses nothing, at any moment of any sequence`() throws {
        let plans = [
            MetricPlan(
                name: "a", interval: .milliseconds(1500), initialDelay: .nanoseconds(1), count: 3, failureLimit: 1,
                inconclusiveLimit: 1, consecutiveErrorLimit: 1, consecutiveSuccessLimit: 2,
                successCondition: "result > 1", failureCondition: "result < 0", dryRun: true, resultTyping: .json),
            MetricPlan(name: "b", interval: .seconds(1)),
        ]
        let phases: [AnalysisPhase] = [.successful, .failed, .inconclusive, .error, .running]
        var checked = 0
        func walk(_ run: AnalysisAssessment, _ depth: Int) throws {
            let data = try JSONEncoder().encode(run)
            #expect(try JSONDecoder().decode(AnalysisAssessment.self, from: data) == run)
            checked += 1
            guard depth > 0 else { return }
            for phase in phases {
                for name in ["a", "b"] {
                    var next = run
                    let finishedAt: Duration? = phase.isCompleted ? .seconds(1) : nil
                    next.count(
                        Measured(phase: phase, message: "x", startedAt: .zero, finishedAt: finishedAt), of: name)
                    next.settle()
                    // What has ended stays ended, and a run that has ended has nothing to do.
                    if run.phase.isCompleted { #expect(next == run) }
                    if next.phase.isCompleted { #expect(next.agenda(at: .seconds(9)) == Agenda()) }
                    for (old, new) in zip(run.metrics, next.metrics) where old.tally.phase.isCompleted {
                        #expect(new == old)
                    }
                    try walk(next, depth - 1)
                }
            }
        }
        try walk(AnalysisAssessment(plans: plans), 3)
        #expect(checked == 1111)
    }

    @Test(arguments: [
        (MetricPlan(name: "m", consecutiveSuccessLimit: -1), "consecutiveSuccessLimit must be >= 0"),
        (MetricPlan(name: "m", failureLimit: -2), "failureLimit must be >= 0, or -1 to be disabled"),
        (MetricPlan(name: "m", failureLimit: -1), "failureLimit and consecutiveSuccessLimit cannot both be disabled"),
        (MetricPlan(name: "m", inconclusiveLimit: -1), "inconclusiveLimit must be >= 0"),
        (MetricPlan(name: "m", consecutiveErrorLimit: -1), "consecutiveErrorLimit must be >= 0"),
        (
            MetricPlan(name: "m", count: 2, failureLimit: 2, consecutiveSuccessLimit: 1),
            "count (2) must be >= failureLimit + consecutiveSuccessLimit (2 + 1) if both >= 0"
        ),
        (
            MetricPlan(name: "m", count: 1, failureLimit: -1, consecutiveSuccessLimit: 2),
            "count must be >= consecutiveSuccessLimit"
        ),
        (MetricPlan(name: "m", count: 1, inconclusiveLimit: 2), "count must be >= inconclusiveLimit"),
        (MetricPlan(name: "m", count: 2), "interval must be specified when count > 1"),
    ])
    func `limits that contradict each other are named`(plan: MetricPlan, defect: String) {
        #expect(plan.defect == defect)
    }

    @Test func `failureLimit equal to count is allowed`() {
        #expect(MetricPlan(name: "m", interval: .seconds(1), count: 3, failureLimit: 3).defect == nil)
    }
}
