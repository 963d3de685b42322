import EventSourcing
import Foundation
import Ledger
import Postgres
import TestKit
import Testing

@testable import rollbook

/// A real `rollbook serve` whose login was granted the service's role and nothing else, on a schema that somebody else made.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ServiceLoginTests {
    /// A page of the audit trail, as it is on the wire: the cursor is text.
    private struct AuditPage: Decodable {
        struct Entry: Decodable { let position: Int64 }
        let entries: [Entry]
        let position: Int64
        let next: String?
    }

    @Test func `it serves: a release goes through, is projected, sealed and audited, and appends are counted`()
        async throws
    {
        try await ServedFleet.withServiceLogin { fleet in
            let only = try await fleet.serve("only", at: try fleet.place("a"))
            try await fleet.apply("1", by: only)
            try await fleet.completes(1)
            try await fleet.expectEachOnce()
            try await Self.expectAudited(fleet, only)
            try await Self.expectAppendsCounted(only)
            let isSealed = try await eventually {
                let head = try await fleet.store.head()
                let covered = try await only.client.text("/metrics").gauge("rollbook_sealed_position")
                return covered == Double(head.value)
            }
            let numbers = try await only.client.text("/metrics")
            #expect(isSealed, "\(numbers)")
            let said = try only.running.said
            #expect(!said.contains("permission denied"), "\(said)")
            try await only.stop()
        }
    }

    /// Every event is found by an auditor who goes from page to page by the cursors as they are given.
    private static func expectAudited(_ fleet: ServedFleet, _ instance: ServedFleet.Instance) async throws {
        let written = try await fleet.events().map(\.position.value)
        let isThere = try await eventually {
            let page: AuditPage = try await instance.client.get("/api/v1/audit", query: [("limit", "1")])
            return page.position >= written.last ?? 0
        }
        #expect(isThere)
        var found: [Int64] = []
        var cursor: String?
        repeat {
            let page: AuditPage = try await instance.client.get(
                "/api/v1/audit", query: [("limit", "4"), ("rollout", "shop"), ("cursor", cursor)])
            #expect(page.entries.count == 4 || page.next == nil)
            found += page.entries.map(\.position)
            cursor = page.next
        } while cursor != nil && found.count < 1000
        // What was written since is not asked for.
        #expect(found.filter { $0 <= written.last ?? 0 } == written.reversed())
    }

    /// Each number of the appender stands in `/metrics` with its explanation and its type.
    private static func expectAppendsCounted(_ instance: ServedFleet.Instance) async throws {
        let page = try await instance.client.text("/metrics")
        let lines = page.split(separator: "\n").map(String.init)
        let names = lines.filter { $0.hasPrefix("rollbook_append_") }.compactMap { $0.split(separator: " ").first }
        #expect(
            names
                == ["waiting", "waiting_bytes", "in_flight", "calls", "answered", "turned_away", "stalls"].map {
                    "rollbook_append_\($0)"
                })
        for name in names {
            let place = try #require(lines.firstIndex { $0.hasPrefix("\(name) ") })
            #expect(lines[place - 1] == "# TYPE \(name) gauge")
            #expect(lines[place - 2].hasPrefix("# HELP \(name) "))
        }
        for name in ["calls", "answered"] { #expect(page.gauge("rollbook_append_\(name)") ?? 0 > 0, "\(name)") }
        for name in ["turned_away", "stalls"] { #expect(page.gauge("rollbook_append_\(name)") == 0, "\(name)") }
    }
}

extension String {
    /// The value of a line of `/metrics` without labels.
    fileprivate func gauge(_ name: String) -> Double? {
        split(separator: "\n").first { $0.hasPrefix("\(name) ") }?.split(separator: " ").last.flatMap { Double($0) }
    }
}
