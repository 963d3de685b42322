import TestKit
import Testing

/// The doubles that stand in for a platform keep the promises of a real one.
@Suite struct InMemoryPlatformTests {
    @Test(arguments: TrafficRouterContract.clauses)
    func `the router in memory keeps the contract`(_ clause: TrafficRouterContract) async throws {
        try await clause.check(InMemoryTrafficRouter())
    }

    @Test(arguments: WorkloadsContract.clauses)
    func `the pods in memory keep the contract`(_ clause: WorkloadsContract) async throws {
        try await clause.check(InMemoryWorkloads())
    }
}
