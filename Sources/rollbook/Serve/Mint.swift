import Control
import EventSourcing

/// New ids: the present millisecond and randomness of the system.
enum Mint {
    /// A UUIDv7 that nobody else has.
    static func identifier() -> Identifier {
        var random = SystemRandomNumberGenerator()
        return Identifier(at: SystemControlClock().now(), random: (random.next(), random.next()))
    }
}
