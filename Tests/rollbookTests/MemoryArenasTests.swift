import Foundation
import TestKit
import Testing

@testable import rollbook

@Suite struct MemoryArenasTests {
    @Test(.timeLimit(.minutes(2))) func `serve has no more arenas than there are cores, however many threads ask`()
        async throws
    {
        try await ServedFleet.with { fleet in
            let instance = try await fleet.serve("first", at: try fleet.place("a"))
            try await fleet.apply("1", by: instance)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<64 {
                    group.addTask { _ = try await instance.client.text("/api/v1/rollouts") }
                }
                try await group.waitForAll()
            }
            let process = instance.running.process.processIdentifier
            // The first one is none of these: it grows at the end of the program's data.
            #expect(try Self.arenas(of: process) < ProcessInfo.processInfo.activeProcessorCount)
        }
    }

    /// How many pieces of memory the process has that look like glibc's: they begin at a multiple of 64 MiB, readable and
    /// writable, and what follows up to the next multiple is reserved.
    ///
    /// - Source: glibc `arena.c`, `HEAP_MAX_SIZE`.
    private static func arenas(of process: Int32) throws -> Int {
        let size: UInt64 = 64 << 20
        let maps = try String(contentsOfFile: "/proc/\(process)/maps", encoding: .utf8).split(separator: "\n").map {
            $0.split(whereSeparator: { $0 == "-" || $0 == " " })
        }
        func bounds(_ line: [Substring]) -> (UInt64, UInt64) {
            (UInt64(line[0], radix: 16) ?? 1, UInt64(line[1], radix: 16) ?? 1)
        }
        return zip(maps, maps.dropFirst()).count { used, reserved in
            let (first, second) = (bounds(used), bounds(reserved))
            return first.0 % size == 0 && first.1 == second.0 && second.1 == first.0 + size && used[2].hasPrefix("rw")
        }
    }
}
