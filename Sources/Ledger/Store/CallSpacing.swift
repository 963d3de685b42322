/// Whether calls begin at a distance from each other, so that each takes more appends along: what a call costs by itself is
/// as much as twenty appends in it.
///
/// Only while appends keep coming, whoever is answered: those who append one event after the other would all stand in line,
/// and wait for nobody.
struct CallSpacing {
    /// From the beginning of a call to that of the next one.
    static let distance = Duration.milliseconds(3)
    /// So many do not wait for that.
    static let enough = 128
    /// As many have to come while a call is under way.
    private static let leastDuringCall = 16
    /// As many have to come in the second half of a rest; who was answered before it has come back in the first.
    private static let leastDuringRest = 8
    /// Calls that follow at once after a rest in which too few came.
    private static let callsWithout = 256

    /// Whether calls keep the distance now.
    private(set) var isOn = false
    private var without = 0

    /// A call is over, and so many came meanwhile.
    mutating func callEnded(waiting: Int) {
        isOn = without == 0 && waiting >= Self.leastDuringCall
        without = max(0, without - 1)
    }

    /// A rest before a call is over, and so many came in its second half.
    mutating func restEnded(late: Int) {
        guard late < Self.leastDuringRest else { return }
        isOn = false
        without = Self.callsWithout
    }
}
