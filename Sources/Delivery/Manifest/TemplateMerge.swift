internal import EventSourcing

/// Several templates made into one analysis.
///
/// - Source: Argo Rollouts, utils/analysis/helpers.go `NewAnalysisRunFromTemplates`, `flattenTemplates`, `MergeArgs`.
struct TemplateMerge: Equatable {
    /// What was merged, in order.
    var templates: [NamedTemplate]
    /// All metrics in order; their names differ.
    var metrics: [JSONValue]
    /// The arguments, each with where its value comes from.
    var arguments: [ArgumentPlan]
    /// Arguments whose value would come from a Secret.
    var secrets: [String]
    /// The patterns of metrics that do not count; the caller's before the templates'.
    var dryRun: [String]

    /// Merges what `analysis` (`templates`, `args`, `dryRun`) names.
    ///
    /// - Throws: Also for arguments without a value.
    init(of analysis: JSONValue, from shelf: TemplateShelf) throws(TemplateProblem) {
        templates = try shelf.collect(TemplateName.list(analysis["templates"]))
        metrics = templates.flatMap { $0.spec["metrics"]?.arrayValue ?? [] }
        try Self.checkUnique(metrics.compactMap { $0["name"]?.stringValue }) {
            "two metrics have the same name '\($0)'"
        }
        dryRun = try Self.rules("dryRun", of: analysis, templates) {
            "two Dry-Run metric rules have the same name '\($0)'"
        }
        _ = try Self.rules("measurementRetention", of: analysis, templates) {
            "two Measurement Retention metric rules have the same name '\($0)'"
        }
        let declared = try TemplateArgument.flatten(templates.flatMap { TemplateArgument.list($0.spec["args"]) })
        let given = Self.given(analysis["args"])
        arguments = []
        secrets = []
        for argument in declared {
            let value = given[argument.name] ?? argument.value.map { .literal($0) }
            if argument.isSecret { secrets.append(argument.name) }
            guard value != nil || argument.hasSource else { throw .unresolved(argument.name) }
            arguments.append(ArgumentPlan(name: argument.name, value: value ?? .missing))
        }
    }

    private static func rules(
        _ key: String, of analysis: JSONValue, _ templates: [NamedTemplate], _ message: (String) -> String
    ) throws(TemplateProblem) -> [String] {
        let all = ([analysis[key]] + templates.map { $0.spec[key] }).flatMap { $0?.arrayValue ?? [] }
        let names = all.compactMap { $0["metricName"]?.stringValue }
        try checkUnique(names, message)
        return names
    }

    private static func checkUnique(_ names: [String], _ message: (String) -> String) throws(TemplateProblem) {
        var seen: Set<String> = []
        for name in names where !seen.insert(name).inserted { throw .clash(message(name)) }
    }

    /// What the Rollout gives; an argument with neither `value` nor `valueFrom` is the empty text, as in Argo.
    ///
    /// - Source: Argo Rollouts, utils/analysis/factory.go `BuildArgumentsForRolloutAnalysisRun`.
    private static func given(_ args: JSONValue?) -> [String: ArgumentPlan.Source] {
        var given: [String: ArgumentPlan.Source] = [:]
        for argument in args?.arrayValue ?? [] {
            guard let name = argument["name"]?.stringValue else { continue }
            let from = argument.given("valueFrom")
            if let value = argument["value"]?.stringValue {
                given[name] = .literal(value)
            } else if let hash = from?["podTemplateHashValue"]?.stringValue {
                given[name] = hash == "Stable" ? .stableHash : .latestHash
            } else if let path = from?["fieldRef"]?["fieldPath"]?.stringValue {
                given[name] = .field(path)
            } else {
                given[name] = .literal("")
            }
        }
        return given
    }
}

/// An argument as a template declares it.
struct TemplateArgument: Equatable {
    let name: String
    let value: String?
    let isSecret: Bool
    let hasSource: Bool

    static func list(_ args: JSONValue?) -> [TemplateArgument] {
        (args?.arrayValue ?? []).compactMap { argument in
            argument["name"]?.stringValue.map {
                TemplateArgument(
                    name: $0, value: argument["value"]?.stringValue,
                    isSecret: argument["valueFrom"]?.given("secretKeyRef") != nil,
                    hasSource: argument.given("valueFrom") != nil)
            }
        }
    }

    /// One for each name: what has a value stands, what has none gives way to a later one.
    ///
    /// - Source: Argo Rollouts, utils/analysis/helpers.go `flattenArgs`.
    static func flatten(_ arguments: [TemplateArgument]) throws(TemplateProblem) -> [TemplateArgument] {
        var flat: [TemplateArgument] = []
        for argument in arguments {
            guard let index = flat.firstIndex(where: { $0.name == argument.name }) else {
                flat.append(argument)
                continue
            }
            if let earlier = flat[index].value {
                if let later = argument.value, later != earlier {
                    throw .clash(
                        "Argument `\(argument.name)` specified multiple times with different values: "
                            + "'\(earlier)', '\(later)'")
                }
            } else {
                flat[index] = argument
            }
        }
        return flat
    }
}
