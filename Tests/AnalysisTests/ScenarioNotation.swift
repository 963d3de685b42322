import Analysis
import Conditions
import Testing

/// One scenario in the notation of the tables of Argo's behaviour.
///
/// Spec: `i30` interval, `d60` initialDelay, `n3` count, `fL iL eL sL` the four limits, `sC` and `fC` conditions in
/// backticks, `–` nothing. Measurements: `S F I E` (`:text` is the message, an E says `boom`), `R5` in flight until
/// asked after in 5 s, anything else an answer to judge; the last repeats. `T@15` asks the run to stop, `dryRun p` names
/// dry metrics by pattern. Timeline: `t: measurement→metric`, `⇒` the run, `ᵗ` ended because the run was stopped.
struct Scenario: Sendable, CustomTestStringConvertible {
    let id: String
    let spec: String
    let measurements: String
    let timeline: String
    let phase: AnalysisPhase
    let reason: String

    init(
        _ id: String, _ spec: String, _ measurements: String, _ timeline: String, _ phase: AnalysisPhase,
        _ reason: String
    ) {
        self.id = id
        self.spec = spec
        self.measurements = measurements
        self.timeline = timeline
        self.phase = phase
        self.reason = reason
    }

    var testDescription: String { "\(id): \(spec) | \(measurements)" }

    /// The run's message, written out.
    var message: String {
        guard let colon = reason.firstRange(of: ": ") else { return reason }
        let parts = reason[colon.upperBound...].split(separator: " +«", maxSplits: 1)
        let assessed =
            parts[0].hasPrefix("failed") ? "Failed" : parts[0].hasPrefix("inconclusive") ? "Inconclusive" : "Error"
        let text = "Metric \"\(reason[..<colon.lowerBound])\" assessed \(assessed) due to \(parts[0])"
        guard parts.count > 1 else { return text }
        let noData = "metric result is nil or empty: no data returned from the metric provider"
        return text + ": \"Error Message: \(parts[1].dropLast().replacing("⟨no data⟩", with: noData))\""
    }

    // MARK: Spec

    var plans: [MetricPlan] {
        get throws {
            let dry = try measurements.split(separator: "; ").first { $0.hasPrefix("dryRun ") }
                .map { try Pattern(String($0.dropFirst(7))) }
            return try named(spec).map { name, text in
                var plan = try Scenario.plan(name, text)
                plan.dryRun = dry?.matches(name) ?? false
                return plan
            }
        }
    }

    /// `a: x; b: y` as pairs; text without names belongs to the one metric of the row.
    private func named(_ text: String) -> [(String, String)] {
        let parts = text.split(separator: "; ").filter { !$0.hasPrefix("T@") && !$0.hasPrefix("dryRun ") }
        let pairs = parts.map { $0.split(separator: ": ", maxSplits: 1).map(String.init) }
        guard pairs.contains(where: { $0.count == 2 && $0[0].allSatisfy(\.isLowercase) }) else {
            let single = reason.firstRange(of: ": ").map { String(reason[..<$0.lowerBound]) }
            return [(single ?? (measurements.contains("dryRun") ? "a" : "m"), parts.joined())]
        }
        return pairs.map { ($0[0], $0[1]) }
    }

    private static func plan(_ name: String, _ text: String) throws -> MetricPlan {
        var plan = MetricPlan(name: name)
        // The odd parts between backticks are conditions.
        let parts = text.split(separator: "`", omittingEmptySubsequences: false).map(String.init)
        for (index, part) in parts.enumerated() {
            if index % 2 == 1 {
                if parts[index - 1].hasSuffix("sC ") {
                    plan.successCondition = part
                } else {
                    plan.failureCondition = part
                }
                continue
            }
            for word in part.split(separator: " ") where !["–", "sC", "fC"].contains(word) {
                let key = word.prefix { $0.isLetter }
                let number = word.dropFirst(key.count)
                let value = try number == "1h" ? 3600 : #require(Int(number))
                switch key {
                case "i": plan.interval = .seconds(value)
                case "d": plan.initialDelay = .seconds(value)
                case "n": plan.count = value
                case "fL": plan.failureLimit = value
                case "iL": plan.inconclusiveLimit = value
                case "eL": plan.consecutiveErrorLimit = value
                case "sL": plan.consecutiveSuccessLimit = value
                default: Issue.record("unknown word \(word)")
                }
            }
        }
        return plan
    }

    // MARK: Measurements

    /// What the metric's source will say, in turn.
    func script(of name: String) -> [String] {
        let text = named(measurements).first { $0.0 == name }?.1 ?? ""
        var tokens: [String] = []
        for word in text.split(separator: " ") where word != "–" {
            let isMessage = tokens.last?.contains(":") == true && tokens.last?.hasPrefix("{") == false
            let isToken = word.count == 1 || word.hasPrefix("R5")
            // A message of several words goes on until the next token.
            if isMessage, !isToken, let last = tokens.indices.last {
                tokens[last] += " " + word
            } else {
                tokens.append(String(word))
            }
        }
        return tokens
    }

    /// When the run is asked to stop.
    var stopAt: Duration? {
        measurements.split(separator: "; ").first { $0.hasPrefix("T@") }.flatMap { Int($0.dropFirst(2)) }
            .map { .seconds($0) }
    }

    // MARK: Timeline

    /// What the row says happened, without the moments at which no metric has a result.
    var expected: [String] {
        timeline.split(separator: " · ").filter { !$0.hasSuffix("∅") }
            .map { String($0.replacing("′", with: "").replacing("ᵗ", with: "")) }
    }

    /// The phase in which a measurement in flight ends when the run is stopped.
    var terminated: AnalysisPhase { timeline.contains("Iᵗ") ? .inconclusive : .successful }
}
