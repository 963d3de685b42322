import Analysis
import Delivery
import EventSourcing
import TestKit
import Testing

@Suite struct CanaryTests {
    @Test func `the first manifest goes straight into service, without steps or analysis`() throws {
        var story = Story()
        #expect(
            try story.apply(Plans.shop()) == [
                "manifest-recorded", "release-started", "scale-decided", "weight-decided",
            ])
        #expect(story.phase == .progressing)
        try story.obey()
        #expect(story.phase == .healthy)
        #expect(Story.names(story.spec.events).last == "completed")
        #expect(story.release.runs.isEmpty)
    }

    @Test func `the same manifest again changes nothing`() throws {
        var story = try Story.settled(Plans.shop())
        #expect(try story.apply(Plans.shop()) == [])
    }

    @Test func `weight follows only when the canary's pods are available`() throws {
        var story = try Story.settled(Plans.shop())
        let events = try story.setImage("2")
        #expect(events == ["manifest-recorded", "release-started", "step-entered", "scale-decided"])
        #expect(story.rollout.split?.canary == 0)
        try story.when(.reportScaled(generation: story.rollout.scaling.decided))
        let hash = story.release.podTemplateHash
        #expect(story.rollout.set(hash)?.wanted == 1)
        let seen = try story.when(
            .observePods(PodsSeen(podTemplateHash: hash, desired: 1, current: 1, ready: 1, available: 1)))
        #expect(seen == ["pods-observed", "weight-decided"])
        #expect(story.rollout.split?.canary == 5)
        #expect(story.release.progress?.index == 0)
    }

    @Test func `a step of weight ends when the data plane was seen to obey`() throws {
        var story = try Story.settled(Plans.shop())
        try story.setImage("2")
        try story.obey()
        #expect(story.release.progress?.index == 1)
        #expect(story.phase == .paused)
        #expect(story.rollout.message == "CanaryPauseStep")
    }

    @Test func `a release walks its whole plan to its end`() throws {
        var story = try Story.settled(Plans.shop())
        try story.setImage("2")
        try story.obey()
        story.pass(.seconds(120))
        #expect(try story.when(.wake).prefix(3) == ["pause-ended", "step-completed", "step-entered"])
        try story.obey()
        #expect(story.rollout.split?.canary == 25)
        #expect(story.release.runs.map(\.name) == ["shop-\(story.release.podTemplateHash)-2-3"])
        for _ in 0..<5 { try story.measure(0) }
        #expect(story.release.runs.last?.conclusion?.phase == .successful)
        try story.obey()
        #expect(story.rollout.split?.canary == 50)
        #expect(story.phase == .paused)
        try story.when(.promote(full: false, reason: nil))
        try story.obey()
        #expect(story.phase == .healthy)
        #expect(story.weightsDecided == [0, 5, 25, 50, 100, 0])
        #expect(story.rollout.stable?.revision == 2)
    }

    @Test func `the old stable set is stopped when its delay is over`() throws {
        var story = try Story.settled(Plans.shop(steps: []))
        let old = story.release.podTemplateHash
        try story.setImage("2")
        try story.obey()
        #expect(story.phase == .healthy)
        #expect(try story.when(.wake) == [])
        #expect(story.rollout.nextWake(is: story.now + .seconds(30)))
        story.pass(.seconds(30))
        #expect(try story.when(.wake) == ["scale-decided", "set-retired"])
        try story.obey()
        #expect(story.rollout.set(old) == nil)
    }

    @Test func `too many failed measurements abort, and the traffic goes in the same append`() throws {
        var story = try Story.settled(Plans.shop())
        try story.setImage("2")
        try story.obey()
        story.pass(.seconds(120))
        try story.when(.wake)
        try story.obey()
        try story.measure(0.2)
        try story.measure(0.2)
        let last = try story.measure(0.2)
        #expect(last == ["measurement-taken", "metric-concluded", "analysis-concluded", "aborted", "weight-decided"])
        #expect(story.phase == .degraded)
        #expect(
            story.rollout.message
                == "RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: "
                + "Metric \"error-rate\" assessed Failed due to failed (3) > failureLimit (2)")
        guard case .aborted(_, let aborted) = story.release.course else { return #expect(Bool(false)) }
        #expect(aborted.by == .analysis)
        #expect(aborted.evidence.map(\.number) == [1, 2, 3])
        #expect(story.rollout.split?.canary == 0)
    }

    @Test func `errors in a row abort too`() throws {
        var story = try Story.settled(Plans.shop(steps: [Plans.guideSteps[0], Plans.guideSteps[3]]))
        try story.setImage("2")
        try story.obey()
        for _ in 0..<4 { try story.measure(.error("down")) }
        #expect(story.phase == .progressing)
        try story.measure(.error("down"))
        #expect(story.phase == .degraded)
        #expect(story.rollout.message.contains("consecutiveErrors (5) > consecutiveErrorLimit (4)"))
    }

    @Test func `an aborted canary keeps its pods for the delay`() throws {
        var story = try Story.settled(Plans.shop())
        try story.setImage("2")
        try story.obey()
        let canary = story.release.podTemplateHash
        #expect(try story.when(.abort(reason: "looks wrong")) == ["pause-ended", "aborted", "weight-decided"])
        try story.obey()
        story.pass(.seconds(29))
        #expect(try story.when(.wake) == [])
        story.pass(.seconds(1))
        #expect(try story.when(.wake) == ["scale-decided", "set-retired"])
        #expect(story.rollout.set(canary)?.wanted == 0)
    }

    @Test func `an ended release stays ended`() throws {
        var story = try Story.settled(Plans.shop())
        story.spec.refuses(
            RolloutCommand(at: story.now, .promote(full: false, reason: nil)), with: .alreadyEnded(phase: .healthy))
        story.spec.refuses(
            RolloutCommand(at: story.now, .abort(reason: nil)), with: .alreadyEnded(phase: .healthy))
        try story.setImage("2")
        try story.when(.abort(reason: nil))
        #expect(try story.when(.abort(reason: nil)) == [])
        story.spec.refuses(
            RolloutCommand(at: story.now, .promote(full: false, reason: nil)), with: .alreadyEnded(phase: .degraded))
    }

    @Test func `a retry starts another release of the same revision, from the first step`() throws {
        var story = try Story.settled(Plans.shop())
        try story.setImage("2")
        try story.obey()
        try story.when(.abort(reason: nil))
        try story.obey()
        let first = story.release.id
        let id = story.newRelease()
        let events = try story.when(.retry(newRelease: id))
        #expect(events.first == "release-started")
        #expect(story.release.id != first)
        #expect(story.release.revision == 2)
        try story.obey()
        #expect(story.rollout.split?.canary == 5)
    }

    @Test func `undo goes back to the revision before`() throws {
        var story = try Story.settled(Plans.shop(steps: []))
        let first = story.release.podTemplateHash
        try story.setImage("2")
        try story.obey()
        let id = story.newRelease()
        try story.when(.undo(toRevision: nil, newRelease: id))
        #expect(story.release.podTemplateHash == first)
        #expect(story.release.trigger == .undo)
        #expect(story.release.revision == 3)
        try story.obey()
        #expect(story.phase == .healthy)
    }

    @Test func `undo in mid-release goes straight back to stable`() throws {
        var story = try Story.settled(Plans.shop())
        let first = story.release.podTemplateHash
        try story.setImage("2")
        try story.obey()
        let id = story.newRelease()
        let events = try story.when(.undo(toRevision: 1, newRelease: id))
        #expect(events.contains("superseded"))
        #expect(story.rollout.split?.canary == 0)
        try story.obey()
        #expect(story.phase == .healthy)
        #expect(story.rollout.stable?.podTemplateHash == first)
    }

    @Test func `a newer revision supersedes a release under way, and its pods go once no traffic reaches them`() throws
    {
        var story = try Story.settled(Plans.shop())
        try story.setImage("2")
        try story.obey()
        let second = story.release.podTemplateHash
        let events = try story.setImage("3")
        #expect(events.starts(with: ["manifest-recorded", "pause-ended", "superseded", "release-started"]))
        #expect(story.rollout.split?.canary == 0)
        #expect(story.rollout.set(second)?.wanted == 1)
        try story.obey()
        #expect(story.rollout.set(second) == nil)
        #expect(story.rollout.split?.canary == 5)
    }

    @Test func `a full promotion skips steps and analysis but waits for all pods`() throws {
        var story = try Story.settled(Plans.shop())
        try story.setImage("2")
        try story.obey()
        try story.when(.promote(full: true, reason: "hot fix"))
        #expect(story.phase != .healthy)
        try story.obey()
        #expect(story.phase == .healthy)
        #expect(story.release.runs.isEmpty)
    }

    @Test func `a promote past an analysis ends its run and goes on`() throws {
        var story = try Story.settled(Plans.shop(steps: [Plans.guideSteps[3], ["pause": [:]]]))
        try story.setImage("2")
        try story.obey()
        let events = try story.when(.promote(full: false, reason: nil))
        #expect(events.starts(with: ["promoted", "analysis-concluded", "step-completed", "step-entered"]))
        #expect(story.phase == .paused)
    }

    @Test func `an inconclusive analysis waits for a person; resumed, it runs again`() throws {
        var story = try Story.settled(
            Plans.shop(
                steps: [Plans.guideSteps[0], Plans.guideSteps[3]],
                metric: ["failureCondition": "result[0] > 0.1", "count": 1, "failureLimit": 0]))
        try story.setImage("2")
        try story.obey()
        try story.measure(0.05)
        #expect(story.phase == .paused)
        #expect(story.rollout.message == "InconclusiveAnalysisRun")
        try story.when(.resume(reason: nil))
        #expect(story.release.runs.count == 2)
        #expect(story.release.runs.last?.name.hasSuffix(".1") == true)
        try story.measure(0)
        try story.obey()
        #expect(story.phase == .healthy)
    }

    @Test func `a held rollout does not move until resumed`() throws {
        var story = try Story.settled(Plans.shop())
        try story.setImage("2")
        try story.obey()
        try story.when(.pause(reason: "lunch"))
        story.pass(.seconds(600))
        #expect(try story.when(.wake) == [])
        #expect(story.rollout.message == "manually paused")
        try story.when(.resume(reason: nil))
        #expect(story.release.progress?.index == 2)
        story.spec.refuses(RolloutCommand(at: story.now, .resume(reason: nil)), with: .notPaused)
    }

    @Test func `no progress for the deadline is recorded once, and aborts where the manifest says so`() throws {
        for aborts in [false, true] {
            var story = try Story.settled(Plans.shop(deadlineAbort: aborts))
            try story.setImage("2")
            try story.when(.reportScaled(generation: story.rollout.scaling.decided))
            story.pass(.seconds(60))
            let events = try story.when(.wake)
            #expect(events.first == "deadline-exceeded")
            #expect(events.contains("aborted") == aborts)
            #expect(story.phase == .degraded)
            #expect(try story.when(.wake) == [])
        }
    }

    @Test func `a background analysis runs beside the steps and can abort at any of them`() throws {
        let background: JSONValue = [
            "templates": [["templateName": "errors"]], "args": [["name": "service", "value": "x"]], "startingStep": 1,
        ]
        var story = try Story.settled(
            Plans.shop(steps: [["setWeight": 10], ["pause": [:]]], background: background, metric: ["failureLimit": 0]))
        try story.setImage("2")
        #expect(story.release.runs.isEmpty)
        try story.obey()
        #expect(story.release.runs.map(\.kind) == [.background])
        try story.measure(1)
        #expect(story.phase == .degraded)
        #expect(story.rollout.message.contains("Background analysis phase error/failed"))
    }

    @Test func `a rejected split is tried again later and later`() throws {
        var story = try Story.settled(Plans.shop())
        try story.setImage("2")
        try story.when(.abort(reason: nil))
        let generation = story.rollout.routing.decided
        #expect(!story.rollout.routing.isOutstanding)
        #expect(try story.when(.reportRouteFailure(generation: generation, router: "nginx", error: "down")) == [])
        try story.when(.reportNewerRoute(generation: generation + 5))
        #expect(story.rollout.routing.decided == generation + 6)
        for (attempt, seconds) in [(1, 1), (2, 2), (3, 4)] {
            try story.when(.reportRouteFailure(generation: generation + 6, router: "nginx", error: "down"))
            #expect(story.rollout.routing.attempts == attempt)
            #expect(story.rollout.routing.retryAt == story.now + .seconds(seconds))
        }
    }

    @Test func `a canary without pods gets no traffic`() throws {
        var story = try Story.settled(Plans.shop())
        try story.setImage("2")
        try story.obey()
        #expect(story.rollout.split?.canary == 5)
        let hash = story.release.podTemplateHash
        try story.when(.observePods(PodsSeen(podTemplateHash: hash, desired: 1, current: 1, ready: 0, available: 0)))
        #expect(story.rollout.split?.canary == 0)
        try story.obey()
        #expect(story.rollout.split?.canary == 5)
    }
}

extension Rollout {
    /// Whether the controller asks to be woken at that moment.
    func nextWake(is instant: Instant) -> Bool {
        let name = RolloutName(namespace: "default", name: "shop")!
        return RolloutController.react(to: .init(name: name, state: .present(self))).contains(.wake(instant))
    }
}
