import EventSourcing

/// A reading in the form in which it is kept.
///
/// What there is much of stands packed: a measurement takes some twenty bytes, where its JSON takes four hundred. So the size
/// is bounded by what views show and the core needs, whatever the length of the stream.
public struct RolloutSnapshot: Sendable, Equatable {
    /// Grows when ``RolloutReading`` reads or keeps something else, or keeps it in another form: snapshots of another one
    /// are ignored.
    public static let fold: Int32 = 2

    /// JSON of the reading without its measurements and earlier runs.
    public let state: String
    /// Those, packed.
    public let packed: [UInt8]

    /// What is kept already.
    public init(state: String, packed: [UInt8]) { (self.state, self.packed) = (state, packed) }

    /// The form in which `reading` is kept.
    public init(_ reading: RolloutReading) {
        var (rest, writer) = (reading, PackedWriter())
        rest.withRelease { release in
            for index in release.runs.indices {
                writer.put(release.runs[index].measurements) { $0.put($1) }
                release.runs[index].measurements = []
            }
        }
        writer.put(reading.earlierRuns.sorted { $0.key < $1.key }) { writer, earlier in
            writer.put(earlier.key)
            writer.put(earlier.value) { $0.put($1) }
        }
        rest.earlierRuns = [:]
        self.init(state: CanonicalJSON.text(rest), packed: writer.bytes)
    }

    /// The reading.
    /// - Throws: An error that says what is wrong with the snapshot, if it is not what this build would have kept.
    public func reading() throws -> RolloutReading {
        var reading = try CanonicalJSON.read(RolloutReading.self, from: state)
        var reader = PackedReader(packed)
        try reading.withRelease { release throws(PackedReader.Damage) in
            for index in release.runs.indices {
                release.runs[index].measurements = try reader.list { reader throws(PackedReader.Damage) in
                    try reader.measurement()
                }
            }
        }
        for (revision, runs) in try reader.list(Self.earlier) { reading.earlierRuns[revision] = runs }
        try reader.end()
        return reading
    }

    private static func earlier(
        _ reader: inout PackedReader
    ) throws(PackedReader.Damage) -> (revision: Int, runs: [AnalysisRunView]) {
        (try reader.int(), try reader.list { reader throws(PackedReader.Damage) in try reader.run() })
    }
}

extension RolloutReading {
    /// How many measurements views show, of all runs.
    public var measurementCount: Int {
        let earlier = earlierRuns.values.joined().reduce(0) { sum, run in
            run.metrics.reduce(sum) { $0 + $1.measurements.count }
        }
        return (state.rollout?.release?.runs ?? []).reduce(earlier) { $0 + $1.measurements.count }
    }

    /// Changes the release, if there is one, in place.
    fileprivate mutating func withRelease<Failure: Error>(
        _ change: (inout Release) throws(Failure) -> Void
    ) throws(Failure) {
        guard case .present(var rollout) = state, var release = rollout.release else { return }
        try change(&release)
        rollout.release = release
        state = .present(rollout)
    }
}
