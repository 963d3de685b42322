extension JSONText {
    /// The UTF-8 bytes that the inside of a string stands for, its quotes left out; the text was checked before.
    public static func unescaped(_ escaped: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        func unit(_ at: Int) -> UInt32 {
            escaped[at..<at + 4].reduce(0) { $0 << 4 | UInt32(Character(UnicodeScalar($1)).hexDigitValue ?? 0) }
        }
        var at = 0
        while at < escaped.count {
            let byte = escaped[at]
            at += 1
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            let kind = escaped[at]
            at += 1
            switch kind {
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0C)
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "r"): result.append(0x0D)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = unit(at)
                at += 4
                if (0xD800..<0xDC00).contains(scalar) {
                    scalar = 0x10000 + ((scalar - 0xD800) << 10) + (unit(at + 2) - 0xDC00)
                    at += 6
                }
                result.append(contentsOf: String(UnicodeScalar(scalar) ?? "\u{FFFD}").utf8)
            default: result.append(kind)
            }
        }
        return result
    }
}
