import Foundation
import Testing

/// The `rollbook` that was built beside the tests, run as people run it.
struct RollbookProgram {
    static let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        .appending(path: "rollbook")

    /// Its `--server`.
    let server: String
    /// Holds what it prints.
    let folder: URL

    init(server: String) throws {
        self.server = server
        folder = FileManager.default.temporaryDirectory.appending(path: "rollbook-cli-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    func remove() throws { try FileManager.default.removeItem(at: folder) }

    /// A command under way, whose output goes to files and not to a terminal.
    struct Running {
        let process: Process
        private let output: URL
        private let errors: URL
        private let ends: AsyncStream<Int32>

        init(_ arguments: [String], server: String, folder: URL) throws {
            let name = UUID().uuidString
            (output, errors) = (folder.appending(path: name + ".out"), folder.appending(path: name + ".err"))
            for file in [output, errors] { try Data().write(to: file) }
            process = Process()
            process.executableURL = RollbookProgram.program
            process.arguments = arguments
            process.environment = ProcessInfo.processInfo.environment.merging(["ROLLBOOK_SERVER": server]) { $1 }
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = try FileHandle(forWritingTo: output)
            process.standardError = try FileHandle(forWritingTo: errors)
            let (ends, told) = AsyncStream<Int32>.makeStream()
            self.ends = ends
            process.terminationHandler = { told.yield($0.terminationStatus) }
            try process.run()
        }

        /// What it has printed so far.
        var text: String { get throws { String(decoding: try Data(contentsOf: output), as: UTF8.self) } }

        /// What it has said on standard error so far.
        var said: String { get throws { String(decoding: try Data(contentsOf: errors), as: UTF8.self) } }

        /// Its exit code, once it has ended.
        func ended() async throws -> Int32 { try #require(await ends.first { _ in true }) }
    }

    /// Begins a command.
    func start(_ arguments: String...) throws -> Running {
        try Running(arguments, server: server, folder: folder)
    }

    /// Runs a command to its end; it must succeed.
    @discardableResult
    func run(_ arguments: String...) async throws -> String {
        let running = try Running(arguments, server: server, folder: folder)
        let code = try await running.ended()
        let said = try running.said
        #expect(code == 0, "\(arguments.joined(separator: " ")): \(said)")
        return try running.text
    }
}
