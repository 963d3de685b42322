public import Foundation

/// A point in time as PostgreSQL keeps it: whole microseconds.
public struct PostgresInstant: PostgresScalar, Hashable, Comparable {
    /// Microseconds since 1970-01-01T00:00:00Z, without leap seconds.
    public let microsecondsSinceEpoch: Int64

    /// Takes microseconds since 1970-01-01T00:00:00Z.
    public init(microsecondsSinceEpoch: Int64) { self.microsecondsSinceEpoch = microsecondsSinceEpoch }

    /// Takes a date, rounded to the nearest microsecond.
    public init(_ date: Date) {
        self.microsecondsSinceEpoch = Int64((date.timeIntervalSince1970 * 1_000_000).rounded())
    }

    /// The same time as a date, whose precision is a little under a microsecond in our century.
    public var date: Date { Date(timeIntervalSince1970: Double(microsecondsSinceEpoch) / 1_000_000) }

    /// Microseconds since 2000-01-01T00:00:00Z, as the binary form of `timestamptz` has them.
    public var microsecondsSince2000: Int64 { microsecondsSinceEpoch &- Self.postgresEpoch }

    /// Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL counts from.
    static let postgresEpoch: Int64 = 946_684_800_000_000

    /// The SQL type `timestamptz`.
    public static var postgresType: PostgresType { .timestamptz }
    /// The SQL type `timestamptz[]`.
    public static var postgresArrayType: PostgresType { .timestamptzArray }
    /// Eight bytes: microseconds since 2000-01-01.
    public func encode(to bytes: inout [UInt8]) { bytes.append(bigEndian: microsecondsSince2000) }

    /// Reads `timestamptz`, or `timestamp` taken as UTC; infinity is refused.
    public static func decode(_ field: PostgresField) throws -> PostgresInstant {
        _ = try field.required("PostgresInstant")
        guard field.type == .timestamptz || field.type == .timestamp else {
            throw PostgresField.Mismatch(wanted: "PostgresInstant")
        }
        let raw = try field.bigEndian(Int64.self, wanted: "PostgresInstant")
        guard raw != .max, raw != .min, raw <= .max - postgresEpoch else {
            throw PostgresField.Mismatch(wanted: "PostgresInstant", reason: "it is infinite")
        }
        return PostgresInstant(microsecondsSinceEpoch: raw + postgresEpoch)
    }

    /// Earlier before later.
    public static func < (a: PostgresInstant, b: PostgresInstant) -> Bool {
        a.microsecondsSinceEpoch < b.microsecondsSinceEpoch
    }
}
