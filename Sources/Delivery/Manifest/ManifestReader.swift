internal import EventSourcing
internal import Yams

/// Reads manifests: YAML as Kubernetes takes it, or JSON; one or several documents in a text.
public enum ManifestReader {
    /// The longest text that is read: 3 MiB, the limit of a Kubernetes request.
    public static let sizeLimit = 3 * 1024 * 1024

    /// The documents of `text` in their order; empty ones left out, the items of a `List` each by itself.
    ///
    /// Booleans are those of YAML 1.1 (`yes`, `on`), as in Kubernetes. Anchors, aliases and merge keys are followed.
    ///
    /// - Parameter file: The name to put into problems.
    /// - Throws: One problem with line and column for text that is no YAML, holds a key twice, is too large, too deep,
    ///   or too large once its aliases are followed.
    public static func documents(yaml text: String, file: String) throws(ManifestProblems) -> [ManifestDocument] {
        try YAMLTextCheck.check(text, file: file)
        var conversion = YAMLConversion(file: file)
        var documents: [ManifestDocument] = []
        for root in try compose(text, file: file) {
            let (value, source) = try conversion.convert(root)
            if value.isNull { continue }
            guard case .object = value else {
                throw ManifestProblems([
                    ManifestProblem(
                        file: file, line: source.line, column: source.column, field: "-",
                        value: ManifestFindings.short(value), message: "a manifest is an object",
                        fix: "begin with apiVersion, kind and metadata")
                ])
            }
            unfold(value, source, file: file, into: &documents)
        }
        return documents
    }

    private static func unfold(
        _ value: JSONValue, _ source: SourceNode, file: String, into documents: inout [ManifestDocument]
    ) {
        if let kind = value["kind"]?.stringValue, kind.hasSuffix("List"), case .array(let items) = value["items"] {
            let places = source.members["items"]?.elements ?? []
            for (item, place) in zip(items, places) {
                documents.append(ManifestDocument(item, file: file, index: documents.count, source: place))
            }
        } else {
            documents.append(ManifestDocument(value, file: file, index: documents.count, source: source))
        }
    }

    private static func compose(_ text: String, file: String) throws(ManifestProblems) -> [Node] {
        // The new lines keep short texts on the heap, where the parser's pointer to them stays good.
        var text = YAMLTextCheck.withSurrogatesJoined(text) + String(repeating: "\n", count: 16)
        text.makeContiguousUTF8()
        do {
            let rule = try Resolver.Rule(Tag.Name(rawValue: YAMLConversion.plainTag), "^")
            let parser = try Parser(yaml: text, resolver: Resolver.basic.appending(rule), encoding: .utf8)
            var roots: [Node] = []
            while let root = try parser.nextRoot() { roots.append(root) }
            return roots
        } catch let error as YamlError {
            throw ManifestProblems([YAMLErrorWords.problem(error, text: text, file: file)])
        } catch {
            throw ManifestProblems([
                ManifestProblem(file: file, field: "-", message: "not YAML: \(error)", fix: "mend the text")
            ])
        }
    }
}
