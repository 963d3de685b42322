/// A compiled success or failure condition: an expr-lang expression over `result`, the metric source's answer.
///
/// The language is the one of Argo Rollouts (expr-lang v1.17, with `asInt`, `asFloat`, `isNaN`, `isInf`, `isNil` and
/// `default`), without the built-ins for time, JSON, base64, pairs, `groupBy` and `$env`. Example:
///
/// ```swift
/// let condition = try Condition("len(result) == 0 || result[0] < 0.05")
/// try condition.holds(for: .vector([0.0125]))   // true
/// ```
///
/// - Source: Argo Rollouts, utils/evaluate/evaluate.go; expr-lang v1.17, parser, checker, vm.
public struct Condition: Sendable, Equatable {
    /// The text it was compiled from.
    public let source: String
    private let root: Node

    /// Compiles `source`.
    ///
    /// - Throws: A `compile` error for text that is no expression, or that no result can make sense of
    ///   (an unknown name, `1 + "a"`).
    public init(_ source: String) throws(ConditionError) {
        self.source = source
        do throws(Fault) {
            root = try Parser.parse(source)
            try Checker.check(root, result: .unknown)
        } catch {
            throw ConditionError(stage: .compile, fault: error, source: source)
        }
    }

    /// Whether the condition is true of `result`.
    ///
    /// There is no implicit truth and no conversion: an expression that does not come to a `bool` is an error.
    ///
    /// - Parameter typing: What the metric source guarantees about lists; Prometheus is `inferred`.
    /// - Throws: A `typing` error if the expression does not fit results of this type, an `evaluation` error
    ///   if it fails on this one. Both count as an Error measurement, never as a verdict.
    public func holds(for result: Value, typing: ResultTyping = .inferred) throws(ConditionError) -> Bool {
        do throws(Fault) {
            try Checker.check(root, result: Nature(of: result, typing: typing))
        } catch {
            throw ConditionError(stage: .typing, fault: error, source: source)
        }
        do throws(Fault) {
            var evaluator = Evaluator(result: result)
            let value = try evaluator.evaluate(root)
            guard case .bool(let truth) = value else {
                throw Fault(message: "expected bool, but got \(value.typeName)", offset: root.offset)
            }
            return truth
        } catch {
            throw ConditionError(stage: .evaluation, fault: error, source: source)
        }
    }

    /// Conditions are equal when their texts are.
    public static func == (left: Condition, right: Condition) -> Bool {
        left.source == right.source
    }
}
