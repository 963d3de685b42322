public import Foundation

/// An id minted once and kept across retries: a UUIDv7, written in lower case.
///
/// - Source: RFC 9562 §5.7.
public struct Identifier: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The UUID.
    public let uuid: UUID

    /// Wraps a UUID of any version (ids from outside need not be v7).
    public init(_ uuid: UUID) { self.uuid = uuid }

    /// Reads the 36-character form; `nil` if `text` is none.
    public init?(_ text: String) {
        guard let uuid = UUID(uuidString: text) else { return nil }
        self.uuid = uuid
    }

    /// Makes the UUIDv7 of `instant` with 74 of the given 80 random bits.
    public init(at instant: Instant, random: (UInt16, UInt64)) {
        let milliseconds = UInt64(bitPattern: max(0, instant.microseconds / 1000)) & 0xFFFF_FFFF_FFFF
        let high = milliseconds << 16 | 0x7000 | UInt64(random.0 & 0x0FFF)
        let low = 0x8000_0000_0000_0000 | (random.1 & 0x3FFF_FFFF_FFFF_FFFF)
        func byte(_ word: UInt64, _ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * index)) }
        uuid = UUID(
            uuid: (
                byte(high, 0), byte(high, 1), byte(high, 2), byte(high, 3), byte(high, 4), byte(high, 5), byte(high, 6),
                byte(high, 7), byte(low, 0), byte(low, 1), byte(low, 2), byte(low, 3), byte(low, 4), byte(low, 5),
                byte(low, 6), byte(low, 7)
            ))
    }

    /// The 36-character form in lower case.
    public var description: String { uuid.uuidString.lowercased() }

    /// Order of the bytes, which for UUIDv7 is that of the milliseconds in which they were minted.
    public static func < (left: Identifier, right: Identifier) -> Bool { left.description < right.description }

    /// Reads the text form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let identifier = Identifier(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a UUID: \(text)")
        }
        self = identifier
    }

    /// Writes the text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Identifier {
    /// An id that follows from another and a moment, for a decision that needs a new one and has no randomness.
    public static func derived(from parent: Identifier, at instant: Instant) -> Identifier {
        let bytes = parent.uuid.uuid
        let low =
            UInt64(bytes.8) << 56 | UInt64(bytes.9) << 48 | UInt64(bytes.10) << 40 | UInt64(bytes.11) << 32
            | UInt64(bytes.12) << 24 | UInt64(bytes.13) << 16 | UInt64(bytes.14) << 8 | UInt64(bytes.15)
        return Identifier(
            at: instant, random: (UInt16(truncatingIfNeeded: low), low &* 0x9E37_79B9_7F4A_7C15 &+ 1))
    }
}
