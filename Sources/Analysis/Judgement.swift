public import Conditions

/// What one answer of a metric source means under a plan.
public struct Judgement: Sendable, Equatable {
    /// Which of a metric's two conditions.
    public enum Side: String, Sendable, Codable {
        /// `successCondition`.
        case success = "successCondition"
        /// `failureCondition`.
        case failure = "failureCondition"
    }

    /// A condition that made the difference.
    public struct Deciding: Sendable, Equatable, Codable {
        /// Which of the two.
        public let side: Side
        /// Its text.
        public let condition: String
        /// What it came to; nil when it could not be evaluated.
        public let held: Bool?

        /// Names a condition and what it came to.
        public init(side: Side, condition: String, held: Bool?) {
            self.side = side
            self.condition = condition
            self.held = held
        }
    }

    /// Successful, Failed, Inconclusive or Error.
    public let phase: AnalysisPhase
    /// Why it is an Error; nil otherwise.
    public let message: String?
    /// The answer, to be stored; nil if there was none or a condition could not be evaluated, as in Argo.
    public let value: Value?
    /// The condition that decided; nil without conditions, and when both were false (Inconclusive).
    public let decidedBy: Deciding?
    /// Where in the condition an evaluation failed.
    public let conditionError: ConditionError?
}

/// Judges what a metric source came back with.
///
/// Both given conditions are always evaluated, the success condition first; an error in either makes an Error, even if
/// the other would decide. Without conditions every answer is Successful.
///
/// - Source: Argo Rollouts, utils/evaluate/evaluate.go `EvaluateResult`, `formatEvalError` (truth table).
public func assess(_ outcome: MeasurementOutcome, of plan: MetricPlan) -> Judgement {
    switch outcome {
    case .error(let reason):
        return Judgement(phase: .error, message: reason, value: nil, decidedBy: nil, conditionError: nil)
    case .value(let result):
        var held: [Judgement.Side: Bool] = [:]
        for (side, given) in [(Judgement.Side.success, plan.successCondition), (.failure, plan.failureCondition)] {
            // Argo's empty string means that none is given.
            guard let condition = given, !condition.isEmpty else { continue }
            do throws(ConditionError) {
                held[side] = try Condition(condition).holds(for: result, typing: plan.resultTyping)
            } catch {
                return failed(side, condition, error, result)
            }
        }
        let (phase, side) = verdict(success: held[.success], failure: held[.failure])
        let decidedBy = side.map {
            let text = $0 == .success ? plan.successCondition : plan.failureCondition
            return Judgement.Deciding(side: $0, condition: text ?? "", held: held[$0])
        }
        return Judgement(phase: phase, message: nil, value: result, decidedBy: decidedBy, conditionError: nil)
    }
}

private func verdict(success: Bool?, failure: Bool?) -> (AnalysisPhase, Judgement.Side?) {
    switch (success, failure) {
    case (nil, nil): (.successful, nil)
    case (let success?, nil): (success ? .successful : .failed, .success)
    case (nil, let failure?): (failure ? .failed : .successful, .failure)
    case (_, true?): (.failed, .failure)
    case (true?, false?): (.successful, .success)
    case (false?, false?): (.inconclusive, nil)
    }
}

private func failed(
    _ side: Judgement.Side, _ condition: String, _ error: ConditionError, _ result: Value
) -> Judgement {
    let reason =
        result.isNilOrEmpty
        ? "metric result is nil or empty: no data returned from the metric provider" : error.message
    return Judgement(
        phase: .error,
        message: "could not evaluate \(side.rawValue) \"\(condition)\": \(reason)",
        value: nil,
        decidedBy: Judgement.Deciding(side: side, condition: condition, held: nil),
        conditionError: error)
}
