internal import Delivery
internal import EventSourcing
internal import Synchronization

/// Readings of the rollouts that were asked for lately.
final class RecentReadings: Sendable {
    private struct State {
        /// By version.
        var readings: [RolloutName: [RolloutReading]] = [:]
        /// Those that came first give way first.
        var order: [RolloutName] = []
        /// Of all that are kept.
        var size = 0
    }

    private let most: Int
    private let state = Mutex(State())

    init(most: Int) { self.most = most }

    /// The newest that `point` includes, if any is kept.
    func latest(of name: RolloutName, at point: PointInTime) -> RolloutReading? {
        state.withLock { state in
            guard let readings = state.readings[name] else { return nil }
            var (low, high) = (0, readings.count)
            while low < high {
                let middle = (low + high) / 2
                if Self.includes(point, readings[middle]) { low = middle + 1 } else { high = middle }
            }
            return low > 0 ? readings[low - 1] : nil
        }
    }

    private static func includes(_ point: PointInTime, _ reading: RolloutReading) -> Bool {
        switch point {
        case .version(let version): reading.version <= version
        case .position(let position): reading.position <= position
        case .time(let instant): reading.recordedAt.map { $0 <= instant } ?? true
        }
    }

    /// Keeps readings of one rollout; the rollout that came first gives way, or every second reading of the only one.
    func put(_ readings: [RolloutReading]) {
        guard let name = readings.first?.name else { return }
        state.withLock { state in
            let before = state.readings.removeValue(forKey: name) ?? []
            state.size -= Self.size(before)
            let new = Set(readings.map(\.version))
            var all = (before.filter { !new.contains($0.version) } + readings).sorted { $0.version < $1.version }
            while all.count > 1, Self.size(all) > most {
                all = all.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element)
            }
            state.size += Self.size(all)
            state.order.removeAll { $0 == name }
            state.order.append(name)
            state.readings[name] = all
            while state.size > most, state.order.count > 1 {
                state.size -= Self.size(state.readings.removeValue(forKey: state.order.removeFirst()) ?? [])
            }
        }
    }

    /// How much room readings take, in readings of the common size: of the release under way each has measurements of its
    /// own, and shares all else with its neighbours.
    private static func size(_ readings: [RolloutReading]) -> Int {
        readings.reduce(0) { sum, reading in
            sum + 1 + (reading.state.rollout?.release?.runs ?? []).reduce(0) { $0 + $1.measurements.count } / 100
        }
    }
}
