import Conditions
import Testing

@Suite struct ValueTextTests {
    @Test(arguments: [
        (Value.double(0.5), "0.5"), (.double(0.0125), "0.0125"), (.double(1), "1"), (.double(100), "100"),
        (.double(1e21), "1000000000000000000000"), (.double(1.5e-7), "0.00000015"), (.double(-0.0), "-0"),
        (.double(123456.789), "123456.789"), (.double(.nan), "NaN"), (.double(.infinity), "+Inf"),
        (.double(-.infinity), "-Inf"), (.vector([]), "[]"), (.vector([0.0125]), "[0.0125]"),
        (.vector([1, .nan, 0.1 + 0.2]), "[1,NaN,0.30000000000000004]"), (.null, "null"), (.bool(true), "true"),
        (.string("a \"b\"\n"), "\"a \\\"b\\\"\\n\""), (.map(["b": .double(1), "a": .null]), "{\"a\":null,\"b\":1}"),
        (.int(7), "7"),
    ])
    func `a value prints in canonical form`(value: Value, text: String) {
        #expect(value.canonicalText == text)
    }

    @Test(arguments: [
        Value.double(0.0125), .double(.leastNonzeroMagnitude), .double(1.7976931348623157e308), .double(.infinity),
        .vector([1, 2.5]),
        .null, .bool(false), .string("[1]"), .string("ä\u{1}\u{1F600}\\"),
        .map(["k": .array([.string("x"), .map([:])])]), .vector([]),
    ])
    func `what was stored reads back equal`(value: Value) throws {
        #expect(try Value(canonicalText: value.canonicalText) == value)
    }

    @Test func `NaN and whole numbers read back as doubles`() throws {
        guard case .double(let number) = try Value(canonicalText: "NaN") else {
            Issue.record("NaN is not a number")
            return
        }
        #expect(number.isNaN)
        #expect(try Value(canonicalText: Value.int(3).canonicalText) == .double(3))
    }

    @Test func `text that stands alone is shown without quotes`() {
        #expect(Value.string("healthy").displayText == "healthy")
        #expect(Value.array([.string("a")]).displayText == "[\"a\"]")
    }

    @Test(arguments: ["", "[1", "{\"a\"}", "nan", "0x1", "1e999", "[1,]", "1 2", "\"\\q\"", "\"open"])
    func `text that is no value is refused`(text: String) {
        #expect(throws: ValueTextError.self) { try Value(canonicalText: text) }
    }

    @Test func `a hostile depth is refused`() {
        #expect(throws: ValueTextError.self) { try Value(canonicalText: String(repeating: "[", count: 100_000)) }
    }
}
