internal import EventSourcing

/// Collects what is wrong with one document.
struct ManifestFindings {
    let document: ManifestDocument
    private(set) var problems: [ManifestProblem] = []

    init(_ document: ManifestDocument) { self.document = document }

    /// The value at `path`, if there is one and it is not `null`.
    subscript(path: FieldPath) -> JSONValue? {
        let value = document.value.at(path)
        return value?.isNull == true ? nil : value
    }

    /// Notes an error; `place` is where to point if that is another field than the one to name.
    mutating func error(_ path: FieldPath, _ message: String, fix: String, at place: FieldPath? = nil) {
        note(.error, path, message, fix: fix, location: document.location(of: place ?? path))
    }

    /// Notes a warning.
    mutating func warning(_ path: FieldPath, _ message: String, fix: String) {
        note(.warning, path, message, fix: fix, location: document.location(of: path))
    }

    /// Notes an error in the text at `path`, at its character `offset`.
    mutating func error(_ path: FieldPath, character offset: Int, _ message: String, fix: String) {
        let location = document.location(ofCharacter: offset, at: path) ?? document.location(of: path)
        note(.error, path, message, fix: fix, location: location)
    }

    /// Notes a field that should not be there, pointing at its name.
    mutating func unknown(_ path: FieldPath, isError: Bool, _ message: String, fix: String) {
        note(isError ? .error : .warning, path, message, fix: fix, location: document.source?.keyLocation(of: path))
    }

    private mutating func note(
        _ severity: ManifestProblem.Severity, _ path: FieldPath, _ message: String, fix: String,
        location: (line: Int, column: Int)?
    ) {
        problems.append(
            ManifestProblem(
                severity: severity, file: document.file, line: location?.line, column: location?.column,
                field: path.description, value: document.value.at(path).map(Self.short), message: message, fix: fix))
    }

    /// The value as JSON, cut to 60 characters.
    static func short(_ value: JSONValue) -> String {
        let text = CanonicalJSON.text(value)
        return text.count <= 60 ? text : text.prefix(59) + "…"
    }

    /// The word that is most like `word`, if one is near enough to be meant.
    static func nearest(to word: String, among words: some Sequence<String>) -> String? {
        let limit = max(1, min(3, word.count / 3))
        return words.map { (distance(word.lowercased(), $0.lowercased()), $0) }
            .filter { $0.0 <= limit }.min { $0 < $1 }?.1
    }

    /// How many letters to add, drop or change to make one word the other (Levenshtein).
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        guard left.count <= 100, right.count <= 100 else { return .max }
        var row = Array(0...right.count)
        for (i, letter) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in right.indices {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (letter == right[j] ? 0 : 1))
                diagonal = above
            }
        }
        return row[right.count]
    }
}

extension JSONValue {
    /// The value at `path`, if there is one.
    func at(_ path: FieldPath) -> JSONValue? {
        var value = self
        for component in path.components {
            let next: JSONValue? =
                switch component {
                case .key(let key): value[key]
                case .index(let index): value[index]
                }
            guard let next else { return nil }
            value = next
        }
        return value
    }

    /// The value with what stands at `path` replaced; as it is if the path leads nowhere.
    func replacing(_ path: ArraySlice<FieldPath.Component>, with new: JSONValue) -> JSONValue {
        guard let first = path.first else { return new }
        switch (first, self) {
        case (.key(let key), .object(var members)):
            members[key] = (members[key] ?? .object([:])).replacing(path.dropFirst(), with: new)
            return .object(members)
        case (.index(let index), .array(var elements)) where elements.indices.contains(index):
            elements[index] = elements[index].replacing(path.dropFirst(), with: new)
            return .array(elements)
        default: return self
        }
    }

    /// The member `key`, if it is there and not `null`.
    func given(_ key: String) -> JSONValue? {
        let value = self[key]
        return value?.isNull == true ? nil : value
    }

    /// A text that is not empty.
    var nonEmptyString: String? { stringValue.flatMap { $0.isEmpty ? nil : $0 } }
}
