import Conditions
import Testing

/// The expression table that was run on Argo Rollouts (expr-lang v1.17.8), row by row.
@Suite struct ArgoExpressionTableTests {
    enum Outcome: Sendable, Equatable {
        case holds(Bool)
        case fails(String)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let id: String
        let result: Value
        let condition: String
        let outcome: Outcome
        var typing = ResultTyping.inferred

        init(_ id: String, _ result: Value, _ condition: String, _ holds: Bool) {
            (self.id, self.result, self.condition, outcome) = (id, result, condition, .holds(holds))
        }

        init(_ id: String, _ result: Value, _ condition: String, fails message: String) {
            (self.id, self.result, self.condition, outcome) = (id, result, condition, .fails(message))
        }

        /// A row whose result is a JSON document.
        init(_ id: String, json: String, _ condition: String, _ outcome: Outcome) throws {
            (self.id, self.condition, self.outcome) = (id, condition, outcome)
            result = try Value(canonicalText: json)
            typing = .json
        }

        var testDescription: String { "row \(id): \(condition)" }
    }

    static func evaluate(_ row: Row) -> Outcome {
        do throws(ConditionError) {
            return .holds(try Condition(row.condition).holds(for: row.result, typing: row.typing))
        } catch {
            return .fails(error.message)
        }
    }

    static let nan = Value.double(.nan)
    static let f = Value.double
    static let v = Value.vector
    static let s = Value.string

    static let numbers: [Row] = [
        Row("1", f(0.95), "result >= 0.95", true),
        Row("2", v([0.96]), "result[0] >= 0.95", true),
        Row("3", v([0.96]), "result >= 0.95", fails: "invalid operation: >= (mismatched types []float64 and float64)"),
        Row("4", v([]), "result[0] >= 0.95", fails: "index out of range: 0 (array length is 0)"),
        Row("5", v([1, 2]), "result[5] > 1", fails: "index out of range: 5 (array length is 2)"),
        Row("6", v([3, 4]), "result[-3] > 1", fails: "index out of range: -1 (array length is 2)"),
        Row("7", v([1, 2]), "result[-1] == 2", true),
        Row("8", v([]), "len(result) == 0 or result[0] >= 0.95", true),
        Row("9", v([]), "isNil(result)", false),
        Row("10", v([]), "default(result, 0) == 0", false),
        Row("11", v([]), "(first(result) ?? 0) == 0", true),
        Row("12", v([]), "all(result, # > 5)", true),
        Row("12", v([]), "any(result, # > 5)", false),
        Row("12", v([]), "none(result, # > 5)", true),
        Row("13", v([]), "max(result) < 3", fails: "invalid operation: <nil> < int"),
        Row("14", v([]), "mean(result) == 0", true),
        Row("14", v([]), "sum(result) == 0", true),
        Row("15", v([0.5, 0.6]), "all(result, # >= 0.5)", true),
        Row("16", v([1, 2]), "sum(result) / len(result) <= 1.5", true),
        Row("17", v([1, 2, 3]), "count(result, # > 1) / len(result) > 0.5", true),
        Row(
            "18", v([1, 2, 3]), "result[0.5] > 0",
            fails: "array elements can only be selected using an integer (got float64)"),
        Row("19", v([1]), "isNaN(result)", fails: "cannot use []float64 as argument (type float64) to call isNaN "),
        Row("20", v([3]), "asInt(result) == 3", fails: "asInt() not supported on []float64 [3]"),
        Row("21", nan, "result == result", false),
        Row("21", nan, "result != 1", true),
        Row("22", nan, "isNaN(result)", true),
        Row("23", nan, "max(1, result) == 1", true),
        Row("23", nan, "max(result, 1) == 1", false),
        Row("24", nan, "default(result, 1) == 1", false),
        Row("25", f(.infinity), "isInf(result)", true),
        Row("26", f(5), "result == 5.0", true),
        Row("27", f(5), "result == \"5\"", fails: "invalid operation: == (mismatched types float64 and string)"),
        Row("28", f(0.5), "result == nil", false),
        Row("29", f(5), "result > 1 && result < 10", true),
        Row("30", f(5), "1 < result < 10", true),
        Row("31", f(5), "result in 1..10", true),
        Row("31", f(200.5), "result in 200..299", false),
        Row("32", f(3), "result % 2 == 1", fails: "invalid operation: % (mismatched types float64 and int)"),
        Row("33", f(3), "asInt(result) % 2 == 1", true),
        Row("34", f(1), "result / 0 > 5", true),
        Row("35", f(0), "result / 0 > 5", false),
        Row("36", f(0), "1 % 0 == 0", fails: "integer divide by zero"),
        Row("37", f(1), "result", fails: "expected bool, but got float64"),
        Row("38", f(0), "!result", fails: "invalid operation: ! (mismatched type float64)"),
        Row("39", f(5), "result = 5", fails: "unexpected token Operator(\"=\")"),
        Row("40", f(5), "result >", fails: "unexpected token EOF"),
        Row("40", f(5), "   ", fails: "unexpected token EOF"),
        Row("41", f(5), "results > 3", fails: "unknown name results"),
        Row("42", f(5), "true or unknown_name", fails: "unknown name unknown_name"),
        Row("43", f(5), "foo(result)", fails: "unknown name foo"),
        Row("44", f(5), "result.value > 3", fails: "type float64 has no field value"),
        Row("45", f(0.95), "result[0] > 0", fails: "type float64[int] is undefined"),
        Row("46", f(5), "result > 3 ? \"yes\" : \"no\"", fails: "expected bool, but got string"),
        Row("47", f(5), "if result > 3 { true } else { false }", true),
        Row("48", f(5), "let x = result * 2; x == 10", true),
        Row("49", f(0.95), "result >= 0.9 AND result < 1", fails: "unexpected token Identifier(\"AND\")"),
        Row("50", f(0.95), "result >= 95%", fails: "unexpected token EOF"),
        Row("50", f(0.95), "result >= 0,95", fails: "unexpected token Operator(\",\")"),
        Row("51", f(0.95), "result > 0.9; result > 2", false),
        Row("52", f(0.95), "result > 0 || asInt(\"abc\") > 0", true),
        Row(
            "53", f(0.95), "result > 0 && asInt(\"abc\") > 0",
            fails: "strconv.ParseInt: parsing \"abc\": invalid syntax"),
        Row("54", f(5), "let result = 3; result > 2", fails: "cannot redeclare result"),
        Row("55", f(0.3), "result >= 0.1 + 0.2", false),
        Row("56", f(5.9), "asInt(result) == 5", true),
        Row("56", f(-5.9), "asInt(result) == -5", true),
    ]

    static let texts: [Row] = [
        Row("57", s("5"), "result > 3", fails: "invalid operation: > (mismatched types string and int)"),
        Row("58", s("5"), "asInt(result) == 5", true),
        Row("59", s("5.5"), "asInt(result) == 5", fails: "strconv.ParseInt: parsing \"5.5\": invalid syntax"),
        Row("60", s("5.5"), "asFloat(result) == 5.5", true),
        Row("61", s("true"), "result", fails: "expected bool, but got string"),
        Row("62", s("healthy"), "result == \"healthy\"", true),
        Row("62", s("healthy"), "result in [\"healthy\", \"ok\"]", true),
        Row("63", s("healthy"), "result contains \"heal\" and result endsWith \"y\"", true),
        Row("64", s("healthy"), "result matches \"^h.*y$\"", true),
        Row("65", s("healthy"), "result matches \"(\"", fails: "error parsing regexp: missing closing ): `(`"),
        Row("66", s("12ms"), "float(trimSuffix(result, \"ms\")) < 20", true),
        // Row 67 (`duration`) does not hold: the time functions are left out.
        Row("67", s("12ms"), "duration(result) < duration(\"1s\")", fails: "unknown name duration"),
        Row("68", s("abc"), "result + 1 == \"abc1\"", fails: "invalid operation: + (mismatched types string and int)"),
        Row("69", .bool(true), "result", true),
        Row("69", .bool(true), "result == true", true),
        Row("69", .bool(true), "result == 1", fails: "invalid operation: == (mismatched types bool and int)"),
        Row("70", .null, "isNil(result)", true),
        Row("70", .null, "result == nil", true),
        Row("70", .null, "default(result, 0) == 0", true),
        Row("71", .null, "result > 0", fails: "invalid operation: > (mismatched types unknown and int)"),
        Row(
            "72", .null, "isNil(result) or result > 0",
            fails: "invalid operation: > (mismatched types unknown and int)"),
        Row("73", .null, "(result ?? 0) == 0", true),
        Row("74", .null, "asInt(result) == 1", fails: "asInt() not supported on <nil> <nil>"),
        Row("98", f(0), "not \"a\" in [\"a\"]", fails: "invalid operation: not (mismatched type string)"),
        Row(
            "99", f(0.95), "{{args.x}}",
            fails:
                "a map key must be a quoted string, a number, a identifier, or an expression enclosed in parentheses "
                + "(unexpected token Bracket(\"{\"))"),
    ]

    static func documents() throws -> [Row] {
        let absent = #"{"a":null}"#
        let five = #"{"a":5}"#
        let items = #"{"items":[{"s":"ok","v":1},{"s":"bad","v":9}]}"#
        func row(_ id: String, _ json: String, _ condition: String, _ holds: Bool) throws -> Row {
            try Row(id, json: json, condition, .holds(holds))
        }
        func row(_ id: String, _ json: String, _ condition: String, fails message: String) throws -> Row {
            try Row(id, json: json, condition, .fails(message))
        }
        return [
            try row("75", absent, "isNil(result.a)", false),
            try row("76", absent, "default(result.a, 3) == 3", false),
            try row("77", absent, "result.a == nil", true),
            try row("77", absent, "(result.a ?? 3) == 3", true),
            try row("78", absent, "result.a.b == nil", fails: "cannot fetch b from <nil>"),
            try row("78", absent, "result.a?.b == nil", true),
            try row("79", absent, "not result.a", fails: "interface conversion: interface {} is nil, not bool"),
            try row("80", "{}", "result.missing == nil", true),
            try row("80", "{}", "result.missing > 0", fails: "invalid operation: <nil> > int"),
            try row("81", #"{"b":5}"#, "\"a\" in result and result.a > 1", false),
            try row("82", #"{"a":"x"}"#, "result.a == 1", false),
            try row("82", #"{"a":"x"}"#, "result.a > 1", fails: "invalid operation: string > int"),
            try row("83", #"{"a":"5"}"#, "result.a == 5", false),
            try row("83", #"{"a":"5"}"#, "asFloat(result.a) == 5", true),
            try row("83", #"{"a":"5"}"#, "int(result.a) * 2 == 10", true),
            try row("84", #"{"a":1}"#, "true and result.a", fails: "expected bool, but got float64"),
            try row("85", #"{"a":1}"#, "result == {\"a\": 1}", false),
            try row("85", #"{"a":1}"#, "result == {\"a\": 1.0}", true),
            try row(
                "86", #"{"code":200,"status":"ok"}"#, "result.status == \"ok\" and result.code in [200, 204]", true),
            try row("87", #"{"ok":0,"total":0}"#, "result.ok / result.total >= 0.9", false),
            try row("88", #"{"ok":9,"total":10}"#, "result.ok / result.total >= 0.9", true),
            try row("89", #"{"a-b":1}"#, "result[\"a-b\"] == 1", true),
            try row("89", #"{"a-b":1}"#, "result.a-b == 1", fails: "unknown name b"),
            try row("90", items, "all(result.items, .v < 5)", false),
            try row("91", items, "len(filter(result.items, .s == \"ok\")) >= 1", true),
            try row("92", items, "sum(map(result.items, .v)) == 10", true),
            try row("92", items, "find(result.items, .s == \"none\") == nil", true),
            try row("93", five, "all(result.a, # > 1)", fails: "reflect: call of reflect.Value.Len on float64 Value"),
            try row(
                "94", five, "result.a contains \"b\"",
                fails: "interface conversion: interface {} is float64, not string"),
            try row(
                "95", five, "result.a ?? 1 > 2",
                fails: "Operator (>) and coalesce expressions (??) cannot be mixed. Wrap either by parentheses."),
            try row("96", #"[{"count":3}]"#, "result[0].count == 3", true),
            try row("97", "[0.5,null]", "all(result, # > 0)", fails: "invalid operation: <nil> > int"),
            try row("97", "[0.5,null]", "all(result, # != nil)", false),
        ]
    }

    @Test(arguments: numbers) func `a condition on numbers comes out as in Argo`(row: Row) {
        #expect(ArgoExpressionTableTests.evaluate(row) == row.outcome)
    }

    @Test(arguments: texts) func `a condition on text, truth or nothing comes out as in Argo`(row: Row) {
        #expect(ArgoExpressionTableTests.evaluate(row) == row.outcome)
    }

    @Test func `a condition on a JSON document comes out as in Argo`() throws {
        for row in try ArgoExpressionTableTests.documents() {
            #expect(ArgoExpressionTableTests.evaluate(row) == row.outcome, "row \(row.id): \(row.condition)")
        }
    }
}
