import EventSourcing
import Foundation
import Synchronization
import TestKit
import Testing

@testable import rollbook

/// Which platform is which, and who may take a cluster from one.
@Suite struct PlatformIdentityTests {
    @Test func `of many first starts at once all have the same identity, and so has each later one`() async throws {
        for _ in 0..<20 {
            let folder = FileManager.default.temporaryDirectory.appending(path: "identity-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let data = DataDirectory(folder.path())
            let identities = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<8 { group.addTask { try PlatformIdentity.of(data) } }
                return try await group.reduce(into: [String]()) { $0.append($1) }
            }
            #expect(Set(identities).count == 1)
            #expect(try PlatformIdentity.of(data) == identities[0])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path()) == ["platform-identity"])
            try FileManager.default.removeItem(at: folder)
        }
    }

    @Test func `a cluster is not taken from a platform that an instance steers`() async throws {
        let passed = Atomic(0)
        let now: @Sendable () -> Instant = { SampleEvents.noon + .seconds(passed.load(ordering: .relaxed)) }
        let leases = InMemoryLeases(store: InMemoryEventStore(clock: now), clock: now)
        let (here, there) = ("here", "there")
        for (instance, platform, cluster) in [("a", here, "default"), ("b", there, "east"), ("c", there, "default-2")] {
            let holder = HolderName.of(instance, 7070, platform: platform)
            _ = try await leases.claim(
                ["instance/\(cluster)/\(holder)"], for: holder, lasting: .seconds(3), atMost: 1)
        }
        // Our own instances, and those of other clusters, are in nobody's way.
        try await ClusterMove.check("default", to: here, leases)
        let refusal = await #expect(throws: ServeFailure.self) {
            try await ClusterMove.check("default", to: there, leases)
        }
        #expect(refusal?.description.contains("cluster default is steered by a:7070@here: stop that instance") == true)
        passed.store(3, ordering: .relaxed)
        try await ClusterMove.check("default", to: there, leases)
    }
}
