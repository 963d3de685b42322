import Foundation

/// The resident memory of this process, as Linux counts it.
enum ResidentMemory {
    /// Begins a new peak.
    static func resetPeak() throws { try Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs")) }

    /// The greatest since the last reset, in MiB.
    static func peak() throws -> Double {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kibibytes = line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Double($0) })
        else { throw BenchFailure("/proc/self/status has no VmHWM") }
        return (kibibytes / 1024).rounded(toPlaces: 1)
    }
}
