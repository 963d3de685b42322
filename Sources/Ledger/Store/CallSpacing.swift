/// Whether calls begin at a distance from each other, so that each takes more appends along: what a call costs by itself is
/// as much as twenty appends in it.
///
/// Only while appends keep coming, whoever is answered. Those who append one event after the other are back within a
/// millisecond, or stand in line together and wait for nobody: a lane that rested for more would rest for nothing.
struct CallSpacing {
    /// From the beginning of a call to that of the next one; up to ``leastRest`` less where the rest would be shorter.
    static let distance = Duration.milliseconds(3)
    /// So many do not wait for that, if a lane is free.
    static let enough = 128
    /// As many have to come while a call is under way.
    private static let leastDuringCall = 16
    /// A shorter rest spares little, and shows nothing: those who were answered before it come back during it.
    private static let leastRest = Duration.milliseconds(1)
    /// As many have to come in each half of the distance, as far as the second half of a rest shows.
    private static let leastDuringHalf = 8
    /// After so many rests, one after the other, in which fewer came, calls follow at once, and so many of them.
    private static let (mostVain, callsWithout) = (3, 256)
    /// Calls that a rest in which as many came speaks for.
    private static let callsAssured = 64

    /// Whether a lane may rest now.
    private(set) var isOn = false
    private var vain = 0
    private var without = 0
    private var assured = 0

    /// Whether a rest has shown lately that appends keep coming, so that a second call beside the one that is under way has to
    /// be worth it.
    var isAssured: Bool { isOn && assured > 0 }

    /// A call is over, and so many came since the last one began.
    mutating func callEnded(came: Int) {
        isOn = without == 0 && came >= Self.leastDuringCall
        without = max(0, without - 1)
        assured = max(0, assured - 1)
    }

    /// How long to rest if the last call began so long ago; nil if not at all.
    func rest(after since: Duration) -> Duration? {
        let left = Self.distance - since
        return isOn && left >= Self.leastRest ? left : nil
    }

    /// A rest is over, and so many came in its second half, which took so long.
    mutating func restEnded(late: Int, in half: Duration) {
        if Self.distance / 2 * late >= half * Self.leastDuringHalf {
            (vain, assured) = (0, Self.callsAssured)
            return
        }
        vain += 1
        guard vain >= Self.mostVain else { return }
        (isOn, vain, without, assured) = (false, 0, Self.callsWithout, 0)
    }
}
