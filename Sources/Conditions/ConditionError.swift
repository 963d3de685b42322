/// Why a condition could not be compiled or evaluated, and where in its text.
public struct ConditionError: Error, Equatable, Sendable {
    /// When the error was found.
    public enum Stage: String, Sendable, Codable {
        /// The text is not an expression, or names something unknown: true for every result.
        case compile
        /// The text is an expression, but not one for a result of this type.
        case typing
        /// The expression was run and failed on this value.
        case evaluation
    }

    /// When the error was found.
    public let stage: Stage
    /// The reason in Argo's words, without position.
    public let message: String
    /// Where: characters (Unicode scalars) from the start of the condition, from 0.
    public let offset: Int
    /// The line of `offset`, from 1.
    public let line: Int
    /// The column of `offset` in its line, from 1.
    public let column: Int

    init(stage: Stage, fault: Fault, source: String) {
        self.stage = stage
        message = fault.message
        var line = 1
        var column = 1
        var offset = 0
        for scalar in source.unicodeScalars {
            if offset >= fault.offset { break }
            offset += 1
            if scalar == "\n" {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        self.offset = offset
        self.line = line
        self.column = column
    }
}

extension ConditionError: CustomStringConvertible {
    /// The message followed by line and column, e.g.
    ///
    /// `unknown name results (1:1)`.
    public var description: String { "\(message) (\(line):\(column))" }
}

/// An error on its way out of the lexer, parser, checker or evaluator, before its line and column are known.
struct Fault: Error {
    let message: String
    let offset: Int
}

/// What a function complains about; whoever called it knows the place.
struct Complaint: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}
