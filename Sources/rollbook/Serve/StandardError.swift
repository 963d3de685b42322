import Foundation

/// Where a command says what went wrong.
enum StandardError {
    /// Writes a line.
    static func say(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
