/// The object id of a PostgreSQL type.
public struct PostgresType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The object id, as in `pg_type.oid`; 0 lets the server infer the type of a parameter.
    public let rawValue: UInt32

    /// Takes an object id.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    private init(_ rawValue: UInt32) { self.rawValue = rawValue }

    /// The server infers the type of the parameter.
    public static let inferred = PostgresType(0)
    /// The SQL type `boolean`.
    public static let bool = PostgresType(16)
    /// The SQL type `bytea`.
    public static let bytea = PostgresType(17)
    /// The SQL type `"char"`.
    public static let char = PostgresType(18)
    /// The SQL type `name`.
    public static let name = PostgresType(19)
    /// The SQL type `bigint`.
    public static let int8 = PostgresType(20)
    /// The SQL type `smallint`.
    public static let int2 = PostgresType(21)
    /// The SQL type `integer`.
    public static let int4 = PostgresType(23)
    /// The SQL type `text`.
    public static let text = PostgresType(25)
    /// The SQL type `oid`.
    public static let oid = PostgresType(26)
    /// The SQL type `json`.
    public static let json = PostgresType(114)
    /// The SQL type `xml`.
    public static let xml = PostgresType(142)
    /// The SQL type `real`.
    public static let float4 = PostgresType(700)
    /// The SQL type `double precision`.
    public static let float8 = PostgresType(701)
    /// The SQL type `unknown`.
    public static let unknown = PostgresType(705)
    /// The SQL type `boolean[]`.
    public static let boolArray = PostgresType(1000)
    /// The SQL type `bytea[]`.
    public static let byteaArray = PostgresType(1001)
    /// The SQL type `smallint[]`.
    public static let int2Array = PostgresType(1005)
    /// The SQL type `integer[]`.
    public static let int4Array = PostgresType(1007)
    /// The SQL type `text[]`.
    public static let textArray = PostgresType(1009)
    /// The SQL type `bigint[]`.
    public static let int8Array = PostgresType(1016)
    /// The SQL type `double precision[]`.
    public static let float8Array = PostgresType(1022)
    /// The SQL type `character(n)`.
    public static let bpchar = PostgresType(1042)
    /// The SQL type `character varying`.
    public static let varchar = PostgresType(1043)
    /// The SQL type `timestamp without time zone`.
    public static let timestamp = PostgresType(1114)
    /// The SQL type `timestamp with time zone`.
    public static let timestamptz = PostgresType(1184)
    /// The SQL type `timestamp with time zone[]`.
    public static let timestamptzArray = PostgresType(1185)
    /// The SQL type `numeric`.
    public static let numeric = PostgresType(1700)
    /// The SQL type `void`.
    public static let void = PostgresType(2278)
    /// The SQL type `uuid`.
    public static let uuid = PostgresType(2950)
    /// The SQL type `uuid[]`.
    public static let uuidArray = PostgresType(2951)
    /// The SQL type `jsonb`.
    public static let jsonb = PostgresType(3802)
    /// The SQL type `jsonb[]`.
    public static let jsonbArray = PostgresType(3807)
    /// The SQL type `xid8`.
    public static let xid8 = PostgresType(5069)

    private static let names: [UInt32: String] = [
        0: "inferred", 16: "boolean", 17: "bytea", 18: "\"char\"", 19: "name", 20: "bigint", 21: "smallint",
        23: "integer", 25: "text", 26: "oid", 114: "json", 142: "xml", 700: "real", 701: "double precision",
        705: "unknown", 1000: "boolean[]", 1001: "bytea[]", 1005: "smallint[]", 1007: "integer[]", 1009: "text[]",
        1016: "bigint[]", 1022: "double precision[]", 1042: "character", 1043: "character varying",
        1082: "date", 1083: "time", 1114: "timestamp", 1184: "timestamptz", 1185: "timestamptz[]", 1186: "interval",
        1700: "numeric", 2278: "void", 2950: "uuid", 2951: "uuid[]", 3802: "jsonb", 3807: "jsonb[]", 5069: "xid8",
    ]

    /// The type's SQL name where it is one of ours, else its object id.
    public var description: String { Self.names[rawValue] ?? "type with oid \(rawValue)" }
}
