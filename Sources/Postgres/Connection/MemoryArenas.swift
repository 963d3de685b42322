internal import CLinux
internal import Foundation

/// The pieces of memory that glibc shares out to threads.
public enum MemoryArenas {
    /// Has no more of them than there are cores; what `MALLOC_ARENA_MAX` says goes first.
    ///
    /// Each connection has a thread of its own, and glibc would give eight times as many threads as there are cores an arena
    /// each, which grows by what that thread took at its busiest and gives little back. To be called at the very beginning:
    /// arenas that are there already stay.
    ///
    /// - Source: `mallopt(3)`, `M_ARENA_MAX`.
    public static func bound() {
        guard ProcessInfo.processInfo.environment["MALLOC_ARENA_MAX"] == nil else { return }
        clinux_bound_arenas(Int32(ProcessInfo.processInfo.activeProcessorCount))
    }
}
