import Delivery
import EventSourcing

/// Folds its share of the rollouts beside other workers.
actor FoldWorker {
    private let index: Int64
    private let of: Int64
    private var shelf = FoldShelf()

    /// The worker at `index` of so many.
    init(_ index: Int, of count: Int) {
        self.index = Int64(index)
        of = Int64(count)
    }

    /// Folds the events of its streams.
    /// - Throws: ``PoisonEvent``.
    func fold(_ events: EventDrain, _ names: EventNames) throws {
        let (index, of) = (index, of)
        _ = try shelf.fold(events, names) { $0 % of == index }
    }

    /// Takes over what was written down, as far as it is its own.
    func put(_ fold: RolloutSummaryFold, of stream: Int64) {
        if stream % of == index { shelf.put(fold, of: stream) }
    }

    /// The releases that have ended, each once.
    func takeEnded() -> [(rollout: RolloutName, row: ReleaseRow)] { take { $0.takeEndedReleases() } }

    /// The releases that were not taken yet.
    func takeAll() -> [(rollout: RolloutName, row: ReleaseRow)] { take { $0.takeChangedReleases() } }

    /// What it has folded.
    var contents: FoldShelf { shelf }

    private func take(
        _ body: (inout RolloutSummaryFold) -> [ReleaseRow]
    ) -> [(rollout: RolloutName, row: ReleaseRow)] {
        var taken: [(rollout: RolloutName, row: ReleaseRow)] = []
        for place in 0..<shelf.count {
            let rows = shelf.change(place, body)
            if !rows.isEmpty { taken += rows.map { (shelf.folds[place].name, $0) } }
        }
        return taken
    }
}
