extension Duration {
    /// ISO 8601 text in seconds, to the microsecond: `PT1.5S`; `-` before it if negative.
    public var iso8601: String {
        let (seconds, attoseconds) = components
        let isNegative = seconds < 0 || attoseconds < 0
        let fraction = String(abs(attoseconds) / 1_000_000_000_000)
        var digits = String(repeating: "0", count: 6 - fraction.utf8.count) + fraction
        while digits.last == "0" { digits.removeLast() }
        return (isNegative ? "-" : "") + "PT\(abs(seconds))" + (digits.isEmpty ? "" : ".\(digits)") + "S"
    }
}
