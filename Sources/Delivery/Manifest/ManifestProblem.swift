/// One thing that is wrong with a manifest: where, what, and how to mend it.
public struct ManifestProblem: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// How bad it is.
    public enum Severity: String, Sendable, Hashable, Codable {
        /// The manifest is refused.
        case error
        /// The manifest is taken; somebody should look.
        case warning
    }

    /// How bad it is.
    public var severity: Severity
    /// The file, as the caller named it; empty when the manifest came from no file.
    public var file: String
    /// The line, from 1; `nil` when the manifest came from no text.
    public var line: Int?
    /// The column in characters (Unicode scalars), from 1.
    public var column: Int?
    /// The field's path, such as `spec.replicas`; `-` for the text as a whole.
    public var field: String
    /// The value that was found, as short JSON; `nil` if there is none.
    public var value: String?
    /// What is wrong, in Argo's words where Argo has some.
    public var message: String
    /// What to do about it.
    public var fix: String

    /// Makes a problem.
    public init(
        severity: Severity = .error, file: String = "", line: Int? = nil, column: Int? = nil, field: String,
        value: String? = nil, message: String, fix: String
    ) {
        self.severity = severity
        self.file = file
        self.line = line
        self.column = column
        self.field = field
        self.value = value
        self.message = message
        self.fix = fix
    }

    /// `file:line:column: error: field: message (value) – fix`; what is unknown is left out.
    public var description: String {
        var place = file
        if let line { place += (place.isEmpty ? "" : ":") + "\(line)" + (column.map { ":\($0)" } ?? "") }
        let start = place.isEmpty ? "" : "\(place): "
        let shown = value.map { " (found: \($0))" } ?? ""
        return "\(start)\(severity.rawValue): \(field): \(message)\(shown) – \(fix)"
    }
}

/// Why a manifest cannot be read or carried out; at least one problem is an error.
public struct ManifestProblems: Error, Sendable, Equatable, CustomStringConvertible {
    /// The problems, in the order of the documents.
    public var problems: [ManifestProblem]

    /// Collects problems.
    public init(_ problems: [ManifestProblem]) { self.problems = problems }

    /// One line for each problem.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
