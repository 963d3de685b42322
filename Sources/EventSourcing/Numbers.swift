/// The place of an event in its stream: from 1, gapless; 0 is the version of a stream without events.
public struct StreamVersion: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The number; never negative.
    public let value: Int64

    /// Wraps `value`.
    public init(_ value: Int64) {
        precondition(value >= 0, "a stream version is never negative: \(value)")
        self.value = value
    }

    /// The version of a stream that has no events.
    public static let none = StreamVersion(0)

    /// The version after this one.
    public var next: StreamVersion { StreamVersion(value + 1) }

    /// The number as text.
    public var description: String { String(value) }

    /// Order of the numbers.
    public static func < (left: StreamVersion, right: StreamVersion) -> Bool { left.value < right.value }

    /// Reads a whole number of at least 0.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let value = try container.decode(Int64.self)
        guard value >= 0 else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "negative version \(value)")
        }
        self.init(value)
    }

    /// Writes the number.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }
}

/// The place of an event in the whole log: from 1, gapless, in commit order; 0 is before the first.
public struct GlobalPosition: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The number; never negative.
    public let value: Int64

    /// Wraps `value`.
    public init(_ value: Int64) {
        precondition(value >= 0, "a position is never negative: \(value)")
        self.value = value
    }

    /// Before the first event.
    public static let start = GlobalPosition(0)

    /// The number as text.
    public var description: String { String(value) }

    /// Order of the numbers.
    public static func < (left: GlobalPosition, right: GlobalPosition) -> Bool { left.value < right.value }

    /// Reads a whole number of at least 0.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let value = try container.decode(Int64.self)
        guard value >= 0 else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "negative position \(value)")
        }
        self.init(value)
    }

    /// Writes the number.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }
}
