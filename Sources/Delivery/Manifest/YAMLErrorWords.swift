internal import Yams

/// Puts the YAML parser's errors into words, with line and column.
enum YAMLErrorWords {
    static func problem(_ error: YamlError, text: String, file: String) -> ManifestProblem {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let isMisplaced = problem.contains("mapping values are not allowed")
            let end = end(of: text)
            // What is cut short is missed by the parser somewhere behind the end, in lines that the file does not have.
            let isCutShort = (mark.line, mark.column) >= end
            let (line, column) =
                isCutShort ? end : (mark.line, isMisplaced ? startOfKey(before: mark, in: text) : mark.column)
            let before = context.map { "\($0.text.trimmingPrefix(while: \.isWhitespace)), " } ?? ""
            return ManifestProblem(
                file: file, line: line, column: column, field: "-", value: excerpt(line: line, of: text),
                message: "not YAML: \(before)\(problem)" + (isCutShort ? "; the text ends here" : ""),
                fix: fix(for: problem))
        case .duplicatedKeysInMapping(let duplicates, let context):
            let key = duplicates.first ?? ""
            let first = context.mark
            let second = repetition(of: key, after: first, in: text)
            return ManifestProblem(
                file: file, line: second?.line ?? first.line, column: second?.column ?? first.column, field: key,
                message: "the key \"\(key)\" is given twice"
                    + (second == nil ? "" : ", first at line \(first.line), column \(first.column)"),
                fix: "remove one of the two")
        case .no, .memory, .reader, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            return ManifestProblem(file: file, field: "-", message: "not YAML: \(error)", fix: "mend the text")
        }
    }

    /// The place right behind the last character that is no white space.
    private static func end(of text: String) -> (line: Int, column: Int) {
        var place = (line: 1, column: 1)
        var end = place
        for scalar in text.unicodeScalars {
            place = scalar == "\n" ? (place.line + 1, 1) : (place.line, place.column + 1)
            if !scalar.properties.isWhitespace { end = place }
        }
        return end
    }

    private static func fix(for problem: String) -> String {
        if problem.contains("mapping values are not allowed") {
            return "indent the line like its siblings, or quote a text that holds \": \""
        }
        if problem.contains("tab") || problem.contains("cannot start any token") {
            return "indent with spaces, and quote texts that begin with @, `, % or a tab"
        }
        if problem.contains("could not find expected ':'") { return "write a colon and a space after the key" }
        if problem.contains("undefined alias") { return "define the anchor (&name) before its alias (*name)" }
        if problem.contains("nesting") { return "flatten the document" }
        return "mend the text at this place: check indentation, quotes and brackets"
    }

    /// Where the key begins whose colon stands at `mark`.
    private static func startOfKey(before mark: Mark, in text: String) -> Int {
        guard let line = line(mark.line, of: text) else { return mark.column }
        let before = Array(line.unicodeScalars.prefix(mark.column - 1))
        var start = before.count
        while start > 0, !(start >= 2 && before[start - 1] == " " && before[start - 2] == ":") { start -= 1 }
        while start < before.count, before[start] == " " || before[start] == "-" { start += 1 }
        return start < before.count ? start + 1 : mark.column
    }

    /// The next line that has `key` in the same column, if nothing less indented comes before it.
    private static func repetition(of key: String, after first: Mark, in text: String) -> (line: Int, column: Int)? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for number in lines.indices.dropFirst(first.line) {
            let scalars = Array(lines[number].unicodeScalars)
            let indent = scalars.prefix { $0 == " " }.count
            if scalars.isEmpty || indent == scalars.count || scalars[indent] == "#" { continue }
            if indent < first.column - 1 { return nil }
            guard indent == first.column - 1 else { continue }
            let rest = String(String.UnicodeScalarView(scalars[indent...]))
            if ["\(key):", "\"\(key)\":", "'\(key)':"].contains(where: rest.hasPrefix) {
                return (number + 1, first.column)
            }
        }
        return nil
    }

    private static func excerpt(line number: Int, of text: String) -> String? {
        line(number, of: text).map { String($0.trimmingPrefix(while: \.isWhitespace).prefix(60)) }
            .flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func line(_ number: Int, of text: String) -> Substring? {
        let lines = text.split(separator: "\n", maxSplits: number, omittingEmptySubsequences: false)
        return lines.indices.contains(number - 1) ? lines[number - 1] : nil
    }
}
