public import EventSourcing

/// A moment of the past, named in one of three ways.
public enum PointInTime: Sendable, Hashable, CustomStringConvertible {
    /// All that was recorded up to and including this time.
    case time(Instant)
    /// All up to and including this position of the log.
    case position(GlobalPosition)
    /// All up to and including this version of the stream.
    case version(StreamVersion)

    /// Reads RFC 3339 text, a position such as `1042`, or a version such as `v17`; `nil` for anything else.
    public init?(_ text: String) {
        if let instant = Instant(text) {
            self = .time(instant)
        } else if let number = Int64(text), number >= 0 {
            self = .position(GlobalPosition(number))
        } else if text.hasPrefix("v"), let number = Int64(text.dropFirst()), number >= 0 {
            self = .version(StreamVersion(number))
        } else {
            return nil
        }
    }

    /// The text that `init` reads.
    public var description: String {
        switch self {
        case .time(let instant): instant.description
        case .position(let position): position.description
        case .version(let version): "v\(version)"
        }
    }

    /// The version that it names, if it does.
    public var version: StreamVersion? {
        if case .version(let version) = self { version } else { nil }
    }

    /// Whether `event` had been recorded by then.
    public func includes(_ event: RecordedEvent) -> Bool {
        switch self {
        case .time(let instant): event.recordedAt <= instant
        case .position(let position): event.position <= position
        case .version(let version): event.version <= version
        }
    }
}
