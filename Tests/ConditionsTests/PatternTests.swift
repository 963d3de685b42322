import Conditions
import Testing

@Suite struct PatternTests {
    @Test(arguments: [
        ("", "anything", true), ("a", "latency", true), ("^a", "latency", false), ("^lat.*y$", "latency", true),
        ("a|b", "xbx", true), ("(ab)+c", "ababc", true), ("(?:ab){2,3}$", "abab", true), ("^(ab){2}$", "ab", false),
        ("^a{0,2}$", "aaa", false), ("^[a-c]+$", "abcd", false), ("[^0-9]", "123", false), ("\\d{3}", "a123", true),
        ("^\\w+$", "a_1", true), ("\\bcat\\b", "a cat.", true), ("\\bcat\\b", "concat", false),
        ("(?i)HEALTHY", "Healthy", true),
        ("(?i:a)B", "ab", false), ("a.c", "a\nc", false), ("(?s)a.c", "a\nc", true), ("(?m)^b$", "a\nb", true),
        ("^b$", "a\nb", false), ("[[:alpha:]]+-[[:digit:]]", "ab-1", true), ("[]a]", "]", true),
        ("a{,2}", "a{,2}", true),
        ("\\.", "a.b", true), ("\\Qa.b\\E", "axb", false), ("(?P<n>x)", "x", true), ("(?<n>x)", "x", true),
        ("x*?y", "xxy", true),
        ("^(a|b)*$", "abba", true), ("\\x41\\x{42}", "AB", true), ("[\\d\\-]+$", "1-2", true), (".*", "", true),
        ("ä+", "ää", true),
        ("(a*)*b", String(repeating: "a", count: 5_000), false),
    ])
    func `a pattern matches as in Go`(pattern: String, text: String, matches: Bool) throws {
        #expect(try Pattern(pattern).matches(text) == matches)
    }

    @Test(arguments: [
        ("*", "missing argument to repetition operator: `*`"), ("(", "missing closing ): `(`"),
        ("a)", "unexpected ): `a)`"), ("[a", "missing closing ]: `[a`"),
        ("a**", "invalid nested repetition operator: `**`"), ("a{1001}", "invalid repeat count: `{1001}`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"), ("\\y", "invalid escape sequence: `\\y`"),
        ("\\", "trailing backslash at end of expression: ``"), ("\\pL", "invalid escape sequence: `\\p`"),
    ])
    func `a broken pattern is refused with Go's words`(pattern: String, reason: String) {
        #expect(throws: PatternError(message: "error parsing regexp: " + reason)) { try Pattern(pattern) }
    }

    @Test func `nested repetition cannot make a program without end`() {
        #expect(throws: PatternError.self) { try Pattern("(((){1000}){1000}){1000}") }
        #expect(throws: PatternError.self) { try Pattern(String(repeating: "(", count: 10_000)) }
    }
}
