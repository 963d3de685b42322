extension Lexer {
    /// The rest of a raw string, after its opening backtick.
    mutating func rawText() throws(Fault) -> String {
        var text = String.UnicodeScalarView()
        while let scalar = peek() {
            position += 1
            if scalar == "`" {
                guard peek() == "`" else { return String(text) }
                position += 1
            }
            text.append(scalar)
        }
        throw fault("literal not terminated")
    }

    /// The rest of a quoted string, after its opening quote, with its escapes resolved.
    mutating func text(until quote: Unicode.Scalar) throws(Fault) -> String {
        var text = String.UnicodeScalarView()
        var bytes: [UInt8] = []
        // `\xHH` and `\OOO` are bytes; a run of them is decoded as UTF-8 once it ends.
        func flush() {
            guard !bytes.isEmpty else { return }
            text.append(contentsOf: String(decoding: bytes, as: UTF8.self).unicodeScalars)
            bytes.removeAll()
        }
        while let scalar = peek(), scalar != "\n" {
            position += 1
            if scalar == quote {
                flush()
                return String(text)
            }
            guard scalar == "\\" else {
                flush()
                text.append(scalar)
                continue
            }
            switch try escape(in: quote) {
            case .byte(let byte): bytes.append(byte)
            case .scalar(let scalar):
                flush()
                text.append(scalar)
            }
        }
        throw fault("literal not terminated")
    }

    private enum Escape {
        case scalar(Unicode.Scalar)
        case byte(UInt8)
    }

    private mutating func escape(in quote: Unicode.Scalar) throws(Fault) -> Escape {
        guard let scalar = peek() else { throw fault("literal not terminated") }
        position += 1
        switch scalar {
        case "a": return .scalar("\u{07}")
        case "b": return .scalar("\u{08}")
        case "f": return .scalar("\u{0c}")
        case "n": return .scalar("\n")
        case "r": return .scalar("\r")
        case "t": return .scalar("\t")
        case "v": return .scalar("\u{0b}")
        case "\\", quote: return .scalar(scalar)
        case "0"..."7":
            position -= 1
            return try byte(digits: 3, radix: 8)
        case "x": return try byte(digits: 2, radix: 16)
        case "U": return try scalarEscape(digits: 8)
        case "u":
            guard accept("{") else { return try scalarEscape(digits: 4) }
            let begin = position
            while let next = peek(), next != "}" { advance(over: next) }
            let digits = String(String.UnicodeScalarView(scalars[begin..<position]))
            guard accept("}"), (1...6).contains(digits.count), let code = UInt32(digits, radix: 16),
                let scalar = Unicode.Scalar(code)
            else { throw fault("invalid char escape") }
            return .scalar(scalar)
        default: throw fault("invalid char escape")
        }
    }

    private mutating func byte(digits: Int, radix: Int) throws(Fault) -> Escape {
        guard let byte = UInt8(exactly: try code(digits: digits, radix: radix)) else {
            throw fault("invalid char escape")
        }
        return .byte(byte)
    }

    private mutating func scalarEscape(digits: Int) throws(Fault) -> Escape {
        guard let scalar = Unicode.Scalar(try code(digits: digits, radix: 16)) else {
            throw fault("invalid char escape")
        }
        return .scalar(scalar)
    }

    private mutating func code(digits: Int, radix: Int) throws(Fault) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<digits {
            guard let scalar = peek(), scalar.isASCII, let digit = Character(scalar).hexDigitValue, digit < radix else {
                throw fault("invalid char escape")
            }
            code = code &* UInt32(radix) &+ UInt32(digit)
            position += 1
        }
        return code
    }
}
