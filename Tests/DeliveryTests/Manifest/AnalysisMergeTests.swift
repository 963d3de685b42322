import Analysis
import Delivery
import EventSourcing
import Testing

/// How templates become one analysis, and arguments values.
struct AnalysisMergeTests {
    private static let provider = "provider: {prometheus: {address: \"http://p\", query: \"vector({{args.x}})\"}}"

    private func analysis(_ step: String, _ templates: String...) throws -> AnalysisPlan {
        let plan = try Fixtures.bundle(
            yaml: Fixtures.rollout(canary: "steps:\n  - analysis: \(step)", then: templates.joined())
        ).plan()
        guard case .analysis(let analysis) = plan.steps[0] else { throw CancellationError() }
        return analysis
    }

    private func refusal(_ step: String, _ templates: String...) -> String? {
        let yaml = Fixtures.rollout(canary: "steps:\n  - analysis: \(step)", then: templates.joined())
        let thrown = #expect(throws: ManifestProblems.self) { try Fixtures.bundle(yaml: yaml).plan() }
        return thrown?.problems.first?.message
    }

    private func metric(_ name: String, _ more: String = "") -> String {
        "- {name: \(name), \(more)\(Self.provider)}"
    }

    private func resolve(_ plan: AnalysisPlan) -> Result<AnalysisResolution, AnalysisResolutionError> {
        Result { () throws(AnalysisResolutionError) in
            try AnalysisResolution.resolve(
                plan, latestHash: "new", stableHash: "old",
                rollout: [
                    "metadata": ["name": "shop", "labels": ["a": "b"]],
                    "spec": ["replicas": 1_500_000, "paused": true, "list": [10, "x"], "none": nil],
                ])
        }
    }

    private func plan(_ metric: JSONValue, _ arguments: [String: ArgumentPlan.Source] = [:], dryRun: [String] = [])
        -> AnalysisPlan
    {
        AnalysisPlan(
            templates: [],
            arguments: arguments.sorted { $0.key < $1.key }.map { ArgumentPlan(name: $0.key, value: $0.value) },
            metrics: [metric], dryRun: dryRun)
    }

    @Test func `nested templates come after the one that names them, cluster-wide ones last, each once`() throws {
        let merged = try analysis(
            "{templates: [{templateName: a}, {templateName: b}], args: [{name: x, value: \"1\"}]}",
            Fixtures.template(
                "a",
                "templates: [{templateName: c, clusterScope: true}, {templateName: b}]\nargs: [{name: x}]\nmetrics:\n\(metric("ma"))"
            ),
            Fixtures.template("b", "args: [{name: x}]\nmetrics:\n\(metric("mb"))"),
            Fixtures.template("c", kind: "ClusterAnalysisTemplate", "args: [{name: x}]\nmetrics:\n\(metric("mc"))"))
        #expect(merged.templates.map(\.name) == ["a", "b", "c"])
        #expect(merged.templates.map(\.clusterScope) == [false, false, true])
        #expect(merged.metrics.map { $0["name"] } == ["ma", "mb", "mc"])
        #expect(merged.arguments == [ArgumentPlan(name: "x", value: .literal("1"))])
    }

    @Test func `metrics, rules and arguments that clash are refused in Argo's words`() throws {
        let both = "{templates: [{templateName: a}, {templateName: b}]}"
        func template(_ name: String, _ metric: String, _ value: String, dry: String = "") -> String {
            Fixtures.template(name, "args: [{name: x, value: \"\(value)\"}]\nmetrics:\n\(self.metric(metric))\n\(dry)")
        }
        #expect(refusal(both, template("a", "m", "1"), template("b", "m", "1")) == "two metrics have the same name 'm'")
        #expect(
            refusal(both, template("a", "m", "1"), template("b", "n", "2"))
                == "Argument `x` specified multiple times with different values: '1', '2'")
        #expect(
            refusal(
                both, template("a", "m", "1", dry: "dryRun: [{metricName: .*}]"),
                template("b", "n", "1", dry: "dryRun: [{metricName: .*}]"))
                == "two Dry-Run metric rules have the same name '.*'")
    }

    @Test func `the Rollout's value stands before the template's, and an argument nobody gives is refused`() throws {
        let template = Fixtures.template("t", "args: [{name: x, value: \"1\"}]\nmetrics:\n\(metric("m"))")
        #expect(try analysis("{templates: [{templateName: t}]}", template).arguments[0].value == .literal("1"))
        #expect(
            try analysis("{templates: [{templateName: t}], args: [{name: x, value: \"2\"}]}", template).arguments[0]
                .value
                == .literal("2"))
        #expect(
            try analysis("{templates: [{templateName: t}], args: [{name: x}]}", template).arguments[0].value
                == .literal(""))
        #expect(
            try analysis(
                "{templates: [{templateName: t}], args: [{name: x, valueFrom: {podTemplateHashValue: Stable}}, {name: z}]}",
                template
            ).arguments.map(\.value) == [.stableHash])
        let open = Fixtures.template("t", "args: [{name: x}]\nmetrics:\n\(metric("m"))")
        #expect(refusal("{templates: [{templateName: t}]}", open) == "args.x was not resolved")
    }

    @Test func `the step's dry-run rules come before the template's`() throws {
        let template = Fixtures.template(
            "t", "args: [{name: x, value: \"1\"}]\ndryRun: [{metricName: m}]\nmetrics:\n\(metric("m"))\n\(metric("n"))")
        let merged = try analysis("{templates: [{templateName: t}], dryRun: [{metricName: nothing}]}", template)
        #expect(merged.dryRun == ["nothing", "m"])
        #expect(
            resolve(merged)
                == .failure(
                    AnalysisResolutionError(
                        message: "Analysis spec invalid: dryRun[0]: Rule didn't match any metric name(s)")))
    }

    @Test func `arguments are filled in everywhere, once`() throws {
        let metric: JSONValue = [
            "name": "{{args.n}}", "count": "{{ args.c }}", "interval": "{{args.i}}",
            "successCondition": "result == \"{{args.q}}\"",
            "provider": ["prometheus": ["address": "http://{{args.n}}", "query": "{{args.t}}"]],
        ]
        let resolved = try resolve(
            plan(
                metric,
                [
                    "n": .literal("x"), "c": .literal("2"), "i": .literal("10s"), "q": .literal("a"),
                    "t": .literal("{{args.n}}"),
                ], dryRun: ["x"])
        ).get()
        #expect(resolved.metrics[0].plan.name == "x")
        #expect(resolved.metrics[0].plan.count == 2)
        #expect(resolved.metrics[0].plan.interval == .seconds(10))
        #expect(resolved.metrics[0].plan.dryRun)
        #expect(resolved.metrics[0].provider["prometheus"] == ["address": "http://x", "query": "{{args.n}}"])
    }

    @Test func `runs that cannot start say why in Argo's words`() {
        func message(_ metric: JSONValue, _ arguments: [String: ArgumentPlan.Source] = [:], dryRun: [String] = [])
            -> String?
        {
            if case .failure(let error) = resolve(plan(metric, arguments, dryRun: dryRun)) {
                error.message
            } else {
                nil
            }
        }
        func metric(_ more: [String: JSONValue]) -> JSONValue {
            .object(["name": "a", "provider": ["prometheus": [:]]].merging(more) { $1 })
        }
        let unable = "Unable to resolve metric arguments: "
        #expect(message(metric(["successCondition": "result > {{args.t}}"])) == unable + "failed to resolve {{args.t}}")
        #expect(message(metric([:]), ["n": .missing]) == unable + "argument \"n\" was not supplied")
        #expect(message(metric(["successCondition": "{{foo }}"])) == unable + "failed to resolve {{foo }}")
        #expect(
            message(metric(["successCondition": "result == \"{{args.q}}\""]), ["q": .literal("\u{7}")])
                == unable + "invalid character 'a' in string escape code")
        #expect(message(metric([:]), ["q": .literal("\u{7}")]) == nil)
        #expect(
            message(metric([:]), [:], dryRun: ["*"])
                == "Analysis spec invalid: dryRun[0]: Rule didn't match any metric name(s)")
        #expect(
            message(metric(["failureLimit": -2]))
                == "Analysis spec invalid: metrics[0]: failureLimit must be >= 0, or -1 to be disabled")
        #expect(
            message(metric(["interval": "60"]))
                == "Analysis spec invalid: metrics[0]: invalid interval string: time: missing unit in duration \"60\"")
        #expect(message(["name": "a"]) == "Analysis spec invalid: metrics[0]: no provider specified")
        #expect(
            message(["name": "a", "provider": ["web": [:], "job": [:]]])
                == "Analysis spec invalid: metrics[0]: multiple providers specified")
        #expect(message(metric(["failureLimit": "abc", "interval": "10s", "count": 2])) == nil)
    }

    @Test func `fields of the Rollout become values`() throws {
        func value(_ path: String) -> String {
            let metric: JSONValue = ["name": "a", "provider": ["prometheus": [:]]]
            switch resolve(plan(metric, ["f": .field(path)])) {
            case .success(let resolved): return resolved.arguments["f"] ?? "-"
            case .failure(let error): return "error: \(error.message)"
            }
        }
        #expect(value("metadata.name") == "shop")
        #expect(value("metadata.labels['a']") == "b")
        #expect(value("metadata.labels['none']") == "")
        #expect(value("metadata.labels") == "a=\"b\"")
        #expect(value("metadata.nonsense") == "error: unsupported fieldPath: metadata.nonsense")
        #expect(value("spec.replicas") == "1.5e+06")
        #expect(value("spec.paused") == "true")
        #expect(value("spec.list[0]") == "10")
        #expect(value("spec.list[x]") == "error: invalid index 'x'")
        #expect(value("spec.list[9]") == "error: index 9 out of range")
        #expect(value("spec.list[-1]") == "error: index -1 out of range")
        #expect(value("spec.none") == "error: invalid path spec.none in rollout")
        #expect(value("spec.list") == "error: path spec.list in rollout must terminate in a primitive value")
    }
}
