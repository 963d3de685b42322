import Foundation
import Testing

@testable import EventSourcing

/// The quick reader reads what `JSONDecoder` reads, and leaves to it whatever it is not sure of.
@Suite struct JSONReaderTests {
    private struct Sample: Codable, Equatable {
        enum Kind: String, Codable { case plain, odd = "o\"dd" }
        enum Step: Codable, Equatable {
            case weight(Int)
            case pause(seconds: Int?)
            case none
        }

        var kind = Kind.odd
        var steps: [Step] = [.weight(5), .pause(seconds: nil), .pause(seconds: 3), .none]
        var text: String? = "é\u{1F600}\n\\\"/\u{01}"
        var missing: Int?
        var flags = [true, false]
        var numbers: [Double] = [0, -0.5, 1e300, 12345678901234568, 0.1]
        var large = UInt64.max
        var small = Int8.min
        var byRevision: [Int: [String]] = [1: ["a"], 22: []]
        var byName: [String: Int?] = ["": 0, "b\tc": nil]
        var took = Duration.milliseconds(1500)
        var at = Instant(microseconds: 1_764_000_000_123_456)
        var id = Identifier(UUID())
        var any: JSONValue = ["a": [1, .double(2.5), nil, true, "x", [:], []]]
        var anyAgain: [JSONValue?] = [nil, "x"]
    }

    @Test func `a value comes back as it was written`() throws {
        let sample = Sample()
        #expect(JSONReader.read(Sample.self, from: CanonicalJSON.text(sample)) == sample)
        let encoder = JSONEncoder()
        encoder.outputFormatting = .prettyPrinted
        #expect(
            JSONReader.read(Sample.self, from: String(decoding: try encoder.encode(sample), as: UTF8.self)) == sample)
    }

    @Test(arguments: [
        "null", "true", " false", "0", "-0", "-17", "9223372036854775807", "-2.50", "12.5E-1",
        #""a\u00e9\ud83d\ude00\n\/b""#, #""""#, "[]", "[ ]", "[1, [2, []], {}]", "{}",
        #"{ "a" : { "b" : [ null ] } , "" : 1 }"#,
        #"{"a\u0062":1,"c":{"d":"e"}}"#, #"{"x":"{[\"","y":[]}"#, "\"é\u{1F600}\"",
    ])
    func `any JSON is the same value`(text: String) throws {
        let wanted = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect(JSONReader.read(JSONValue.self, from: text) == wanted)
        #expect(JSONReader.read([JSONValue].self, from: "[\(text),\(text)]") == [wanted, wanted])
        #expect(JSONReader.read([String: JSONValue].self, from: "{\"k\": \(text)}") == ["k": wanted])
    }

    @Test func `a tree of any shape is the same value`() throws {
        var numbers = SystemRandomNumberGenerator()
        func tree(_ depth: Int) -> JSONValue {
            switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &numbers) {
            case 0: .null
            case 1: .bool(.random(using: &numbers))
            case 2: .int(.random(in: .min ... .max, using: &numbers))
            case 3: .double(.random(in: -1e9...1e9, using: &numbers))
            case 4: .string(String((0..<4).map { _ in "a\"\\\n\u{7}é\u{1F600}/".randomElement(using: &numbers)! }))
            case 5: .string("")
            case 6: .array((0..<4).map { _ in tree(depth - 1) })
            default:
                .object(
                    Dictionary(
                        (0..<4).map { ("k\($0)\"", tree(depth - 1)) }, uniquingKeysWith: { first, _ in first }))
            }
        }
        for _ in 0..<300 {
            let text = CanonicalJSON.text(tree(4))
            let wanted = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
            #expect(JSONReader.read(JSONValue.self, from: text) == wanted, "\(text)")
        }
    }

    @Test(arguments: [
        "", "{", "nul", "[1,]", "{\"a\":1,}", "01", "\"\\ud800\"", "[1] 2", "{\"a\":1,\"a\":2}", "18446744073709551615",
        "1e999", "1.0", "1e3", "[2.5,-0.0]",
    ])
    func `what is not JSON, or not plain, is left to the other one`(text: String) throws {
        #expect(JSONReader.read(JSONValue.self, from: text) == nil)
        // Whether both refuse it is what is asked; how they word it stands in the next test.
        let wanted = try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect((try? CanonicalJSON.read(JSONValue.self, from: text)) == wanted)
    }

    @Test func `what does not fit its type is told in the words of the other one`() throws {
        for text in [#"{"a":"x"}"#, "{}", #"{"a":1.5}"#, #"{"a":300}"#, "[]", #"{"a":null}"#] {
            var (mine, others) = ("", "")
            do { _ = try CanonicalJSON.read([String: Int8].self, from: text) } catch { mine = "\(error)" }
            do { _ = try JSONDecoder().decode([String: Int8].self, from: Data(text.utf8)) } catch {
                others = "\(error)"
            }
            #expect(mine == others, "\(text)")
        }
        #expect(try CanonicalJSON.read([Int].self, from: "[1.0]") == [1])
        #expect(try CanonicalJSON.read([Float].self, from: "[0.5]") == [0.5])
        #expect(try CanonicalJSON.read([Data].self, from: #"["AQI="]"#) == [Data([1, 2])])
        #expect(try CanonicalJSON.read([URL].self, from: #"["http://a/b"]"#) == [URL(string: "http://a/b")])
    }
}
