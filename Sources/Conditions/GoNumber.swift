/// Numbers as Go's `strconv` and `fmt` read and write them.
enum GoNumber {
    /// `strconv.ParseInt(text, 10, 64)`.
    static func parseInt(_ text: String) throws(Complaint) -> Int64 {
        if let number = Int64(text) { return number }
        let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
        let wellFormed = !digits.isEmpty && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
        let reason = wellFormed ? "value out of range" : "invalid syntax"
        throw Complaint("strconv.ParseInt: parsing \(quoted(text)): \(reason)")
    }

    /// `strconv.ParseFloat(text, 64)`: also NaN, Inf, Infinity in any case, hexadecimal with `p`, `_` between digits.
    static func parseFloat(_ text: String) throws(Complaint) -> Double {
        func fault(_ reason: String) -> Complaint {
            Complaint("strconv.ParseFloat: parsing \(quoted(text)): \(reason)")
        }
        let lower = text.lowercased()
        let isHexadecimal = lower.contains("x")
        guard !lower.contains("("), isHexadecimal == lower.contains("p"), !lower.hasPrefix("_"), !lower.hasSuffix("_"),
            !lower.contains("__"), !["-nan", "+nan"].contains(lower), let number = Double(lower.filter { $0 != "_" })
        else { throw fault("invalid syntax") }
        if number.isInfinite, !lower.contains("inf") { throw fault("value out of range") }
        return number
    }

    /// The shortest decimal that reads back as `number`, never with an exponent (`FormatFloat(x, 'f', -1, 64)`).
    static func decimal(_ number: Double) -> String {
        guard number.isFinite else { return special(number) }
        let (negative, digits, point) = shortest(number)
        let sign = negative ? "-" : ""
        if point <= 0 {
            return digits == "0" ? sign + "0" : sign + "0." + String(repeating: "0", count: -point) + digits
        }
        if digits.count <= point { return sign + digits + String(repeating: "0", count: point - digits.count) }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }

    /// As `fmt` prints `%v`: with an exponent below 1e-4 and from 1e6.
    static func general(_ number: Double) -> String {
        guard number.isFinite else { return special(number) }
        let (negative, digits, point) = shortest(number)
        let exponent = point - 1
        guard digits != "0", exponent < -4 || exponent >= 6 else { return decimal(number) }
        let magnitude = String(abs(exponent))
        return (negative ? "-" : "") + digits.prefix(1) + (digits.count > 1 ? "." + digits.dropFirst() : "")
            + "e" + (exponent < 0 ? "-" : "+") + (magnitude.count < 2 ? "0" : "") + magnitude
    }

    private static func special(_ number: Double) -> String {
        number.isNaN ? "NaN" : number < 0 ? "-Inf" : "+Inf"
    }

    /// The shortest digits `d` of a finite number and the place of the point: 0.d × 10^point.
    private static func shortest(_ number: Double) -> (negative: Bool, digits: String, point: Int) {
        var text = number.description
        let negative = text.hasPrefix("-")
        if negative { text.removeFirst() }
        let parts = text.split(separator: "e", maxSplits: 1)
        let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let mantissa = parts[0].split(separator: ".", maxSplits: 1)
        var digits = mantissa.joined()
        var point = mantissa[0].count + exponent
        while digits.hasPrefix("0"), digits.count > 1 {
            digits.removeFirst()
            point -= 1
        }
        while digits.hasSuffix("0"), digits.count > 1 { digits.removeLast() }
        return (negative, digits, digits == "0" ? 0 : point)
    }
}
