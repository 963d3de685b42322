internal import EventSourcing
internal import Yams

/// Turns YAML nodes into JSON and remembers where each stood; bounded in depth and size whatever aliases do.
struct YAMLConversion {
    /// Values that one text may come to once its aliases are followed.
    static let valueLimit = 500_000
    /// Lists and objects inside each other.
    static let depthLimit = 100
    /// The tag that stands for "plain, to be resolved".
    static let plainTag = "!plain"

    let file: String
    private var values = 0

    init(file: String) { self.file = file }

    mutating func convert(_ root: Node) throws(ManifestProblems) -> (JSONValue, SourceNode) {
        try convert(root, at: .root, depth: 0)
    }

    private mutating func convert(
        _ node: Node, at path: FieldPath, depth: Int
    ) throws(ManifestProblems) -> (JSONValue, SourceNode) {
        values += 1
        guard values <= Self.valueLimit else {
            throw problem(
                node, path, "the document comes to more than \(Self.valueLimit) values once its aliases are followed",
                fix: "write the values out, or split the file")
        }
        guard depth <= Self.depthLimit else {
            throw problem(
                node, path, "lists and objects stand inside each other more than \(Self.depthLimit) deep",
                fix: "flatten the document")
        }
        let mark = node.mark
        var source = SourceNode(line: mark?.line ?? 1, column: mark?.column ?? 1)
        switch node {
        case .scalar(let scalar):
            source.isScalar = true
            source.textColumn = scalar.textColumn
            return (try convert(scalar, node, at: path), source)
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for (index, element) in sequence.enumerated() {
                let (value, place) = try convert(element, at: path / index, depth: depth + 1)
                elements.append(value)
                source.elements.append(place)
            }
            return (.array(elements), source)
        case .mapping(let mapping):
            var members: [String: JSONValue] = [:]
            var merged: [Node] = []
            for (key, value) in mapping {
                if isMergeKey(key) {
                    merged.append(value)
                    continue
                }
                let name = try keyText(key, path)
                guard members[name] == nil else {
                    throw problem(
                        key, path / name, "the key \"\(name)\" is given twice", fix: "remove one of the two")
                }
                var (converted, place) = try convert(value, at: path / name, depth: depth + 1)
                place.keyLine = key.mark?.line
                place.keyColumn = key.mark?.column
                members[name] = converted
                source.members[name] = place
            }
            for other in merged { try merge(other, into: &members, &source, at: path, depth: depth) }
            return (.object(members), source)
        case .alias:
            throw problem(node, path, "an alias that leads nowhere", fix: "write the value out")
        }
    }

    /// Adds what a merge key (`<<`) names; what is already there stands.
    private mutating func merge(
        _ node: Node, into members: inout [String: JSONValue], _ source: inout SourceNode, at path: FieldPath,
        depth: Int
    ) throws(ManifestProblems) {
        var nodes = [node]
        if case .sequence(let sequence) = node { nodes = Array(sequence) }
        for node in nodes {
            let (value, place) = try convert(node, at: path, depth: depth + 1)
            guard case .object(let others) = value else {
                throw problem(
                    node, path / "<<", "map merge requires map or sequence of maps as the value",
                    fix: "name an object with `<<: *anchor`")
            }
            for (key, other) in others where members[key] == nil {
                members[key] = other
                source.members[key] = place.members[key]
            }
        }
    }

    private func isMergeKey(_ key: Node) -> Bool {
        guard case .scalar(let scalar) = key else { return false }
        return scalar.string == "<<" && scalar.style == .plain
    }

    private func keyText(_ key: Node, _ path: FieldPath) throws(ManifestProblems) -> String {
        guard case .scalar(let scalar) = key else {
            throw problem(key, path, "a key is a text, not a list or an object", fix: "write a plain name")
        }
        switch try convert(scalar, key, at: path) {
        case .string(let text): return text
        case .int(let number): return String(number)
        case .double(let number): return String(number)
        case .bool(let flag): return String(flag)
        case .null, .array, .object:
            throw problem(key, path, "a key is missing or null", fix: "write a name before the colon")
        }
    }

    private func convert(_ scalar: Node.Scalar, _ node: Node, at path: FieldPath) throws(ManifestProblems) -> JSONValue
    {
        let text = scalar.string
        guard !text.utf8.contains(0) else {
            throw problem(node, path, "the text holds U+0000, which JSON in a database cannot keep", fix: "remove it")
        }
        switch scalar.tag.rawValue {
        case Tag.Name.str.rawValue, Tag.Name.timestamp.rawValue, "!": return .string(text)
        case "", Self.plainTag: if scalar.style != .plain { return .string(text) }
        case Tag.Name.int.rawValue, Tag.Name.float.rawValue, Tag.Name.bool.rawValue, Tag.Name.null.rawValue: break
        default:
            throw problem(node, path, "the tag \(scalar.tag.rawValue) is not understood", fix: "remove the tag")
        }
        do throws(YAMLScalar.NotJSON) {
            return try YAMLScalar.resolve(text)
        } catch {
            throw problem(
                node, path, "\(text) is not a number that JSON has", fix: "write a finite number, or quote it")
        }
    }

    private func problem(_ node: Node, _ path: FieldPath, _ message: String, fix: String) -> ManifestProblems {
        ManifestProblems([
            ManifestProblem(
                file: file, line: node.mark?.line, column: node.mark?.column, field: path.description,
                value: nil, message: message, fix: fix)
        ])
    }
}

extension Node.Scalar {
    /// Where its characters begin if they stand on one line as they are.
    fileprivate var textColumn: Int? {
        guard let mark, !string.contains(where: \.isNewline) else { return nil }
        switch style {
        case .plain: return mark.column
        case .singleQuoted: return string.contains("'") ? nil : mark.column + 1
        case .doubleQuoted: return string.contains("\\") || string.contains("\"") ? nil : mark.column + 1
        case .any, .literal, .folded: return nil
        }
    }
}
