import Foundation

/// The folder that holds what an instance keeps on this machine.
struct DataDirectory {
    /// Absolute.
    let path: String

    /// Takes a path, absolute or relative to the working directory.
    init(_ path: String) {
        self.path = URL(fileURLWithPath: path).standardizedFileURL.path
    }

    var postgres: String { path + "/postgres" }
    var platform: String { path + "/platform" }
    var prometheus: String { path + "/prometheus" }

    /// The folder of migrations: given, or `migrations` beside the working directory, or above the program's own file.
    static func migrations(_ given: String?) throws -> String {
        if let given { return given }
        var places = ["migrations"]
        if let program = Bundle.main.executableURL?.resolvingSymlinksInPath() {
            var folder = program.deletingLastPathComponent()
            places.append(folder.path + "/../share/rollbook/migrations")
            for _ in 0..<5 {
                places.append(folder.path + "/migrations")
                folder.deleteLastPathComponent()
            }
        }
        if let found = places.first(where: { FileManager.default.fileExists(atPath: $0 + "/0001_ledger.sql") }) {
            return found
        }
        throw ServeFailure(
            "no folder of migrations was found (looked in \(places.joined(separator: ", "))): give --migrations FOLDER",
            Exit.badInput)
    }
}

/// Why the service does not start, in a sentence that says what to do, with the exit code that this is.
struct ServeFailure: Error, CustomStringConvertible {
    let description: String
    let code: Int32

    init(_ description: String, _ code: Int32 = Exit.refused) {
        self.description = description
        self.code = code
    }
}
