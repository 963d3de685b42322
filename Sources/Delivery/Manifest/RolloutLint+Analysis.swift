import Analysis
internal import EventSourcing

/// The analyses of a Rollout, as far as their templates were given with it.
///
/// - Source: Argo Rollouts, validation_references.go `ValidateAnalysisTemplatesWithType`.
extension RolloutLint {
    mutating func checkBackground() {
        let path = Self.canary / "analysis"
        checkFieldReferences(path / "args")
        checkAnalysis(path, isBackground: true)
        if let step = findings[path / "startingStep"]?.intValue, step < 0 {
            findings.error(
                path / "startingStep", "must be greater than or equal to 0", fix: "write a step's index, from 0")
        }
    }

    mutating func checkAnalysis(_ path: FieldPath, isBackground: Bool) {
        guard let analysis = findings[path] else { return }
        let names = TemplateName.list(analysis["templates"])
        let templates = path / "templates"
        if names.isEmpty {
            if !isBackground { findings.error(templates, "no template is named", fix: "write - templateName: …") }
            return
        }
        let merge: TemplateMerge
        do throws(TemplateProblem) {
            merge = try TemplateMerge(of: analysis, from: TemplateShelf(others, namespace: namespace))
        } catch {
            note(error, of: names, at: path)
            return
        }
        var given: Set<String> = []
        for argument in analysis["args"]?.arrayValue ?? [] {
            if let name = argument["name"]?.stringValue, !given.insert(name).inserted {
                findings.error(path / "args", "the argument \"\(name)\" is given twice", fix: "remove one of the two")
            }
        }
        let declared = Set(merge.arguments.map(\.name))
        for name in given.subtracting(declared).sorted() {
            findings.warning(
                path / "args", "no template declares the argument \"\(name)\"; it is dropped",
                fix: ManifestFindings.nearest(to: name, among: declared.sorted()).map { "did you mean \($0)?" }
                    ?? "remove it, or declare it in a template")
        }
        for template in merge.templates where !isBackground { checkEnds(template, at: templates) }
    }

    private mutating func note(_ problem: TemplateProblem, of names: [TemplateName], at path: FieldPath) {
        switch problem {
        case .notFound(let name, _) where missingTemplates == .warning:
            findings.warning(
                path / "templates", "\(name.kind) '\(name.name)' not found among these documents",
                fix: "apply it as well, unless that was done before")
        case .unresolved: findings.error(path / "args", problem.message, fix: problem.fix)
        case .notFound, .cycle, .clash: findings.error(path / "templates", problem.message, fix: problem.fix)
        }
    }

    /// A step waits for its analysis, which must therefore come to an end by itself.
    private mutating func checkEnds(_ template: NamedTemplate, at path: FieldPath) {
        let arguments = TemplateArgument.list(template.spec["args"])
        for argument in arguments where argument.value != nil && argument.hasSource {
            findings.error(
                path,
                "AnalysisTemplate \(template.name.name): arg '\(argument.name)' has both Value and ValueFrom fields",
                fix: "remove one of the two")
        }
        var values: [String: String] = [:]
        for argument in arguments { values[argument.name] = argument.value ?? "dummy-value" }
        for metric in template.spec["metrics"]?.arrayValue ?? [] {
            let resolved: JSONValue
            do throws(ArgumentTags.Unresolved) {
                resolved = try ArgumentTags.replace(in: metric, with: values)
            } catch {
                findings.error(
                    path, "AnalysisTemplate \(template.name.name): \(error.message)",
                    fix: "declare the argument in the template's args")
                continue
            }
            let reading = MetricReading(resolved)
            if reading.plan.effectiveCount == nil, reading.plan.interval != nil || resolved["interval"] != nil {
                let count = resolved.given("count").map(ManifestFindings.short) ?? "<nil>"
                findings.error(
                    path,
                    "AnalysisTemplate \(template.name.name) has metric \(reading.plan.name) which runs indefinitely. "
                        + "Invalid value for count: \(count)", fix: "give the metric a count")
            }
        }
    }
}
