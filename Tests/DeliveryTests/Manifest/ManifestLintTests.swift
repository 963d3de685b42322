import Delivery
import EventSourcing
import Testing

struct ManifestLintTests {
    private func lint(_ yaml: String, strict: Bool = false) throws -> [ManifestProblem] {
        ManifestLint.lint(try ManifestReader.documents(yaml: yaml, file: "a.yaml"), strict: strict)
    }

    private func errors(_ yaml: String) throws -> [String] {
        try lint(yaml).filter { $0.severity == .error }.map { "\($0.field): \($0.message)" }
    }

    @Test func `a problem names file, line, field, value and fix`() throws {
        let problems = try lint(Fixtures.rollout(canary: "steps:\n  - setWeight: 101"))
        #expect(
            problems.map(\.description) == [
                "a.yaml:17:22: error: spec.strategy.canary.steps[0].setWeight: "
                    + "SetWeight needs to be between 0 and 100 (found: 101) – write a weight from 0 to 100"
            ])
    }

    @Test func `an unknown field is a warning, an error when strict, and points at its name`() throws {
        let yaml = Fixtures.rollout(canary: "steps:\n  - setWeigth: 5\n    setWeight: 5")
        let warning = try #require(try lint(yaml).first)
        #expect(warning.severity == .warning)
        #expect(warning.field == "spec.strategy.canary.steps[0].setWeigth")
        #expect(warning.line == 17 && warning.column == 11)
        #expect(warning.fix == "did you mean setWeight?")
        #expect(try lint(yaml, strict: true).map(\.severity) == [.error])
    }

    @Test func `a step without an action, or with a null one, is an error`() throws {
        for step in ["{}", "{pause: }", "{setWeight: null}", ""] {
            #expect(
                try errors(Fixtures.rollout(canary: "steps:\n  - \(step)")).first?.hasPrefix(
                    "spec.strategy.canary.steps[0]: Step must have one of the following set") == true, "\(step)")
        }
    }

    @Test func `types are checked`() throws {
        #expect(
            try errors(Fixtures.rollout(canary: "maxSurge: [1]", spec: "replicas: \"3\"\npaused: 1")) == [
                "spec.paused: true or false is wanted, not a number",
                "spec.replicas: an integer is wanted, not a text",
                "spec.strategy.canary.maxSurge: an integer or a text such as 25% is wanted, not a list",
            ])
        #expect(
            try errors(Fixtures.rollout(canary: "", spec: "replicas: 99999999999")).first?.contains(
                "an integer between")
                == true)
    }

    @Test func `a number in quotes is held to what one without them is held to`() throws {
        let pause = "spec.strategy.canary.steps[0].pause.duration: Duration needs to be at most 2147483647 seconds"
        for duration in ["9223372036854775807", "999999999999", "2147483648", "2562047h"] {
            #expect(try errors(Fixtures.rollout(canary: "steps:\n- pause: {duration: \"\(duration)\"}")) == [pause])
        }
        #expect(try errors(Fixtures.rollout(canary: "steps:\n- pause: {duration: \"2147483647\"}")) == [])
        for percentage in ["1000000000000000000%", "2147483648"] {
            #expect(
                try errors(Fixtures.rollout(canary: "maxSurge: \"\(percentage)\"")) == [
                    "spec.strategy.canary.maxSurge: a number of pods or a percentage is wanted, at most 2147483647"
                ])
        }
        let big = "9223372036854775807"
        for limits in [
            "count: \"\(big)\"", "count: 1, failureLimit: \"\(big)\", consecutiveSuccessLimit: \"\(big)\"",
        ] {
            let template = Fixtures.template(
                "t",
                "metrics: [{name: a, interval: 1s, \(limits), provider: {prometheus: {address: a, query: q}}}]")
            let last = limits.split(separator: " ").dropLast().last.map(String.init) ?? ""
            let errors = try errors(template)
            #expect(
                errors.contains(
                    "spec.metrics[0].\(last) metrics[0]: an integer between -2147483648 and 2147483647 is wanted"),
                "\(errors)")
        }
    }

    @Test func `a label that YAML reads as a truth value is an error with its cure`() throws {
        let problem = try #require(
            try lint("apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: {on-call: yes}}\n").first)
        #expect(problem.field == "metadata.labels.on-call")
        #expect(problem.line == 3 && problem.column == 39)
        #expect(problem.fix == "put it in quotes: \"true\"")
    }

    @Test func `kinds are known, foreign, or refused`() throws {
        #expect(
            try errors("apiVersion: v1\nkind: Secret\nmetadata: {name: a}") == ["kind: a Secret is never stored here"])
        #expect(
            try lint("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}").map(\.severity) == [.warning]
        )
        #expect(try lint("apiVersion: v1\nkind: Rolout\nmetadata: {name: a}").first?.fix == "did you mean Rollout?")
        #expect(try errors("metadata: {name: a}") == ["kind: the kind is missing"])
        #expect(
            try errors("apiVersion: apps/v1\nkind: Service\nmetadata: {name: a}") == [
                "apiVersion: a Service has apiVersion v1"
            ])
        #expect(
            try errors("apiVersion: v1\nkind: Service\nmetadata: {name: A_b}").first?.hasPrefix("metadata.name: ")
                == true)
        #expect(try errors("apiVersion: v1\nkind: Service\nmetadata: {}") == ["metadata.name: the name is missing"])
    }

    @Test func `two documents of one identity are an error`() throws {
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
        #expect(try errors(service + "---\n" + service) == ["metadata.name: the Service \"a\" is given twice"])
    }

    @Test func `a condition is reported with the place of its error`() throws {
        let yaml = Fixtures.template(
            "t",
            """
            metrics:
            - name: a
              successCondition: result[0] <== 1
              failureCondition: 'nonsense > 1'
              provider: {prometheus: {address: "http://p", query: "1"}}
            """)
        let problems = try lint(yaml)
        #expect(problems.map(\.field) == ["spec.metrics[0].successCondition", "spec.metrics[0].failureCondition"])
        #expect(problems[0].line == 8)
        #expect(problems[1].line == 9 && problems[1].column == 24)
        #expect(problems[1].message.contains("unknown name nonsense (1:1)"))
    }

    @Test func `conditions and numbers with arguments are judged once they have values`() throws {
        func template(_ args: String) -> String {
            Fixtures.template(
                "t",
                """
                args:
                \(args)
                metrics:
                - name: a
                  interval: "{{args.every}}"
                  count: "{{args.n}}"
                  failureLimit: 3
                  successCondition: result[0] < {{ args.limit }}
                  provider: {prometheus: {address: "http://p", query: "1"}}
                """)
        }
        #expect(try errors(template("- name: every\n- name: n\n- name: limit")).isEmpty)
        #expect(
            try errors(
                template("- {name: every, value: often}\n- {name: n, value: \"2\"}\n- {name: limit, value: \"(\"}")
            )
            .map { $0.prefix(while: { $0 != ":" }) } == [
                "spec.metrics[0].count", "spec.metrics[0].interval", "spec.metrics[0].successCondition",
            ])
        let open = try lint(template("- name: every\n- name: n"))
        #expect(open.map(\.severity) == [.warning])
        #expect(open[0].message.hasPrefix("failed to resolve {{args.limit}}"))
    }

    @Test func `every rule of a metric names its field`() throws {
        let table: [(String, String, String)] = [
            ("consecutiveSuccessLimit: -1", "consecutiveSuccessLimit", "consecutiveSuccessLimit must be >= 0"),
            ("failureLimit: -2", "failureLimit", "failureLimit must be >= 0, or -1 to be disabled"),
            ("inconclusiveLimit: -1", "inconclusiveLimit", "inconclusiveLimit must be >= 0"),
            ("consecutiveErrorLimit: -1", "consecutiveErrorLimit", "consecutiveErrorLimit must be >= 0"),
            ("count: 2\n  interval: 1s\n  inconclusiveLimit: 3", "count", "count must be >= inconclusiveLimit"),
            ("initialDelay: 5", "initialDelay", "a text is wanted, not a number"),
            ("initialDelay: \"5\"", "initialDelay", "invalid startDelay string: time: missing unit in duration \"5\""),
            ("interval: 5x", "interval", "invalid interval string: time: unknown unit \"x\" in duration \"5x\""),
        ]
        for (line, field, message) in table {
            let yaml = Fixtures.template(
                "t", "metrics:\n- name: a\n  \(line)\n  provider: {prometheus: {address: \"http://p\", query: \"1\"}}")
            let problem = try #require(try lint(yaml).first, "\(line)")
            #expect(problem.field == "spec.metrics[0].\(field)")
            #expect(problem.message.hasSuffix(message), "\(problem)")
        }
    }

    @Test func `references within a file are followed`() throws {
        let routed = "canaryService: c\nstableService: s\ntrafficRouting: {nginx: {stableIngress: i}}"
        let others = """
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: c}
            spec: {selector: {app: other}, ports: [{port: 80}]}
            ---
            apiVersion: networking.k8s.io/v1
            kind: Ingress
            metadata: {name: i}
            spec: {rules: [{http: {paths: [{path: /, backend: {service: {name: x, port: {number: 80}}}}]}}]}
            """
        #expect(
            try errors(Fixtures.rollout(canary: routed, then: others)) == [
                "spec.strategy.canary.canaryService: Service \"c\" has unmatch label \"app\" in rollout",
                "spec.strategy.canary.trafficRouting.nginx.stableIngress: ingress `i` has no rules using service s backend",
            ])
        #expect(try errors(Fixtures.rollout(canary: routed)).isEmpty)
    }

    @Test func `a template that is not here is a warning to lint and an error to a plan`() throws {
        let yaml = Fixtures.rollout(canary: "steps:\n  - analysis: {templates: [{templateName: t}]}")
        let problem = try #require(try lint(yaml).first)
        #expect(problem.severity == .warning)
        #expect(problem.field == "spec.strategy.canary.steps[0].analysis.templates")
        let bundle = try Fixtures.bundle(yaml: yaml)
        let thrown = #expect(throws: ManifestProblems.self) { try bundle.plan() }
        #expect(thrown?.problems.map(\.message) == ["AnalysisTemplate 't' not found"])
    }

    @Test func `a template that includes itself is an error and not a hang`() throws {
        let step = "steps:\n  - analysis: {templates: [{templateName: a}]}"
        let templates =
            Fixtures.template("a", "templates: [{templateName: b}]")
            + Fixtures.template("b", "templates: [{templateName: a}]")
        #expect(
            try errors(Fixtures.rollout(canary: step, then: templates)) == [
                "spec.strategy.canary.steps[0].analysis.templates: the template includes itself: a → b → a"
            ])
    }

    @Test func `what is not carried out yet is a warning`() throws {
        let problems = try lint(Fixtures.text("valid", "blue-green-auto.yaml"))
        #expect(problems.map(\.severity) == [.warning])
        #expect(problems[0].message == "blue-green is not carried out by this version yet")
    }

    @Test func `a document that is not an object, or has no spec, is an error`() throws {
        #expect(ManifestLint.lint([ManifestDocument("text")]).first?.message == "a manifest is an object")
        #expect(
            try errors("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}") == [
                "spec: the spec is missing"
            ])
        #expect(
            try errors("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec: 5").isEmpty == false
        )
    }
}
