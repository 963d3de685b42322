/// Text that others wrote, fit for a terminal.
extension String {
    /// The text with characters that would steer a terminal, break a line or turn its direction written as escapes.
    ///
    /// A reason, an image or a metric source's message may hold any character; what is shown to an auditor must not be able
    /// to move the cursor or hide a line.
    var printable: String { escaped { _ in false } }

    /// The same, but line breaks stay.
    var printableLines: String { escaped { $0 == "\n" } }

    private func escaped(except isKept: (Unicode.Scalar) -> Bool) -> String {
        guard unicodeScalars.contains(where: { Self.steers($0) && !isKept($0) }) else { return self }
        return unicodeScalars.reduce(into: "") { text, scalar in
            guard Self.steers(scalar), !isKept(scalar) else { return text.unicodeScalars.append(scalar) }
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default: text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            }
        }
    }

    /// - Source: Unicode, general category Cc and the line separators; UAX #9, explicit directional formatting.
    private static func steers(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x2029, 0x200E...0x200F, 0x202A...0x202E, 0x2066...0x2069, 0x061C: true
        default: false
        }
    }
}
