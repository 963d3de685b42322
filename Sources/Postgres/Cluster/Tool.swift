import CLibpq
import Foundation

/// Runs a server tool to its end.
///
/// Blocks: call it from ``Tool/offPool(_:)``.
enum Tool {
    struct Answer: Sendable {
        let status: Int32
        let output: String
    }

    /// Runs `command`, its output and errors collected together.
    ///
    /// Output goes through a file, not a pipe: a server that the tool starts inherits it and never closes it.
    static func run(_ command: [String], environment: [String: String] = [:]) throws -> Answer {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("rollbook-tool-\(UUID().uuidString)").path
        let output = open(file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        guard output >= 0 else {
            throw ClusterError(.directory, "cannot write \(file): \(String(cString: strerror(errno)))")
        }
        defer {
            close(output)
            unlink(file)
        }
        let status = try spawn(command, environment: environment, output: output)
        let data = try Data(contentsOf: URL(fileURLWithPath: file))
        return Answer(status: status, output: String(decoding: data, as: UTF8.self).trimmed)
    }

    /// Starts the program with no descriptor of ours but its output, and waits for its end.
    ///
    /// Not Foundation's `Process`: it waits until every descendant has closed a socket that it leaks into them, and the
    /// server that `pg_ctl` leaves behind never does.
    private static func spawn(_ command: [String], environment: [String: String], output: Int32) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        clibpq_spawn_isolate(&actions)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A session of its own: a Ctrl-C meant for us must not reach the server. Default signals, nothing blocked.
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, clibpq_spawn_setsid | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))

        let merged = ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("PG") && !$0.key.hasPrefix("LC_") && $0.key != "LANG" }
            .merging(["LC_ALL": "C"]) { $1 }
            .merging(environment) { $1 }
        let arguments = command.map { strdup($0) } + [nil]
        let variables = merged.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in arguments + variables { free(pointer) } }
        var process: pid_t = 0
        let problem = posix_spawn(&process, command[0], &actions, &attributes, arguments, variables)
        guard problem == 0 else {
            throw ClusterError(.toolFailed, "cannot run \(command[0]): \(String(cString: strerror(problem)))")
        }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else {
                throw ClusterError(.toolFailed, "lost track of \(command[0]): \(String(cString: strerror(errno)))")
            }
        }
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + status & 0x7f
    }

    /// Runs blocking work on a thread of its own.
    @concurrent
    static func offPool<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Result { try work() }) }
            thread.name = "pg-cluster"
            thread.stackSize = 1 << 20
            thread.start()
        }
    }
}
