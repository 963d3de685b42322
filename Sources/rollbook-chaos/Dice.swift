import EventSourcing
import Foundation

/// Choices that look random and follow from a seed.
///
/// - Source: Steele, Lea, Flood: SplitMix64 (2014).
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    /// Starts at a seed.
    init(seed: UInt64) { state = seed }

    /// The next number.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// An id that no other process mints, also none with the same seed: facts of two runs must not be taken for one.
    static func identifier() -> Identifier {
        Identifier(at: WallClock.now(), random: (UInt16.random(in: 0 ... .max), UInt64.random(in: 0 ... .max)))
    }
}

/// The clock on the wall.
enum WallClock {
    static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
