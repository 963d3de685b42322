import Conditions
import Testing

@Suite struct ConditionTests {
    private func error(_ source: String, for result: Value = .double(5)) -> ConditionError? {
        do throws(ConditionError) {
            _ = try Condition(source).holds(for: result)
            return nil
        } catch {
            return error
        }
    }

    private func value(of expression: String, _ result: Value = .null) throws -> Bool {
        try Condition(expression).holds(for: result)
    }

    // MARK: Places of errors

    @Test func `an error knows its line and column`() {
        let found = error("result > 1\n  && results < 3")
        #expect(found?.message == "unknown name results")
        #expect(found?.stage == .compile)
        #expect(found?.offset == 16)
        #expect(found?.line == 2)
        #expect(found?.column == 6)
        #expect(found?.description == "unknown name results (2:6)")
    }

    @Test func `an error of type is told apart from one of grammar and one of value`() {
        #expect(error("result >")?.stage == .compile)
        #expect(error("result > \"a\"")?.stage == .typing)
        #expect(error("result[3] > 1", for: .vector([1]))?.stage == .evaluation)
    }

    @Test func `the place of an evaluation error is the part that failed`() {
        #expect(error("true and result[3] > 1", for: .vector([1]))?.column == 16)
    }

    @Test func `a grammatical error is reported before a lexical one further on`() {
        #expect(error("result = \"unfinished")?.message == "unexpected token Operator(\"=\")")
        #expect(error("result == \"unfinished")?.message == "literal not terminated")
    }

    // MARK: Precedence

    @Test(arguments: [
        "1 + 2 * 3 == 7", "(1 + 2) * 3 == 9", "2 ** 3 ** 2 == 512", "-2 ** 2 == -4", "10 - 4 - 3 == 3",
        "true or false and false", "not (1 == 2)", "!(1 == 2) && true", "1 + 1 in [2, 3]", "4 not in [2, 3]",
        "1 < 2 < 3", "!(1 < 3 < 2)", "1 + 1..3 == [2, 3]", "3..1 == []", "7 % 4 == 3", "-7 % 4 == -3", "5 / 2 == 2.5",
        "true ? true : false", "(false ?: true)", "false ? false : 1 > 2 ? false : true", "(nil ?? 3) == 3",
        "1 == 1 == true", "[1, 2, 3] | sum() > 5", "[1, 2, 3] | filter(# > 1) | len() == 2",
        "if 1 > 2 { false } else if 1 > 3 { false } else { true }", "let a = 1; let b = a + 1; b == 2",
        "0x1F == 31 and 0b101 == 5 and 0o17 == 15 and 1_000 == 1e3 and .5 == 0.5",
        "// a comment\n 1 == 1 /* and another */", "\"a\" + 'b' == `ab`", "\"\\u0041\\x42\\103\\u{44}\" == \"ABCD\"",
        "\"\\xc3\\xa4\" == \"ä\"", "\"a\" < \"b\" and \"b\" >= \"b\"",
    ])
    func `operators bind as in expr-lang`(expression: String) throws {
        #expect(try value(of: expression))
    }

    @Test func `a negative number of the middle of a chain is compared on both sides`() throws {
        #expect(try !value(of: "1 < result < 10", .double(10)))
        #expect(try !value(of: "1 < result < 10", .double(1)))
    }

    // MARK: Members, slices, functions

    @Test(arguments: [
        "[1, 2, 3][-1] == 3", "[1, 2, 3][1:] == [2, 3]", "[1, 2, 3][:-1] == [1, 2]", "[1, 2, 3][5:9] == []",
        "\"hello\"[1:3] == \"el\"", "{\"a\": {b: 2}}.a.b == 2", "{\"a\": 1}?.b?.c == nil",
        "{(\"a\" + \"b\"): 1}.ab == 1",
        "abs(-3) == 3 and ceil(1.2) == 2 and floor(-1.2) == -2 and round(2.5) == 3 and round(-2.5) == -3",
        "max(1, [5, 2], 3) == 5 and min([4, 2.5]) == 2.5", "mean([1, 2, 3, 4]) == 2.5",
        "median([3, 1, 2]) == 2 and median(4, [1, 2], 3) == 2.5",
        "one([1, 2, 3], # == 2) and !one([2, 2], # == 2)", "count([true, false, true]) == 2",
        "map([1, 2], # * #index) == [0, 2]", "findIndex([1, 2, 3], # > 1) == 1 and findLastIndex([1, 2], # > 5) == nil",
        "findLast([1, 2, 3], # < 3) == 2", "reduce([1, 2, 3], #acc + #) == 6 and reduce([1], #acc + #, 10) == 11",
        "sort([3, 1, 2]) == [1, 2, 3] and sort([1, 2], \"desc\") == [2, 1]",
        "sortBy([{v: 2}, {v: 1}], .v)[0].v == 1", "all([1, 2], {let x = #; x > 0})",
        "any([[1], [2, 3]], {len(#) == 2})", "all([[1, 2], [3]], all(#, # > 0))", "sum([1, 2], # * 2) == 6",
        "first([7, 8]) == 7 and last([7, 8]) == 8 and first([]) == nil",
        "get([1], 4) == nil and get({a: 1}, \"a\") == 1",
        "take([1, 2, 3], 2) == [1, 2] and reverse([1, 2]) == [2, 1] and uniq([1, 1.0, 2]) == [1, 2]",
        "concat([1], [2]) == [1, 2] and flatten([1, [2, [3]]]) == [1, 2, 3]",
        "keys({b: 1, a: 2}) == [\"a\", \"b\"] and values({b: 1, a: 2}) == [2, 1]",
        "len(\"häh\") == 3 and len({a: 1}) == 1",
        "upper(\"a\") == \"A\" and lower(\"Ä\") == \"ä\" and trim(\"  a \") == \"a\" and trim(\"xax\", \"x\") == \"a\"",
        "split(\"a,b,c\", \",\") == [\"a\", \"b\", \"c\"] and split(\"a,b,c\", \",\", 2) == [\"a\", \"b,c\"]",
        "splitAfter(\"a,b\", \",\") == [\"a,\", \"b\"] and join([\"a\", \"b\"], \"-\") == \"a-b\"",
        "replace(\"aaa\", \"a\", \"b\") == \"bbb\" and replace(\"aaa\", \"a\", \"b\", 2) == \"bba\"",
        "indexOf(\"hello\", \"l\") == 2 and lastIndexOf(\"hello\", \"l\") == 3 and indexOf(\"a\", \"z\") == -1",
        "hasPrefix(\"abc\", \"ab\") and hasSuffix(\"abc\", \"bc\") and repeat(\"ab\", 2) == \"abab\"",
        "string(1.5) == \"1.5\" and string([1, nil]) == \"[1 <nil>]\" and string(1500000.0) == \"1.5e+06\"",
        "type(1) == \"int\" and type(1.0) == \"float\" and type([]) == \"array\" and type(nil) == \"nil\"",
        "int(\"12\") == 12 and int(3.9) == 3 and float(\"1e3\") == 1000 and asFloat(\"NaN\") != 1",
        "bitand(6, 3) == 2 and bitor(6, 3) == 7 and bitxor(6, 3) == 5 and bitshl(1, 4) == 16 and bitnot(0) == -1",
        "\"b\" not in {a: 1} and \"a\" in {a: 1} and 2.0 in [1, 2]", "{a: nil}.a contains \"a\" == false",
        "\"abc\" startsWith \"ab\" and not (\"abc\" endsWith \"ab\") and \"abc\" not contains \"x\"",
    ])
    func `access and built-in functions work as in expr-lang`(expression: String) throws {
        #expect(try value(of: expression))
    }

    @Test(arguments: [
        "now()", "date(\"2020-01-01\")", "toJSON(1)", "fromJSON(\"1\")", "groupBy([1], #)", "$env", "null",
    ])
    func `what is left out is an unknown name`(expression: String) {
        let name = expression.prefix { $0 != "(" }
        #expect(error("\(expression) == 1")?.message == "unknown name \(name)")
    }

    @Test(arguments: [
        ("result > 1 # comment", "unexpected token Operator(\"#\")"),
        ("result > 5ms", "bad number syntax: \"5m\""),
        ("all(result, # > 1", "unexpected token EOF"),
        ("all(result)", "expected at least 2 arguments"),
        ("abs(1, 2) > 1", "invalid number of arguments (expected 1, got 2)"),
        ("asInt() > 1", "not enough arguments to call asInt"),
        ("result == '\\q'", "invalid char escape"),
        ("result § 1", "unrecognized character: U+00A7 '§'"),
        (
            "9223372036854775808 > result",
            "invalid integer literal: strconv.ParseInt: parsing "
                + "\"9223372036854775808\": value out of range"
        ),
        ("let len = 1; len > 0", "cannot redeclare builtin len"),
        ("#", "unexpected token Operator(\"#\")"),
        ("any([1], # + 1)", "predicate should return boolean (got int)"),
        ("filter(result, true) == nil", "builtin filter takes only array (got float64)"),
        ("len(1..2000000) > 1", "memory budget exceeded"),
        ("reduce([], #acc) == 1", "reduce of empty array with no initial value"),
        ("\"a\" matches \"[z-a]\"", "error parsing regexp: invalid character class range: `z-a`"),
    ])
    func `a mistake is named`(condition: String, message: String) {
        #expect(error(condition)?.message == message)
    }

    // MARK: Limits

    @Test func `deep nesting is an error, not an exhausted stack`() {
        let deep = String(repeating: "(", count: 5_000) + "true" + String(repeating: ")", count: 5_000)
        #expect(error(deep)?.message == "expression is nested deeper than 300 levels")
        let brackets = String(repeating: "[", count: 5_000)
        #expect(error(brackets)?.message == "expression is nested deeper than 300 levels")
        let negations = String(repeating: "!", count: 5_000) + "true"
        #expect(error(negations)?.message == "expression is nested deeper than 300 levels")
        let long = Array(repeating: "true", count: 5_000).joined(separator: " and ")
        #expect(error(long)?.message == "expression is nested deeper than 300 levels")
        let ifs = String(repeating: "if true {true} else ", count: 5_000) + "{true}"
        #expect(error(ifs)?.message == "expression is nested deeper than 300 levels")
    }

    @Test func `two hundred alternatives are still an expression`() throws {
        let long = Array(repeating: "result == 1", count: 200).joined(separator: " or ") + " or result == 5"
        #expect(try Condition(long).holds(for: .double(5)))
    }

    @Test func `integer arithmetic wraps and never traps`() throws {
        #expect(try value(of: "9223372036854775807 + 1 < 0"))
        #expect(try value(of: "abs(-9223372036854775807 - 1) < 0"))
        #expect(try value(of: "(-9223372036854775807 - 1) % -1 == 0"))
        #expect(try value(of: "asInt(result) < 0", .double(.nan)))
        #expect(try value(of: "asInt(result) < 0", .double(1e300)))
        #expect(error("[1][-9223372036854775807 - 1] == 1")?.stage == .evaluation)
        #expect(try value(of: "[1][-9223372036854775807 - 1:9223372036854775807] == [1]"))
        #expect(error("(-9223372036854775807)..9223372036854775807 == []")?.message == "memory budget exceeded")
        #expect(try value(of: "5 in (-9223372036854775807)..9223372036854775807"))
        #expect(try value(of: "bitshl(1, 64) == 0"))
    }

    // MARK: Typing

    @Test func `members of JSON lists are typed when it runs, those of a vector before`() throws {
        let list = Value.vector([1, 2])
        #expect(throws: ConditionError.self) { try Condition("result[0] == \"x\"").holds(for: list) }
        #expect(try !Condition("result[0] == \"x\"").holds(for: list, typing: .json))
    }

    @Test func `conditions with the same text are equal`() throws {
        #expect(try Condition("result > 1") == Condition("result > 1"))
        #expect(try Condition("result > 1") != Condition("result > 2"))
    }
}
