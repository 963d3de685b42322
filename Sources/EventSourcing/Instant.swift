/// A point in time: whole microseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// PostgreSQL keeps `timestamptz` at the same resolution, so an instant survives the ledger unchanged.
public struct Instant: Sendable, Hashable, Comparable {
    /// Microseconds since the Unix epoch; negative before it.
    public let microseconds: Int64

    /// The earliest that can be written as text: the beginning of the year 0.
    public static let earliest = Instant(microseconds: -62_167_219_200_000_000)
    /// The latest that can be written as text: the last microsecond of the year 9999.
    public static let latest = Instant(microseconds: 253_402_300_799_999_999)

    /// Makes an instant from microseconds since the Unix epoch.
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// Whether the left instant is earlier.
    public static func < (left: Instant, right: Instant) -> Bool {
        left.microseconds < right.microseconds
    }

    /// The instant `duration` later (earlier if negative), rounded towards zero to a microsecond; from ``earliest`` to
    /// ``latest``, however long the duration is, so that what is worked out can always be recorded and read again.
    public static func + (instant: Instant, duration: Duration) -> Instant {
        instant.moved(by: duration.wholeMicroseconds)
    }

    /// The instant `duration` earlier, with the same bounds.
    public static func - (instant: Instant, duration: Duration) -> Instant {
        instant.moved(by: (.zero - duration).wholeMicroseconds)
    }

    private func moved(by distance: Int64) -> Instant {
        let (sum, isBeyond) = microseconds.addingReportingOverflow(distance)
        if isBeyond { return distance < 0 ? .earliest : .latest }
        return min(max(Instant(microseconds: sum), .earliest), .latest)
    }

    /// The time from `earlier` to this instant; negative if `earlier` is later.
    public func since(_ earlier: Instant) -> Duration {
        .microseconds(microseconds - earlier.microseconds)
    }
}

extension Duration {
    /// The duration in whole microseconds, rounded towards zero; beyond 292 271 years the nearest that there is.
    public var wholeMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, isBeyond) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, isBeyondWithRest) = whole.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        return isBeyond || isBeyondWithRest ? (seconds < 0 ? .min : .max) : sum
    }
}
