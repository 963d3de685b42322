import CLinux
import FoundationEssentials
import Glibc

/// How to start a process that outlives us.
///
/// It gets a session of its own, so that Ctrl-C in our terminal is not for it, and writes to a file, not to a pipe of ours.
/// A child-process library cannot do this job: it ties a child to the life of its parent and cannot take up again one
/// that an earlier run of ours has started.
struct ProcessLaunch: Sendable {
    /// The program and its arguments; the program is looked up in `PATH` unless it has a slash.
    var command: [String]
    var environment: [String: String]
    /// Absolute.
    var directory: String
    /// Absolute; both outputs are appended.
    var log: String

    /// Starts it.
    ///
    /// - Throws: `LaunchFailure` if the program cannot be found or started.
    func start() throws(LaunchFailure) -> ProcessIdentity {
        guard let name = command.first, !name.isEmpty else {
            throw LaunchFailure(program: "", reason: "it has no name")
        }
        guard let path = Self.find(name, in: environment["PATH"]) else {
            throw LaunchFailure(program: name, reason: "there is no such executable file")
        }
        var pid: pid_t = 0
        let arguments = command.map { strdup($0) } + [nil]
        let variables = environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        let code = clinux_spawn(&pid, path, arguments, variables, directory, log)
        guard code == 0 else { throw LaunchFailure(program: path, reason: String(cString: strerror(code))) }
        // One that has ended already is still there to be asked: nobody else reaps it.
        return ProcessIdentity(child: pid)
    }

    /// Runs it to its end.
    ///
    /// - Returns: Its exit code, or minus the signal that ended it.
    func run() async throws(LaunchFailure) -> Int32 {
        let identity = try start()
        guard let handle = ProcessHandle(identity) else {
            var status: Int32 = 0
            waitpid(identity.pid, &status, 0)
            return clinux_exit_code(status)
        }
        defer { handle.close() }
        if let code = await handle.ended() { return code }
        // The task was cancelled: such a program is not left behind.
        handle.send(SIGKILL)
        var status: Int32 = 0
        waitpid(identity.pid, &status, 0)
        return clinux_exit_code(status)
    }

    /// - Returns: The program's path; `nil` if no such file may be executed.
    static func find(_ name: String, in path: String?) -> String? {
        if name.contains("/") { return access(name, X_OK) == 0 ? name : nil }
        let places = (path ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").split(separator: ":")
        return places.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
}

/// A program that could not be started.
public struct LaunchFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// Its name or path.
    public var program: String
    /// Why.
    public var reason: String

    /// Both in a sentence.
    public var description: String { "cannot start \(program): \(reason)" }
}
