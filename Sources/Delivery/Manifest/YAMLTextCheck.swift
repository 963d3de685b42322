/// What is refused before the YAML parser sees a text.
enum YAMLTextCheck {
    static func check(_ text: String, file: String) throws(ManifestProblems) {
        let size = text.utf8.count
        guard size <= ManifestReader.sizeLimit else {
            throw problem(
                file, nil, "the text has \(size) bytes; at most \(ManifestReader.sizeLimit) are read",
                fix: "split it, and take large data out of it")
        }
        try checkCharacters(text, file)
        if hasAnchorAndAlias(text) { try checkKeys(text, file) }
    }

    /// Joins the `\ud83d\ude00` of a JSON text, which YAML does not know, into the character that it stands for.
    static func withSurrogatesJoined(_ text: String) -> String {
        guard let first = text.first(where: { !$0.isWhitespace }), first == "{" || first == "[", text.contains("\\u")
        else { return text }
        return text.replacing(#/\\u([dD][89aAbB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})/#) { match in
            guard let high = UInt32(match.1, radix: 16), let low = UInt32(match.2, radix: 16),
                let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
            else { return String(match.0) }
            return String(Character(scalar))
        }
    }

    /// - Source: YAML 1.1 §5.1, the printable characters.
    private static func checkCharacters(_ text: String, _ file: String) throws(ManifestProblems) {
        var line = 1
        var column = 1
        var isFirst = true
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A:
                line += 1
                column = 0
            case 0x09, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xFEFE, 0xFF00...0xFFFD, 0x10000...: break
            case 0xFEFF where isFirst: break
            default:
                let code = String(scalar.value, radix: 16, uppercase: true)
                let name = "U+" + String(repeating: "0", count: max(0, 4 - code.utf8.count)) + code
                throw problem(
                    file, (line, column), "the character \(name) is not allowed in YAML",
                    fix: "remove it, or write it as an escape in double quotes")
            }
            isFirst = false
            column += 1
        }
    }

    private static func hasAnchorAndAlias(_ text: String) -> Bool {
        text.contains(#/(?:^|[\s\[{,])&[^\s\[\]{},]/#) && text.contains(#/(?:^|[\s\[{,])\*[^\s\[\]{},]/#)
    }

    /// Refuses lists, objects and aliases as keys in a text with aliases.
    ///
    /// Comparing such keys follows the aliases, and a few lines can make that take for ever. Kubernetes refuses them too.
    private static func checkKeys(_ text: String, _ file: String) throws(ManifestProblems) {
        let complexKey =
            #/(?:^|[\s\[{,])\?(?:\s|$)|[\]}]\s*:(?:\s|$|[\[{*"'&!])|(?:^|[\s\[{,])\*[^\s\[\]{},]+\s+:(?:\s|$)/#
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard let match = line.firstMatch(of: complexKey) else { continue }
            let column = line.unicodeScalars.distance(from: line.startIndex, to: match.range.lowerBound) + 1
            throw problem(
                file, (index + 1, column), "beside aliases, a key is a plain or quoted name",
                fix: "write the key out as a name")
        }
    }

    private static func problem(
        _ file: String, _ place: (line: Int, column: Int)?, _ message: String, fix: String
    ) -> ManifestProblems {
        ManifestProblems([
            ManifestProblem(
                file: file, line: place?.line, column: place?.column, field: "-", message: message, fix: fix)
        ])
    }
}
