import Analysis
import Conditions
import Delivery
import EventSourcing
import Foundation
import TestKit
import Testing

/// Every sequence of commands up to length five over a small plan.
@Suite struct SmallWorldTests {
    private enum Move: CaseIterable {
        case obey, good, bad, newImage, promote, full, abort, retry, undo, pause, resume, hour
    }

    private static let plan = Plans.shop(
        replicas: 2, steps: [["setWeight": 50], Plans.guideSteps[3], ["pause": ["duration": 10]]],
        metric: ["count": 1, "failureLimit": 0])

    private func step(_ story: inout Story, _ move: Move, _ depth: Int) {
        do {
            switch move {
            case .obey: try story.obey()
            case .good: try story.measure(0)
            case .bad: try story.measure(1)
            case .newImage: try story.setImage("v\(depth)")
            case .promote: try story.when(.promote(full: false, reason: nil))
            case .full: try story.when(.promote(full: true, reason: nil))
            case .abort: try story.when(.abort(reason: nil))
            case .retry:
                let id = story.newRelease()
                try story.when(.retry(newRelease: id))
            case .undo:
                let id = story.newRelease()
                try story.when(.undo(toRevision: nil, newRelease: id))
            case .pause: try story.when(.pause(reason: nil))
            case .resume: try story.when(.resume(reason: nil))
            case .hour:
                story.pass(.seconds(3600))
                try story.when(.wake)
            }
        } catch is RolloutRefusal {
            // A refusal is an answer; that it changed nothing is what the caller checks.
        } catch {
            Issue.record(error)
        }
    }

    private func check(_ before: Story, _ after: Story) {
        let rollout = after.rollout
        if let split = rollout.split {
            #expect((0...split.max).contains(split.canary) && split.canary + split.stable == split.max)
        }
        #expect(rollout.decisionVersion >= before.rollout.decisionVersion)
        let new = Array(after.spec.events.dropFirst(before.spec.events.count))
        if before.release.hasEnded, before.release.id == after.release.id {
            // Terminal absorbs: no step, no canary weight, no run after the end.
            for event in new {
                switch event.fact {
                case .stepEntered, .stepCompleted, .analysisStarted, .promoted, .completed, .aborted:
                    Issue.record("\(event.fact.wireName) after the end of the release")
                case .weightDecided(let decided): #expect(decided.canary == 0)
                default: break
                }
            }
        }
        if case .aborted = after.release.course { #expect(rollout.split?.canary == 0) }
        let generations = new.compactMap { event -> Int? in
            switch event.fact {
            case .weightDecided(let decided): decided.generation
            case .scaleDecided(let decided): decided.generation
            default: nil
            }
        }
        #expect(generations == generations.sorted() && Set(generations).count == generations.count)
    }

    @Test func `no sequence of five commands breaks an invariant`() throws {
        var reached = 0
        func walk(_ story: Story, _ depth: Int) {
            guard depth < 5 else { return }
            for move in Move.allCases {
                var next = story
                step(&next, move, depth)
                if next.spec.state == story.spec.state { continue }
                reached += 1
                check(story, next)
                walk(next, depth + 1)
            }
        }
        walk(try Story.settled(Self.plan), 0)
        #expect(reached > 1000)
    }

    @Test func `folding a snapshot and the rest gives what folding all gives, at every cut`() throws {
        var story = try Story.settled(Self.plan)
        for move in [Move.newImage, .obey, .bad, .obey, .retry, .obey, .good, .hour, .obey, .hour, .obey, .undo, .obey]
        {
            step(&story, move, 1)
        }
        let events = story.spec.events
        #expect(events.count > 40)
        let all = RolloutDecider.fold(events)
        #expect(all == story.spec.state)
        for cut in 0...events.count {
            let snapshot = RolloutDecider.fold(events.prefix(cut))
            let text = CanonicalJSON.text(snapshot)
            let restored: RolloutState = try CanonicalJSON.read(from: text)
            #expect(restored == snapshot)
            #expect(RolloutDecider.fold(events.dropFirst(cut), from: restored) == all)
        }
    }

    @Test func `every event reads back from its wire form`() throws {
        var story = try Story.settled(Self.plan)
        for move in [Move.newImage, .obey, .bad, .obey, .retry, .obey, .good, .pause, .resume, .full, .obey, .hour] {
            step(&story, move, 1)
        }
        for event in story.spec.events {
            let (type, data, occurredAt) = RolloutDecider.encode(event)
            #expect(try RolloutDecider.decode(type: type, data: data, occurredAt: occurredAt) == event)
        }
    }
}
