/// Durations as Go writes them: `1h30m`, `500ms`, `-2.5s`, `0`.
///
/// - Source: Go, time.ParseDuration, messages included.
enum GoDuration {
    /// Why a text is no duration, in Go's words.
    struct Malformed: Error, Equatable {
        let message: String
    }

    static func parse(_ text: String) throws(Malformed) -> Duration {
        let quoted = "\"\(text)\""
        let malformed = Malformed(message: "time: invalid duration \(quoted)")
        var rest = Array(text.utf8)[...]
        let isNegative = rest.first == 45
        if isNegative || rest.first == 43 { rest.removeFirst() }
        if rest == [48] { return .zero }
        if rest.isEmpty { throw malformed }
        var total: Int64 = 0
        while !rest.isEmpty {
            let number = rest.prefix { isDigit($0) || $0 == 46 }
            guard number.contains(where: isDigit), number.count(where: { $0 == 46 }) <= 1 else { throw malformed }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !isDigit($0) && $0 != 46 }
            guard !unit.isEmpty else { throw Malformed(message: "time: missing unit in duration \(quoted)") }
            let name = String(decoding: unit, as: UTF8.self)
            guard let nanoseconds = units[name] else {
                throw Malformed(message: "time: unknown unit \"\(name)\" in duration \(quoted)")
            }
            rest = rest.dropFirst(unit.count)
            guard let part = amount(number, of: nanoseconds) else { throw malformed }
            let (sum, overflow) = total.addingReportingOverflow(part)
            if overflow { throw malformed }
            total = sum
        }
        return .nanoseconds(isNegative ? -total : total)
    }

    /// Seconds of a pause: a whole number, or a duration cut to whole seconds; `nil` for anything else.
    ///
    /// Not every one can be a pause: that has at most `Int32.max` seconds.
    ///
    /// - Source: Argo Rollouts, types.go `DurationSeconds`.
    static func pauseSeconds(_ text: String) -> Int? {
        if let seconds = Int(text) { return seconds }
        do throws(Malformed) { return Int(try parse(text).components.seconds) } catch { return nil }
    }

    private static let units: [String: Int64] = [
        "ns": 1, "us": 1000, "\u{B5}s": 1000, "\u{3BC}s": 1000, "ms": 1_000_000, "s": 1_000_000_000,
        "m": 60_000_000_000, "h": 3_600_000_000_000,
    ]

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    private static func amount(_ number: ArraySlice<UInt8>, of unit: Int64) -> Int64? {
        let parts = number.split(separator: 46, omittingEmptySubsequences: false)
        guard let whole = parts[0].isEmpty ? 0 : Int64(String(decoding: parts[0], as: UTF8.self)) else { return nil }
        let (product, overflow) = whole.multipliedReportingOverflow(by: unit)
        if overflow { return nil }
        guard parts.count == 2, !parts[1].isEmpty,
            let fraction = Double("0." + String(decoding: parts[1], as: UTF8.self))
        else { return product }
        return product.addingReportingOverflow(Int64(fraction * Double(unit))).overflow
            ? nil : product + Int64(fraction * Double(unit))
    }
}
