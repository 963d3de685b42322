extension Value {
    /// The value as text that `init(canonicalText:)` reads back: what the ledger stores.
    ///
    /// Numbers in their shortest decimal form without exponent (`0.0125`), `NaN`, `+Inf`, `-Inf`; lists without spaces
    /// (`[0.0125,1]`, `[]`), maps as `{"key":value}` sorted by key, text quoted, `null`, `true`, `false`. Except for
    /// the quotes around a text that stands alone, this is what Argo prints. An `int` reads back as a `double`.
    ///
    /// - Source: Argo Rollouts, metricproviders/prometheus `processResponse`: `FormatFloat(x, 'f', -1, 64)`.
    public var canonicalText: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .double(let value): GoNumber.decimal(value)
        case .string(let value): quoted(value)
        case .array(let elements): "[" + elements.map(\.canonicalText).joined(separator: ",") + "]"
        case .map(let members):
            "{"
                + members.sorted { $0.key < $1.key }.map { quoted($0.key) + ":" + $0.value.canonicalText }
                .joined(separator: ",") + "}"
        }
    }

    /// What Argo shows as a measurement's `value`: the canonical text, but a text that stands alone without quotes.
    public var displayText: String {
        if case .string(let text) = self { text } else { canonicalText }
    }

    /// Go's `%v`, which a few messages carry: `[1 2]`, `map[a:1]`, `<nil>`.
    var goText: String {
        switch self {
        case .null: "<nil>"
        case .double(let value): GoNumber.general(value)
        case .string(let value): value
        case .array(let elements): "[" + elements.map(\.goText).joined(separator: " ") + "]"
        case .map(let members):
            "map[" + members.sorted { $0.key < $1.key }.map { $0.key + ":" + $0.value.goText }.joined(separator: " ")
                + "]"
        default: canonicalText
        }
    }
}

/// Why a stored value could not be read back.
public struct ValueTextError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text that is no value.
    public let text: String
    /// What was expected.
    public let reason: String
    /// Where, in Unicode scalars from 0.
    public let offset: Int

    /// One line with text, place and reason.
    public var description: String { "cannot read \(text) as a value at offset \(offset): \(reason)" }
}

extension Value {
    /// Reads what `canonicalText` wrote; spaces are allowed as in JSON, and so is any JSON document.
    ///
    /// Every number becomes a `double`, as in Argo's providers.
    ///
    /// - Throws: If `text` is not one value, or nests deeper than 200 levels.
    public init(canonicalText text: String) throws(ValueTextError) {
        var reader = ValueReader(text)
        self = try reader.read()
    }
}

private struct ValueReader {
    private let text: String
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0

    init(_ text: String) {
        self.text = text
        scalars = Array(text.unicodeScalars)
    }

    mutating func read() throws(ValueTextError) -> Value {
        let value = try value()
        skipSpace()
        guard position == scalars.count else { throw fault("expected nothing more") }
        return value
    }

    private func fault(_ reason: String) -> ValueTextError {
        ValueTextError(text: text, reason: reason, offset: position)
    }

    private mutating func skipSpace() {
        while position < scalars.count, " \t\r\n".unicodeScalars.contains(scalars[position]) { position += 1 }
    }

    private mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < scalars.count, scalars[position] == scalar else { return false }
        position += 1
        return true
    }

    private mutating func value() throws(ValueTextError) -> Value {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 200 else { throw fault("nested deeper than 200 levels") }
        if accept("[") { return .array(try elements()) }
        if accept("{") { return .map(try members()) }
        if accept("\"") { return .string(try string()) }
        let start = position
        while position < scalars.count, !",]} \t\r\n:".unicodeScalars.contains(scalars[position]) { position += 1 }
        let word = String(String.UnicodeScalarView(scalars[start..<position]))
        switch word {
        case "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "NaN": return .double(.nan)
        case "+Inf": return .double(.infinity)
        case "-Inf": return .double(-.infinity)
        default:
            let looksDecimal = word.unicodeScalars.allSatisfy { "0123456789+-.eE".unicodeScalars.contains($0) }
            guard looksDecimal, let number = Double(word), number.isFinite else {
                position = start
                throw fault("expected a number, text, list, map, true, false, null, NaN, +Inf or -Inf")
            }
            return .double(number)
        }
    }

    private mutating func elements() throws(ValueTextError) -> [Value] {
        var elements: [Value] = []
        if accept("]") { return elements }
        while true {
            elements.append(try value())
            if accept("]") { return elements }
            guard accept(",") else { throw fault("expected , or ]") }
        }
    }

    private mutating func members() throws(ValueTextError) -> [String: Value] {
        var members: [String: Value] = [:]
        if accept("}") { return members }
        while true {
            guard accept("\"") else { throw fault("expected a key in double quotes") }
            let key = try string()
            guard accept(":") else { throw fault("expected :") }
            members[key] = try value()
            if accept("}") { return members }
            guard accept(",") else { throw fault("expected , or }") }
        }
    }

    private mutating func string() throws(ValueTextError) -> String {
        var units: [UInt16] = []
        while position < scalars.count {
            let scalar = scalars[position]
            position += 1
            if scalar == "\"" { return String(decoding: units, as: UTF16.self) }
            guard scalar == "\\" else {
                units.append(contentsOf: String(scalar).utf16)
                continue
            }
            guard position < scalars.count else { break }
            let escape = scalars[position]
            position += 1
            switch escape {
            case "n": units.append(0x0a)
            case "r": units.append(0x0d)
            case "t": units.append(0x09)
            case "b": units.append(0x08)
            case "f": units.append(0x0c)
            case "\"", "\\", "/": units.append(contentsOf: String(escape).utf16)
            case "u":
                let end = min(position + 4, scalars.count)
                let digits = String(String.UnicodeScalarView(scalars[position..<end]))
                guard digits.count == 4, let unit = UInt16(digits, radix: 16) else {
                    throw fault("expected four hexadecimal digits")
                }
                units.append(unit)
                position = end
            default: throw fault("unknown escape")
            }
        }
        throw fault("expected a closing double quote")
    }
}

extension Value: Codable {
    /// Reads the canonical text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do {
            try self.init(canonicalText: text)
        } catch {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    /// Writes the canonical text, since JSON has no NaN.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(canonicalText)
    }
}
