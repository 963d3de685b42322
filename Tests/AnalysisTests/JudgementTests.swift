import Analysis
import Conditions
import Testing

@Suite struct JudgementTests {
    private func judge(_ value: Value, success: String? = nil, failure: String? = nil) -> Judgement {
        assess(
            .value(value), of: MetricPlan(name: "m", successCondition: success, failureCondition: failure))
    }

    @Test(arguments: [
        (true, true, AnalysisPhase.failed), (true, false, .successful), (false, true, .failed),
        (false, false, .inconclusive),
    ])
    func `with both conditions failure wins, and neither is inconclusive`(
        success: Bool, failure: Bool, phase: AnalysisPhase
    ) {
        #expect(judge(.double(1), success: "\(success)", failure: "\(failure)").phase == phase)
    }

    @Test func `a judgement names the condition that decided`() {
        let failed = judge(.vector([0.2]), failure: "result[0] > 0.1")
        #expect(failed.decidedBy == .init(side: .failure, condition: "result[0] > 0.1", held: true))
        let passed = judge(.vector([0.2]), success: "result[0] < 0.5", failure: "result[0] > 0.9")
        #expect(passed.decidedBy == .init(side: .success, condition: "result[0] < 0.5", held: true))
        #expect(judge(.double(1)).decidedBy == nil)
        #expect(judge(.double(1), success: "false", failure: "false").decidedBy == nil)
    }

    @Test func `both conditions are evaluated, and an error in either is an error`() {
        let second = judge(.double(1), success: "true", failure: "result[0] > 1")
        #expect(second.phase == .error)
        #expect(second.value == nil)
        #expect(
            second.message
                == "could not evaluate failureCondition \"result[0] > 1\": type float64[int] is undefined")
        #expect(second.conditionError?.column == 7)
    }

    @Test func `an empty condition is none, a blank one is an error`() {
        #expect(judge(.double(1), success: "").phase == .successful)
        #expect(judge(.double(1), success: " ").message?.hasSuffix("unexpected token EOF") == true)
    }

    @Test func `a source that failed is an error with its reason`() {
        let judgement = assess(.error("connection refused"), of: MetricPlan(name: "m"))
        #expect(judgement.phase == .error && judgement.message == "connection refused" && judgement.value == nil)
    }
}
