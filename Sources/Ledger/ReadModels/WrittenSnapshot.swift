internal import Crypto
internal import Delivery
internal import EventSourcing
internal import Postgres

/// A snapshot as it stands in the database.
struct WrittenSnapshot {
    /// Why a snapshot is not believed.
    enum Doubt: Error, CustomStringConvertible {
        case digest
        case place(StreamVersion)

        var description: String {
            switch self {
            case .digest: "its contents do not fit its digest"
            case .place(let version): "it is of another rollout or of version \(version)"
            }
        }
    }

    let name: RolloutName
    let version: StreamVersion
    let position: GlobalPosition
    let recordedAt: PostgresInstant
    let snapshot: RolloutSnapshot
    let digest: [UInt8]

    /// What is written of `reading`; `nil` of one that nothing was read for.
    init?(_ reading: RolloutReading) {
        guard let recordedAt = reading.recordedAt else { return nil }
        (name, version, position) = (reading.name, reading.version, reading.position)
        self.recordedAt = PostgresInstant(recordedAt)
        snapshot = RolloutSnapshot(reading)
        digest = Self.digest(of: snapshot)
    }

    /// What a row of ``SnapshotRead`` holds; `nil` if it holds none.
    init?(_ row: PostgresRow, of name: RolloutName) throws {
        let first = SnapshotRead.written
        guard let version = try row.get(first, as: Int64?.self), let state = try row.get(first + 3, as: String?.self)
        else { return nil }
        (self.name, self.version, position) = (name, StreamVersion(version), GlobalPosition(try row.get(first + 1)))
        recordedAt = try row.get(first + 2)
        snapshot = RolloutSnapshot(state: state, packed: try row.get(first + 4))
        digest = try row.get(first + 5)
    }

    /// The reading that was written.
    /// - Throws: An error that says why it cannot be believed.
    func reading() throws -> RolloutReading {
        guard Self.digest(of: snapshot) == digest else { throw Doubt.digest }
        let reading = try snapshot.reading()
        guard (reading.name, reading.version, reading.position) == (name, version, position) else {
            throw Doubt.place(reading.version)
        }
        return reading
    }

    private static func digest(of snapshot: RolloutSnapshot) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: Array(snapshot.state.utf8))
        hash.update(data: snapshot.packed)
        return Array(hash.finalize())
    }
}
