import Analysis
import Testing

@Suite struct AgendaTests {
    @Test func `an error is retried after ten seconds whatever the interval is`() {
        var run = AnalysisAssessment(plans: [MetricPlan(name: "m", interval: .seconds(3600), count: 2)])
        #expect(run.agenda(at: .zero).measure == ["m"])
        run.count(Measured(phase: .error, message: "boom", startedAt: .zero, finishedAt: .seconds(1)), of: "m")
        run.settle()
        #expect(run.agenda(at: .seconds(2)) == Agenda(wakeAt: .seconds(11)))
    }
}
