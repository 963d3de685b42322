public import EventSourcing

/// One document of a manifest, with the place of each of its fields in the text.
public struct ManifestDocument: Sendable {
    /// The file it came from, as the caller named it; empty if it came from none.
    public let file: String
    /// Its place among the documents of the file, from 0; items of a `List` count each.
    public let index: Int
    /// Everything that it says, every field kept.
    public let value: JSONValue
    let source: SourceNode?

    /// Wraps a document that was not read from text.
    public init(_ value: JSONValue, file: String = "", index: Int = 0) {
        self.init(value, file: file, index: index, source: nil)
    }

    init(_ value: JSONValue, file: String, index: Int, source: SourceNode?) {
        self.value = value
        self.file = file
        self.index = index
        self.source = source
    }

    /// `apiVersion`; empty if it is missing or no text.
    public var apiVersion: String { value["apiVersion"]?.stringValue ?? "" }
    /// `kind`; empty if it is missing or no text.
    public var kind: String { value["kind"]?.stringValue ?? "" }
    /// `metadata.namespace`, if it is given.
    public var namespace: String? { value["metadata"]?["namespace"]?.stringValue }
    /// `metadata.name`; empty if it is missing or no text.
    public var name: String { value["metadata"]?["name"]?.stringValue ?? "" }

    /// Where `path` stands in the text, both from 1: a scalar's first character, else the name of the field.
    ///
    /// Of a path that the document does not have, the nearest field above it; `nil` without text.
    public func location(of path: FieldPath) -> (line: Int, column: Int)? {
        source.map { $0.location(of: path) }
    }

    /// Where the character `offset` (from 0) of the text at `path` stands; `nil` unless it is on one line.
    func location(ofCharacter offset: Int, at path: FieldPath) -> (line: Int, column: Int)? {
        guard let node = source?.node(at: path), let start = node.textColumn else { return nil }
        return (node.line, start + offset)
    }
}

/// The place of a value in the text, and the places of what it holds.
struct SourceNode: Sendable {
    /// Where the value begins; lines and columns count from 1.
    var line: Int
    var column: Int
    /// Where the name of the member begins whose value this is.
    var keyLine: Int?
    var keyColumn: Int?
    /// Where the characters of a text on one line begin, quotes not counted.
    var textColumn: Int?
    var members: [String: SourceNode] = [:]
    var elements: [SourceNode] = []
    var isScalar = false

    func node(at path: FieldPath) -> SourceNode? {
        var node = self
        for component in path.components {
            guard let next = node.child(component) else { return nil }
            node = next
        }
        return node
    }

    func location(of path: FieldPath) -> (line: Int, column: Int) {
        var node = self
        var isWhole = true
        for component in path.components {
            guard let next = node.child(component) else {
                isWhole = false
                break
            }
            node = next
        }
        if isWhole, node.isScalar { return (node.line, node.column) }
        return (node.keyLine ?? node.line, node.keyColumn ?? node.column)
    }

    /// Where the name of the member at `path` stands, or what is nearest.
    func keyLocation(of path: FieldPath) -> (line: Int, column: Int) {
        guard let node = node(at: path) else { return location(of: path) }
        return (node.keyLine ?? node.line, node.keyColumn ?? node.column)
    }

    private func child(_ component: FieldPath.Component) -> SourceNode? {
        switch component {
        case .key(let key): members[key]
        case .index(let index): elements.indices.contains(index) ? elements[index] : nil
        }
    }
}
