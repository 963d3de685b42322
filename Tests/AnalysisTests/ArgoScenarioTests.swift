import Analysis
import Conditions
import Testing

/// The scenarios that were run on Argo Rollouts, driven through `AnalysisAssessment` as its controller would.
@Suite struct ArgoScenarioTests {
    @Test(arguments: phases) func `a single metric comes to the phase it has in Argo`(row: Scenario) throws {
        try expectAsInArgo(row)
    }

    @Test(arguments: limits) func `limits of success and failure mix as in Argo`(row: Scenario) throws {
        try expectAsInArgo(row)
    }

    @Test(arguments: conditions) func `answers are judged by their conditions as in Argo`(row: Scenario) throws {
        try expectAsInArgo(row)
    }

    @Test(arguments: several) func `several metrics make one verdict as in Argo`(row: Scenario) throws {
        try expectAsInArgo(row)
    }

    @Test(arguments: inFlight) func `delays, flights and stops go as in Argo`(row: Scenario) throws {
        try expectAsInArgo(row)
    }

    @Test(arguments: dryRuns) func `a dry run is shown and does not count, as in Argo`(row: Scenario) throws {
        try expectAsInArgo(row)
    }

    @Test func `summaries count metrics by the limit they exceeded, as in Argo`() throws {
        func summary(_ id: String) throws -> (AnalysisSummary, AnalysisSummary, AnalysisAssessment) {
            let all = ArgoScenarioTests.limits + ArgoScenarioTests.several + ArgoScenarioTests.dryRuns
            let row = try #require(all.first { $0.id == id })
            let run = try Simulation(row).run().state
            return (run.summary, run.dryRunSummary, run)
        }
        for id in ["A33", "A35", "A40"] {
            let (counts, _, _) = try summary(id)
            #expect(counts.count == 1 && counts.successful == 1, "\(id)")
        }
        for id in ["A81", "A82"] {
            #expect(try summary(id).0.successful == 2, "\(id)")
        }
        let (counts, dry, run) = try summary("A105")
        #expect(counts.count == 1 && counts.successful == 1 && dry.count == 1 && dry.failed == 1)
        #expect(run["b"]?.tally.message == "Metric assessed Failed due to failed (1) > failureLimit (0)")
        #expect(try summary("A106").0.count == 0 && summary("A106").1.failed == 1)
        #expect(try summary("A107").1.count == 2 && summary("A107").1.failed == 2)
        #expect(try summary("A110").1.successful == 1)
        #expect(try summary("A112").1.error == 1)
        let stopped = try summary("A84").2["b"]?.tally
        #expect(stopped?.phase == .successful && stopped?.message == "boom")
    }

    private func expectAsInArgo(_ row: Scenario) throws {
        let (log, run) = try Simulation(row).run()
        #expect(log == row.expected)
        #expect(run.phase == row.phase)
        #expect(run.message == row.message)
    }
}

/// Drives one scenario: a clock that jumps to the next thing to do, and sources that answer by script.
struct Simulation {
    let row: Scenario
    var state: AnalysisAssessment
    var scripts: [String: [String]] = [:]
    var now = Duration.zero

    init(_ row: Scenario) throws {
        self.row = row
        state = AnalysisAssessment(plans: try row.plans)
        for metric in state.metrics { scripts[metric.plan.name] = row.script(of: metric.plan.name) }
    }

    func run() throws -> (log: [String], state: AnalysisAssessment) {
        var copy = self
        let log = try copy.drive()
        return (log, copy.state)
    }

    private mutating func drive() throws -> [String] {
        var log: [String] = []
        while log.count < row.expected.count || row.phase != .running {
            let before = state
            if let stopAt = row.stopAt, stopAt <= now { state.requestStop() }
            let agenda = state.agenda(at: now)
            let stepped = try take(agenda)
            state.assess()
            let phasesBefore = before.metrics.map(\.tally.phase)
            let moved = stepped || state.phase != before.phase || state.metrics.map(\.tally.phase) != phasesBefore
            if moved, state.metrics.contains(where: { $0.tally.latest != nil }) { log.append(entry) }
            if state.phase.isCompleted { return log }
            // A change of status is looked at again at once.
            guard state == before else { continue }
            let wake = [state.agenda(at: now).wakeAt, row.stopAt.flatMap { $0 > now ? $0 : nil }].compactMap { $0 }
                .min()
            guard let wake else { return log }
            now = wake
        }
        return log
    }

    /// Does what is due; true when a measurement began or ended.
    private mutating func take(_ agenda: Agenda) throws -> Bool {
        var stepped = false
        for name in agenda.terminate {
            state.count(
                Measured(phase: row.terminated, message: "Metric Terminated", startedAt: now, finishedAt: now),
                of: name)
            stepped = true
        }
        for name in agenda.measure + agenda.resume {
            let measured = try next(of: name)
            state.count(measured, of: name)
            if agenda.measure.contains(name) || measured.phase.isCompleted { stepped = true }
        }
        return stepped
    }

    private mutating func next(of name: String) throws -> Measured {
        var script = try #require(scripts[name])
        let token = try #require(script.first)
        if script.count > 1 { script.removeFirst() }
        scripts[name] = script
        if token.hasPrefix("R"), let wait = Int(token.dropFirst()) {
            return Measured(phase: .running, startedAt: now, resumeAt: now + .seconds(wait))
        }
        let parts = token.split(separator: ":", maxSplits: 1).map(String.init)
        let phases: [String: AnalysisPhase] = [
            "S": .successful, "F": .failed, "I": .inconclusive, "E": .error,
        ]
        if let phase = phases[parts[0]] {
            let message = parts.count > 1 ? parts[1] : phase == .error ? "boom" : nil
            return Measured(phase: phase, message: message, startedAt: now, finishedAt: now)
        }
        let plan = try #require(state[name]?.plan)
        let value = token == "nil" ? Value.null : try Value(canonicalText: token)
        let judgement = assess(.value(value), of: plan)
        return Measured(
            phase: judgement.phase, value: judgement.value, message: judgement.message, startedAt: now, finishedAt: now)
    }

    private var entry: String {
        func letter(_ phase: AnalysisPhase) -> String { String(phase.rawValue.prefix(1)) }
        let isNamed = row.timeline.contains("⇒")
        let metrics = state.metrics.compactMap { metric in
            metric.tally.latest.map {
                (isNamed ? metric.plan.name + " " : "") + letter($0.phase) + "→" + letter(metric.tally.phase)
            }
        }
        let run = isNamed ? " ⇒ \(letter(state.phase))" : ""
        return "\(now.components.seconds): " + metrics.joined(separator: ", ") + run
    }
}
