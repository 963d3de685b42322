/// Why a file of events was not imported: nothing of it is in the log, unless ``appended`` says otherwise.
public struct ImportFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file, as it was named.
    public var file: String
    /// The line, from 1; 0 if no line is to blame.
    public var line: Int64
    /// The member of the event that is wrong; empty if it is the line as a whole.
    public var field: String
    /// What stands there, shortened; empty if nothing does.
    public var value: String
    /// What is wrong with it.
    public var problem: String
    /// What to do.
    public var fix: String
    /// How many events of the file were appended before the failure; they stay, and a repeat passes over them.
    public var appended: Int64 = 0

    /// One sentence, with file and line as compilers write them.
    public var description: String {
        let place = line > 0 ? "\(file):\(line)" : file
        let what = field.isEmpty ? "" : " \(field)" + (value.isEmpty ? "" : " is \(value)") + ":"
        let already =
            appended > 0
            ? " (\(appended) events of the file were imported before that; a repeat passes over them)"
            : " (nothing was imported)"
        return "\(place):\(what) \(problem); \(fix)\(already)"
    }
}

/// What is wrong with one line, before it is known which line that is.
struct LineProblem: Error, Equatable {
    var field: String
    var value: String = ""
    var problem: String
    var fix: String

    func failure(_ file: String, line: Int64, appended: Int64 = 0) -> ImportFailure {
        ImportFailure(
            file: file, line: line, field: field, value: String(value.prefix(200)), problem: problem, fix: fix,
            appended: appended)
    }
}
