internal import Analysis
internal import Conditions
internal import EventSourcing

/// A metric of a template made into a plan, with what is wrong with it.
///
/// - Source: Argo Rollouts, utils/analysis `ValidateMetric`; int-or-string fields read as Go's `intstr` does.
struct MetricReading {
    /// One rule that the metric breaks.
    struct Defect: Equatable {
        let field: String
        /// In Argo's words, without `metrics[i]: `.
        let message: String
        let fix: String
    }

    let metric: JSONValue
    private(set) var plan: MetricPlan
    /// In Argo's order; Argo itself reports the first.
    private(set) var defects: [Defect] = []

    init(_ metric: JSONValue) {
        self.metric = metric
        let providers = Self.providers(of: metric)
        let isJSON = ["web", "influxdb", "skywalking"].contains { metric["provider"]?.given($0) != nil }
        plan = MetricPlan(
            name: metric["name"]?.stringValue ?? "",
            count: Self.number(metric["count"]), failureLimit: Self.number(metric["failureLimit"]),
            inconclusiveLimit: Self.number(metric["inconclusiveLimit"]),
            consecutiveErrorLimit: Self.number(metric["consecutiveErrorLimit"]),
            consecutiveSuccessLimit: Self.number(metric["consecutiveSuccessLimit"]),
            successCondition: metric["successCondition"]?.nonEmptyString,
            failureCondition: metric["failureCondition"]?.nonEmptyString, resultTyping: isJSON ? .json : .inferred)
        var durationDefects: [Defect] = []
        func duration(_ key: String, _ word: String) -> Duration? {
            guard let text = metric[key]?.nonEmptyString else { return nil }
            do throws(GoDuration.Malformed) {
                return try GoDuration.parse(text)
            } catch {
                durationDefects.append(
                    Defect(
                        field: key, message: "invalid \(word) string: \(error.message)",
                        fix: "write a duration such as 30s, 5m or 1h30m"))
                // A wrong interval is one all the same: the count rules speak of whether there is one.
                return .zero
            }
        }
        for key in Self.limits {
            guard let text = metric[key]?.stringValue, let number = Int(text), Int32(exactly: number) == nil else {
                continue
            }
            defects.append(
                Defect(
                    field: key, message: "an integer between \(Int32.min) and \(Int32.max) is wanted",
                    fix: "write a smaller number"))
        }
        plan.interval = duration("interval", "interval")
        plan.initialDelay = duration("initialDelay", "startDelay")
        if let message = plan.defect {
            let first = message.split(separator: " ").first.map(String.init) ?? "count"
            defects.append(Defect(field: first, message: message, fix: Self.fix(for: first)))
        }
        defects += durationDefects
        if providers == 0 {
            defects.append(
                Defect(field: "provider", message: "no provider specified", fix: "name one, such as prometheus"))
        } else if providers > 1 {
            defects.append(
                Defect(field: "provider", message: "multiple providers specified", fix: "make a metric of each"))
        }
    }

    /// Whether the field, or one that its rule looks at, still holds a tag, so that nothing can be said about it.
    func isOpen(_ field: String) -> Bool {
        let together = ["count", "failureLimit", "inconclusiveLimit", "consecutiveSuccessLimit"]
        let fields = together.contains(field) ? together : field == "interval" ? ["interval", "count"] : [field]
        return fields.contains { metric[$0]?.stringValue?.contains("{{") ?? false }
    }

    private static let limits = [
        "count", "failureLimit", "inconclusiveLimit", "consecutiveErrorLimit", "consecutiveSuccessLimit",
    ]

    private static func fix(for field: String) -> String {
        switch field {
        case "failureLimit": "write 0 or more; -1 only beside a consecutiveSuccessLimit"
        case "count": "raise the count, or lower the limits"
        case "interval": "write an interval such as 30s"
        default: "write 0 or more"
        }
    }

    private static func providers(of metric: JSONValue) -> Int {
        var count = 0
        for (key, value) in metric["provider"]?.objectValue ?? [:] where !value.isNull {
            count += key == "plugin" ? value.objectValue?.count ?? 1 : 1
        }
        return count
    }

    /// A text that is no number counts as 0, a number beyond 32 bits as the last one that is not: both are worked with here
    /// before anybody has heard of the defect.
    private static func number(_ value: JSONValue?) -> Int? {
        guard let value, !value.isNull else { return nil }
        return (value.intValue ?? value.stringValue.map { Int($0) ?? 0 }).map { Int(Int32(clamping: $0)) }
    }
}
