import Delivery
import EventSourcing
import Testing

struct ManifestReaderTests {
    private func value(_ yaml: String) throws -> JSONValue {
        try ManifestReader.documents(yaml: "v: \(yaml)\n", file: "a.yaml")[0].value["v"] ?? .null
    }

    private func problem(_ yaml: String) throws -> ManifestProblem {
        do {
            let documents = try ManifestReader.documents(yaml: yaml, file: "a.yaml")
            Issue.record("read as \(documents.map(\.value))")
            throw CancellationError()
        } catch let problems as ManifestProblems {
            return try #require(problems.problems.first)
        }
    }

    @Test func `scalars are what Kubernetes reads`() throws {
        let table: [(String, JSONValue)] = [
            ("yes", true), ("No", false), ("on", true), ("OFF", false), ("y", "y"), ("n", "n"), ("true", true),
            ("~", .null), ("null", .null), ("12", 12), ("-5", -5), ("+7", 7), ("0x10", 16), ("0o17", 15), ("017", 15),
            ("08", 8), ("0b101", 5), ("1_000", 1000), ("1.5", .double(1.5)), ("1.0", 1), ("1e3", 1000),
            (".5", .double(0.5)), ("1.", 1), ("1.2.3", "1.2.3"), ("10m", "10m"), ("25%", "25%"),
            ("2026-11-24", "2026-11-24"), ("2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z"), ("1:30", "1:30"),
            ("'yes'", "yes"), ("\"12\"", "12"), ("!!str yes", "yes"), ("!!int \"12\"", 12), ("yesterday", "yesterday"),
            ("18446744073709551615", .double(18_446_744_073_709_551_616)), ("'a\\n'", "a\\n"), ("\"a\\n\"", "a\n"),
            ("0", 0), ("-0", 0), ("--5", "--5"), ("1e", "1e"), ("e1", "e1"),
        ]
        for (text, wanted) in table { #expect(try value(text) == wanted, "\(text)") }
    }

    @Test(arguments: [".nan", ".inf", "-.INF", "1e999"])
    func `numbers that JSON has not are refused`(text: String) throws {
        let problem = try problem("v: \(text)")
        #expect(problem.line == 1 && problem.column == 4)
        #expect(problem.field == "v")
    }

    @Test func `JSON is read as well, with characters beyond the basic plane`() throws {
        let text = #"{"kind": "Rollout", "a": ["\ud83d\ude00", "\u00e9", "x\/y", 1.5, true, null]}"#
        let documents = try ManifestReader.documents(yaml: text, file: "a.json")
        #expect(documents[0].value["a"] == ["😀", "é", "x/y", .double(1.5), true, nil])
        #expect(documents[0].kind == "Rollout")
    }

    @Test func `documents are counted, empty ones are not, lists are unfolded`() throws {
        let documents = try ManifestReader.documents(
            yaml: """
                # nothing
                ---
                ---
                kind: A
                ---
                kind: List
                items:
                  - kind: B
                    metadata: {name: b}
                  - kind: C
                ---
                """, file: "a.yaml")
        #expect(documents.map(\.kind) == ["A", "B", "C"])
        #expect(documents.map(\.index) == [0, 1, 2])
        let place = try #require(documents[1].location(of: FieldPath("metadata", "name")))
        #expect(place == (9, 22))
    }

    @Test func `nothing is no document`() throws {
        #expect(try ManifestReader.documents(yaml: "", file: "a.yaml").isEmpty)
        #expect(try ManifestReader.documents(yaml: "# only words\n", file: "a.yaml").isEmpty)
    }

    @Test func `fields are found by line and column`() throws {
        let document = try ManifestReader.documents(
            yaml: """
                kind: X
                spec:
                  steps:
                    - setWeight: 5
                    - pause: {duration: "2m", "kind": 'ä', a: 1}
                """, file: "a.yaml")[0]
        let steps = FieldPath("spec", "steps")
        func place(_ path: FieldPath) -> [Int]? { document.location(of: path).map { [$0.line, $0.column] } }
        #expect(place(FieldPath("kind")) == [1, 7])
        #expect(place(steps / 0 / "setWeight") == [4, 18])
        #expect(place(steps / 1 / "pause" / "duration") == [5, 25])
        #expect(place(steps / 1 / "pause" / "a") == [5, 47])
        #expect(place(steps / 1 / "pause") == [5, 7])
        #expect(place(steps / 1) == [5, 7])
        #expect(place(steps) == [3, 3])
        // Of what is missing, what is nearest.
        #expect(place(steps / 7) == [3, 3])
        #expect(place(FieldPath("spec", "selector", "matchLabels")) == [2, 1])
        #expect(place(.root) == [1, 1])
        #expect((steps / 1 / "a.b/c").description == "spec.steps[1]['a.b/c']")
    }

    @Test func `aliases and merge keys are followed`() throws {
        let document = try ManifestReader.documents(
            yaml: """
                base: &base {a: 1, b: 2}
                other: &other {b: 3, c: 4}
                copy: *base
                merged: {<<: *base, a: 9}
                several:
                  <<: [*base, *other]
                """, file: "a.yaml")[0].value
        #expect(document["copy"] == ["a": 1, "b": 2])
        #expect(document["merged"] == ["a": 9, "b": 2])
        #expect(document["several"] == ["a": 1, "b": 2, "c": 4])
    }

    @Test func `an alias bomb is refused at once`() throws {
        var bomb = "l0: &l0 [a, a, a, a, a, a, a, a, a]\n"
        for level in 1...30 {
            bomb +=
                "l\(level): &l\(level) [" + Array(repeating: "*l\(level - 1)", count: 9).joined(separator: ", ") + "]\n"
        }
        // Unfolded it would hold 9^30 elements: that this returns at all says that it was not.
        #expect(try problem(bomb).message.contains("aliases"))
    }

    @Test(arguments: ["? *l20\n: 1", "*l20 : 1", "{*l20 : 1}", "{? *l20 : 1}", "[*l20]: 1", "- ? [*l20]\n  : 1"])
    func `an alias bomb as a key is refused at once`(key: String) throws {
        var bomb = "- &l0 [a, a]\n"
        for level in 1...60 { bomb += "- &l\(level) [*l\(level - 1), *l\(level - 1)]\n" }
        #expect(try problem(bomb + "---\n" + key).line != nil)
    }

    @Test func `a key given twice is an error with both places`() throws {
        let problem = try problem(
            """
            kind: Rollout
            spec:
              replicas: 1
              paused: true
              replicas: 2
            """)
        #expect(problem.line == 5 && problem.column == 3)
        #expect(problem.message == "the key \"replicas\" is given twice, first at line 3, column 3")
        #expect(try self.problem("{a: 1, \"a\": 2}").message.contains("given twice"))
    }

    @Test func `text that is no YAML is refused with line and column`() throws {
        let misplaced = try problem("apiVersion: v1\nkind: Rollout\n  metadata: {name: x}\n")
        #expect(misplaced.line == 3 && misplaced.column == 3)
        #expect(misplaced.field == "-")
        #expect(misplaced.description.hasPrefix("a.yaml:3:3: error: -: not YAML: mapping values are not allowed"))
        #expect(try problem("a: b: c").column == 4)
        #expect(try problem("a: [1, 2\nb: 3").line == 2)
        #expect(try problem("a:\n\t- b").line == 2)
        #expect(try problem("a: *nowhere").message.contains("undefined alias"))
        #expect(try problem("just words").message == "a manifest is an object")
        #expect(try problem("[1]").message == "a manifest is an object")
    }

    @Test(arguments: [
        ("a: [1,\n", 1, 7), ("a: [1,", 1, 7), ("a: 1\nb: \"x\n\n\n", 2, 6), ("a: 'x", 1, 6),
        ("kind: X\nspec: {a: 1", 2, 12), ("kind: X\nspec:\n  steps: [{a: b}\n\n# and no more\n", 5, 14),
        ("{\"kind\": \"X\",\n \"spec\": {", 2, 11), ("a: &", 1, 5), ("a: 1\nb", 2, 2),
    ])
    func `text that is cut short is refused at its last line, not behind it`(
        _ text: String, _ line: Int, _ column: Int
    ) throws {
        let problem = try problem(text)
        #expect(problem.line == line && problem.column == column, "\(problem)")
        #expect(problem.message.contains("not YAML"))
    }

    @Test func `hostile text is refused with its place`() throws {
        let zero = try problem("a: 1\nb: x\u{0}y\n")
        #expect(zero.line == 2 && zero.column == 5)
        #expect(zero.message.contains("U+0000"))
        #expect(try problem("a: \"x\\0y\"").message.contains("U+0000"))
        #expect(try problem("a: \u{7}").message.contains("U+0007"))
        #expect(try problem(String(repeating: "[", count: 100_000)).message.contains("nesting"))
        #expect(try problem(String(repeating: "- ", count: 100_000)).message.contains("nesting"))
        let deep = "a: " + String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
        #expect(try problem(deep).message.contains("deep"))
        #expect(try problem(String(repeating: "a", count: 10_000_000)).message.contains("10000000 bytes"))
        #expect(try problem("a: !!python/object x").message.contains("tag"))
        #expect(try problem("? [a, b]\n: c").message.contains("key"))
        #expect(try problem("~: 1").message.contains("key"))
    }

    @Test func `three megabytes are read in reasonable time`() throws {
        var text = "kind: X\nlist:\n"
        while text.utf8.count < 3_000_000 { text += "  - {name: some-name, value: \"some value of some length\"}\n" }
        let documents = try ManifestReader.documents(yaml: text, file: "a.yaml")
        #expect(documents.count == 1)
    }
}
