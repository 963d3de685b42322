import Delivery
import EventSourcing
import Foundation
import Glibc
import Ledger
import Postgres
import TestKit
import Testing
import Transparency

@testable import rollbook

/// Several `serve` processes on one real PostgreSQL, killed and stopped in the middle of real releases.
@Suite(.serialized, .timeLimit(.minutes(5))) struct TakeoverTests {
    /// How long after the end of an instance another one must have gone on with its work.
    ///
    /// A lease of 3 s, a turn, and what a machine that is busy with other tests may add; what it took is printed.
    private static let patience = Duration.seconds(15)

    @Test func `a standby goes on with the release of an instance that is killed`() async throws {
        try await ServedFleet.with { fleet in
            let place = try fleet.place("a")
            let (first, second) = try await Self.pair(fleet, place)
            try await fleet.apply("2", by: second)
            try await fleet.applied(20)
            let killed = Self.now
            first.signal(SIGKILL)
            try await Self.expectGoingOn(fleet, by: second, since: killed)
            try await fleet.completes(2)
            try await fleet.expectEachOnce()
            #expect(await second.duties()?.shards == 64)
            #expect(await second.duties()?.leases.contains("sealer") == true)
            // The one that comes back waits for its turn, and has it when the other ends in good order.
            let third = try await fleet.serve("third", at: place, "--standby")
            #expect(await third.duties()?.shards == 0)
            try await second.stop()
            let isBack = try await eventually { await third.duties()?.shards == 64 }
            #expect(isBack)
            try await fleet.apply("3", by: third)
            try await fleet.completes(3)
            try await fleet.expectEachOnce()
            try await third.stop()
        }
    }

    @Test func `a standby goes on with the release of an instance that is stopped, which does not come back`()
        async throws
    {
        try await ServedFleet.with { fleet in
            let (first, second) = try await Self.pair(fleet, try fleet.place("a"))
            try await fleet.apply("2", by: second)
            try await fleet.applied(20)
            let stopped = Self.now
            first.signal(SIGSTOP)
            try await Self.expectGoingOn(fleet, by: second, since: stopped)
            first.signal(SIGCONT)
            #expect(try await first.running.ended() == SIGKILL)
            try await fleet.completes(2)
            try await fleet.expectEachOnce()
            let byFirst = try await fleet.events().filter {
                $0.event.actor.subject == "rollbook/first" && $0.recordedAt > stopped + .seconds(2)
            }
            #expect(byFirst.isEmpty)
            try await second.stop()
        }
    }

    @Test func `instances of two clusters share sealer and projectors, and each keeps to its own platform`()
        async throws
    {
        try await ServedFleet.with { fleet in
            let (here, there) = (try fleet.place("a"), try fleet.place("b"))
            let first = try await fleet.serve("first", at: here)
            let hasAll = try await eventually {
                await first.duties().map { $0.shards == 64 && $0.leases.count > 1 } ?? false
            }
            #expect(hasAll)
            let singles = try #require(await first.duties()).leases
            #expect(singles.contains("sealer"))
            // The same cluster from another data directory would be pods and traffic of another machine.
            let wrong = try fleet.start("wrong", at: there, cluster: "default", [])
            #expect(try await wrong.running.ended() == 1)
            #expect(try wrong.running.said.contains("cluster default is the platform at"))
            let taking = try fleet.start("taking", at: there, cluster: "default", ["--move-cluster"])
            #expect(try await taking.running.ended() == 1)
            #expect(try taking.running.said.contains("cluster default is steered by first:"))
            let second = try await fleet.serve(
                "second", at: there, cluster: "east", "--seal-key", here.data + "/seal.key")
            let shares = try await eventually { await second.duties()?.shards == 64 }
            #expect(shares)
            #expect(await second.duties()?.leases == [])
            try await fleet.apply("1", by: first)
            try await fleet.apply("1", by: second)
            try await fleet.completes(1)
            try await fleet.completes(1, "east")

            let stopped = Self.now
            first.signal(SIGSTOP)
            let isTaken = try await eventually { await second.duties()?.leases == singles }
            #expect(isTaken)
            #expect(Self.now.since(stopped) < Self.patience)
            // What is written meanwhile is projected and sealed by the other.
            try await fleet.apply("2", by: second)
            try await fleet.completes(2, "east")
            try await Self.expectSealed(fleet)
            let before = try await fleet.leases()
            first.signal(SIGCONT)
            let knows = try await eventually {
                await first.duties().map { $0.leases == [] && $0.shards == 64 } ?? false
            }
            #expect(knows)
            // Nobody took its own rollouts, which nobody else could control: the holding goes on.
            let after = try await fleet.leases()
            #expect(after == before)
            try await fleet.apply("2", by: first)
            try await fleet.completes(2)
            for cluster in ["default", "east"] { try await fleet.expectEachOnce(cluster) }
            try await Self.expectSealed(fleet)
            try await second.stop()
            let isBack = try await eventually { await first.duties()?.leases == singles }
            #expect(isBack)
            try await first.stop()
        }
    }

    /// An instance that has a release in service, and one that stands by.
    private static func pair(
        _ fleet: ServedFleet, _ place: ServedFleet.Place
    ) async throws -> (ServedFleet.Instance, ServedFleet.Instance) {
        let first = try await fleet.serve("first", at: place)
        let second = try await fleet.serve("second", at: place, "--standby")
        try await fleet.apply("1", by: first)
        try await fleet.completes(1)
        #expect(await first.duties()?.shards == 64)
        #expect(await second.duties()?.shards == 0)
        return (first, second)
    }

    /// The next thing that is written of the rollout is the other's, and in time.
    private static func expectGoingOn(
        _ fleet: ServedFleet, by instance: ServedFleet.Instance, since then: Instant
    ) async throws {
        var first: RecordedEvent?
        let came = try await eventually {
            first = try await fleet.events().first { $0.event.actor.subject == "rollbook/\(instance.name)" }
            return first != nil
        }
        #expect(came)
        let took = try #require(first).recordedAt.since(then)
        print("taken over after \(took)")
        #expect(took < patience)
    }

    /// Every event is under a signed head.
    private static func expectSealed(_ fleet: ServedFleet) async throws {
        let head = try await fleet.store.head()
        let isSealed = try await eventually {
            guard let note = try await LedgerProver(store: fleet.store).treeHead() else { return false }
            return try SignedTreeHead(note).head.size >= head.value
        }
        #expect(isSealed)
    }

    private static var now: Instant { Instant(microseconds: Int64(Date().timeIntervalSince1970 * 1e6)) }
}
