import EventSourcing

/// The start or end of a range: sums and differences of `now()` and `duration("5m")`.
///
/// - Source: Argo Rollouts, metricproviders/prometheus, `rangeQuery`; the part of expr-lang its examples use.
enum TimeExpression {
    private enum Term {
        case time(Instant)
        case duration(Duration)
    }

    /// - Throws: A problem that says what is expected at which place.
    static func time(_ text: String, now: Instant) throws(MetricSourceProblem) -> Instant {
        var parser = Parser(rest: text[...], now: now)
        let result = try parser.sum()
        parser.skipSpace()
        guard parser.rest.isEmpty else {
            throw MetricSourceProblem(
                "unexpected \"\(parser.rest.prefix(20))\"; write for instance now() - duration(\"5m\")")
        }
        guard case .time(let instant) = result else {
            throw MetricSourceProblem("expected time.Time, but got time.Duration")
        }
        return instant
    }

    /// A length of time as Go writes it, such as `1h30m` or `-1.5s`.
    ///
    /// - Source: Go, `time.ParseDuration`.
    static func duration(_ text: String) throws(MetricSourceProblem) -> Duration {
        let problem = MetricSourceProblem("invalid duration \"\(text)\"; write for instance 30s, 5m or 1h30m")
        var rest = text[...]
        let isNegative = rest.hasPrefix("-")
        if isNegative || rest.hasPrefix("+") { rest = rest.dropFirst() }
        if rest == "0" { return .zero }
        guard !rest.isEmpty else { throw problem }
        var nanoseconds = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { !($0.isASCII && ($0.isNumber || $0 == ".")) }
            rest = rest.dropFirst(unit.count)
            let scales: [String: Double] = [
                "ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 6e10, "h": 3.6e12,
            ]
            guard let number = Double(digits.hasPrefix(".") ? "0" + digits : String(digits)),
                let scale = scales[String(unit)]
            else { throw problem }
            nanoseconds += number * scale
        }
        guard nanoseconds < 9.2e18 else { throw problem }
        return .nanoseconds(Int64(isNegative ? -nanoseconds : nanoseconds))
    }

    private struct Parser {
        var rest: Substring
        let now: Instant
        var depth = 0

        init(rest: Substring, now: Instant) {
            self.rest = rest
            self.now = now
        }

        mutating func sum() throws(MetricSourceProblem) -> Term {
            var left = try term()
            while true {
                skipSpace()
                guard let sign = rest.first, sign == "+" || sign == "-" else { return left }
                rest = rest.dropFirst()
                left = try combine(left, sign, try term())
            }
        }

        private func combine(_ left: Term, _ sign: Character, _ right: Term) throws(MetricSourceProblem) -> Term {
            switch (left, right) {
            case (.time(let time), .duration(let length)): .time(sign == "+" ? time + length : time - length)
            case (.duration(let one), .duration(let other)): .duration(sign == "+" ? one + other : one - other)
            case (.duration(let length), .time(let time)) where sign == "+": .time(time + length)
            case (.time(let one), .time(let other)) where sign == "-": .duration(one.since(other))
            default: throw MetricSourceProblem("invalid operation: \(sign) between these times and durations")
            }
        }

        private mutating func term() throws(MetricSourceProblem) -> Term {
            skipSpace()
            if take("(") {
                depth += 1
                guard depth <= 50 else { throw MetricSourceProblem("too many parentheses") }
                let inner = try sum()
                depth -= 1
                try expect(")")
                return inner
            }
            if take("now") {
                try expect("(")
                try expect(")")
                return .time(now)
            }
            if take("duration") {
                try expect("(")
                skipSpace()
                guard let quote = rest.first, quote == "\"" || quote == "'" else {
                    throw MetricSourceProblem("duration takes text in quotes; write for instance duration(\"5m\")")
                }
                rest = rest.dropFirst()
                let text = rest.prefix { $0 != quote }
                rest = rest.dropFirst(text.count + 1)
                try expect(")")
                return .duration(try TimeExpression.duration(String(text)))
            }
            throw MetricSourceProblem(
                "cannot read \"\(rest.prefix(20))\"; only now() and duration(\"…\") with + and - are supported")
        }

        mutating func skipSpace() { rest = rest.drop { $0.isWhitespace } }

        private mutating func take(_ word: String) -> Bool {
            guard rest.hasPrefix(word) else { return false }
            rest = rest.dropFirst(word.count)
            return true
        }

        private mutating func expect(_ word: String) throws(MetricSourceProblem) {
            skipSpace()
            guard take(word) else { throw MetricSourceProblem("expected \(word) before \"\(rest.prefix(20))\"") }
        }
    }
}
