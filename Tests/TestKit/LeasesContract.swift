public import EventSourcing

/// What every keeper of leases promises, as clauses that each adapter's tests run, each on a stage of its own.
public struct LeasesContract: Sendable, CustomStringConvertible {
    /// Leases that nobody holds, the log that they fence, and a clock that the test moves.
    public struct Stage: Sendable {
        /// The leases.
        public var leases: any Leases
        /// The log.
        public var store: any EventStore
        /// Lets time pass, as far as leases run out.
        public var pass: @Sendable (Duration) async throws -> Void

        /// Sets a stage.
        public init(
            leases: any Leases, store: any EventStore, pass: @escaping @Sendable (Duration) async throws -> Void
        ) {
            self.leases = leases
            self.store = store
            self.pass = pass
        }

        func claim(_ names: [String], for holder: String, atMost limit: Int = 100) async throws -> [Fence] {
            try await leases.claim(names, for: holder, lasting: .seconds(30), atMost: limit)
        }

        func renew(_ held: [Fence], for holder: String) async throws -> [Fence] {
            try await leases.renew(held, for: holder, lasting: .seconds(30))
        }

        func holders(under prefix: String = "") async throws -> [String] {
            try await leases.list(under: prefix).map { "\($0.name) \($0.isHeld ? $0.holder : "-") \($0.epoch)" }
        }
    }

    /// The promise, in words.
    public let description: String
    /// Throws ``EventStoreContract/Breach`` if it is not kept.
    public let check: @Sendable (Stage) async throws -> Void

    private init(_ description: String, _ check: @escaping @Sendable (Stage) async throws -> Void) {
        self.description = description
        self.check = check
    }

    private static func same<Value: Equatable>(_ found: Value, _ wanted: Value, line: UInt = #line) throws {
        try EventStoreContract.same(found, wanted, line: line)
    }

    private static func fence(_ name: String, _ epoch: Int64) -> Fence { Fence(lease: name, epoch: epoch) }

    /// Every clause.
    public static var clauses: [LeasesContract] { holding + fencing }

    private static var holding: [LeasesContract] {
        [
            LeasesContract("what nobody holds is claimed in one call, and then nobody else gets it") { stage in
                try same(try await stage.claim(["b", "a"], for: "one"), [fence("a", 1), fence("b", 1)])
                try same(try await stage.claim(["a", "b", "c"], for: "two"), [fence("c", 1)])
                try same(try await stage.holders(), ["a one 1", "b one 1", "c two 1"])
                try same(try await stage.claim([], for: "two"), [])
            },
            LeasesContract("no more is claimed than is wanted, of the new and of those that have run out") { stage in
                try same(try await stage.claim(["a", "b", "c"], for: "one", atMost: 2).count, 2)
                try same(try await stage.claim(["a", "b", "c"], for: "one", atMost: 0), [])
                try await stage.pass(.seconds(31))
                try same(try await stage.claim(["a", "b", "c"], for: "two", atMost: 1).count, 1)
                try same(try await stage.claim(["a", "b", "c"], for: "three").count, 2)
            },
            LeasesContract("a lease that is renewed does not run out; one that is not can be claimed") { stage in
                let held = try await stage.claim(["a", "b"], for: "one")
                try await stage.pass(.seconds(20))
                try same(try await stage.renew([held[1]], for: "one"), [held[1]])
                try await stage.pass(.seconds(20))
                try same(try await stage.claim(["a", "b"], for: "two"), [fence("a", 2)])
                try same(try await stage.holders(), ["a two 2", "b one 1"])
            },
            LeasesContract("what has run out and was not claimed since can be renewed; what was claimed cannot") {
                stage in
                let held = try await stage.claim(["a", "b"], for: "one")
                try await stage.pass(.seconds(31))
                try same(try await stage.holders(), ["a - 1", "b - 1"])
                try same(try await stage.claim(["a"], for: "two"), [fence("a", 2)])
                try same(try await stage.renew(held, for: "one"), [fence("b", 1)])
                try same(try await stage.holders(), ["a two 2", "b one 1"])
                try same(try await stage.renew([fence("a", 2)], for: "one"), [])
                try same(try await stage.renew([fence("nowhere", 1)], for: "one"), [])
                try same(try await stage.renew([], for: "one"), [])
            },
            LeasesContract("what is released can be claimed at once, by the holder's word alone") { stage in
                let held = try await stage.claim(["a", "b"], for: "one")
                try await stage.leases.release(held, by: "two")
                try await stage.leases.release([fence("b", 7), fence("nowhere", 1)], by: "one")
                try same(try await stage.holders(), ["a one 1", "b one 1"])
                try await stage.leases.release([held[0]], by: "one")
                try same(try await stage.claim(["a", "b"], for: "two"), [fence("a", 2)])
                try await stage.leases.release([held[0]], by: "one")
                try same(try await stage.holders(), ["a two 2", "b one 1"])
            },
            LeasesContract("a renewal that comes after the release brings nothing back") { stage in
                let held = try await stage.claim(["a", "b"], for: "one")
                try await stage.leases.release([held[0]], by: "one")
                try same(try await stage.renew(held, for: "one"), [fence("b", 1)])
                try same(try await stage.holders(), ["a - 1", "b one 1"])
                try same(try await stage.claim(["a"], for: "one"), [fence("a", 2)])
                try same(try await stage.renew([fence("a", 2)], for: "one"), [fence("a", 2)])
            },
            LeasesContract("a successor of the same name takes over at once, and fences its predecessor off") { stage in
                let held = try await stage.claim(["a"], for: "one")
                try same(try await stage.claim(["a"], for: "one"), [fence("a", 2)])
                try same(try await stage.renew(held, for: "one"), [])
            },
            LeasesContract(
                "a claim exceeds an epoch that was seen elsewhere, of a lease that is new or was held before"
            ) {
                stage in
                func claim(_ floors: [String: Int64], for holder: String) async throws -> [Fence] {
                    try await stage.leases.claim(
                        ["b", "a", "c"], above: floors, for: holder, lasting: .seconds(30), atMost: 9)
                }
                try same(try await claim(["a": 7], for: "one"), [fence("a", 8), fence("b", 1), fence("c", 1)])
                // What somebody holds stays as it is.
                try same(try await claim(["a": 99, "b": 99], for: "two"), [])
                try same(try await stage.holders(), ["a one 8", "b one 1", "c one 1"])
                try same(
                    try await claim(["b": 40, "a": 3], for: "one"), [fence("a", 9), fence("b", 41), fence("c", 2)])
                try await stage.pass(.seconds(31))
                try same(
                    try await claim(["c": 2, "b": 50], for: "two"), [fence("a", 10), fence("b", 51), fence("c", 3)])
                var append = SampleEvents.append(to: "s-1")
                append.fence = fence("b", 41)
                guard case .fenced = try await EventStoreContract.refused(append, by: stage.store) else {
                    throw EventStoreContract.Breach(description: "an append of an epoch before it must be fenced")
                }
                append.fence = fence("b", 51)
                _ = try await stage.store.append(append)
            },
            LeasesContract("a list has what begins as wanted, with the time that is left") { stage in
                _ = try await stage.leases.claim(["s/1", "s_2"], for: "one", lasting: .seconds(10), atMost: 9)
                let listed = try await stage.leases.list(under: "s/")
                try same(listed.map(\.name), ["s/1"])
                try EventStoreContract.expect(
                    listed[0].remaining > .seconds(5) && listed[0].remaining <= .seconds(10), "\(listed[0].remaining)")
                try await stage.pass(.seconds(11))
                try same(try await stage.leases.list(under: "s/").map(\.isHeld), [false])
                try same(try await stage.leases.list(under: "t"), [])
            },
            LeasesContract("of many who claim at the same time each lease has one, of the same epoch") { stage in
                let names = (0..<8).map { "n\($0)" }
                let taken = try await withThrowingTaskGroup(of: [Fence].self) { group in
                    for claimer in 0..<8 { group.addTask { try await stage.claim(names, for: "c\(claimer)") } }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                try same(taken.sorted { $0.lease < $1.lease }, names.map { fence($0, 1) })
            },
        ]
    }

    private static var fencing: [LeasesContract] {
        [
            LeasesContract("an append under a lease that was claimed by another is refused and changes nothing") {
                stage in
                let held = try await stage.claim(["a"], for: "one")
                var append = SampleEvents.append(to: "s-1")
                append.fence = held[0]
                _ = try await stage.store.append(append)
                var next = SampleEvents.append(to: "s-1", after: 1)
                next.fence = held[0]
                try await stage.pass(.seconds(31))
                let newer = try await stage.claim(["a"], for: "two")
                for late in [next, SampleEvents.append(2, to: "s-1", after: 1)] {
                    var late = late
                    late.fence = held[0]
                    guard case .fenced = try await EventStoreContract.refused(late, by: stage.store) else {
                        throw EventStoreContract.Breach(description: "an append of the last holder must be fenced")
                    }
                }
                try same(try await stage.store.head().value, 1)
                next.fence = newer[0]
                try same(try await stage.store.append(next).version.value, 2)
                append.fence = held[0]
                try EventStoreContract.expect(
                    try await stage.store.append(append).isDuplicate, "a repeat of what was made before the claim")
            },
            LeasesContract("a lease that has run out fences nothing until it is claimed") { stage in
                let held = try await stage.claim(["a"], for: "one")
                try await stage.pass(.seconds(31))
                var append = SampleEvents.append(to: "s-1")
                append.fence = held[0]
                _ = try await stage.store.append(append)
                try same(try await stage.renew(held, for: "one"), held)
            },
        ]
    }
}
