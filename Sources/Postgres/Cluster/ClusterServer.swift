import Foundation

/// The blocking work behind ``EmbeddedCluster``: places, `initdb`, `pg_ctl`.
struct ClusterServer: Sendable {
    let directory: String
    let settings: EmbeddedCluster.Settings
    let account: ServerAccount
    let place: ClusterPlace

    var port: Int { settings.loopbackPort ?? 5432 }
    var logFile: String { "\(place.data)/log/postgresql.log" }
    private var passwordFile: String { "\((place.data as NSString).deletingLastPathComponent)/password" }

    init(below directory: String, settings: EmbeddedCluster.Settings) throws {
        self.directory = directory
        self.settings = settings
        account = try ServerAccount.current()
        place = ClusterPlace.choose(below: directory, for: account, port: settings.loopbackPort ?? 5432)
    }

    func start() throws -> EmbeddedCluster.Running {
        try place.make(for: account)
        let binaries = try ServerBinaries.choose(forVersion: madeByVersion())
        let lock = try DirectoryLock(place.socket + "/rollbook.lock")
        defer { lock.release() }
        if try madeByVersion() == nil { try make(binaries) }
        let found = try runningProcess()
        if found == nil {
            try configure()
            try launch(binaries)
        }
        guard let process = try found ?? runningProcess() else {
            throw ClusterError(.toolFailed, "the server ended right after its start; see \(logFile)")
        }
        return EmbeddedCluster.Running(
            configuration: PostgresConfiguration(
                "host='\(place.socket.escapedForConnectionString)' port=\(port) user=postgres dbname=postgres"),
            processID: process, wasRunning: found != nil, note: place.note, logFile: logFile,
            authentication: settings.loopbackPort == nil
                ? "trust on a Unix socket in a directory of mode 0700, no TCP"
                : "trust on a Unix socket in a directory of mode 0700; SCRAM on loopback, password in \(passwordFile)")
    }

    func stop(_ mode: EmbeddedCluster.StopMode) throws {
        guard let process = try runningProcess(), let version = try madeByVersion() else { return }
        let binaries = try ServerBinaries.choose(forVersion: version)
        let answer = try Tool.run(
            account.wrap([binaries.path("pg_ctl"), "stop", "-D", place.data, "-m", mode.rawValue, "-w", "-t", "60"]))
        guard answer.status == 0 else {
            throw ClusterError(.toolFailed, "pg_ctl could not stop the server (process \(process)): \(answer.output)")
        }
    }

    /// The postmaster named in `postmaster.pid`, if that process lives and is a PostgreSQL server in our directory.
    func runningProcess() throws -> Int32? {
        let file = "\(place.data)/postmaster.pid"
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first, let process = Int32(first), process > 0 else { return nil }
        // The number may belong to another program by now: ours works in the data directory.
        let real = URL(fileURLWithPath: self.place.data).resolvingSymlinksInPath().path
        guard workingDirectory(of: process) == real, lines.count >= 8, lines[7].hasPrefix("ready") else { return nil }
        return process
    }

    private func madeByVersion() throws -> Int? {
        let file = "\(place.data)/PG_VERSION"
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        let text = try String(contentsOfFile: file, encoding: .utf8).trimmed
        guard let version = Int(text) else {
            throw ClusterError(
                .wrongVersion, "\(file) says \"\(text)\", which is no version of PostgreSQL that we know")
        }
        return version
    }

    private func make(_ binaries: ServerBinaries) throws {
        // initdb removes what it made when it fails, and refuses a directory that is not empty.
        let answer = try Tool.run(
            account.wrap(
                [
                    binaries.path("initdb"), "-D", place.data, "-U", "postgres", "--auth-local=trust",
                    "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums",
                ] + (settings.isDurable ? [] : ["--no-sync"]) + (try passwordArguments())))
        guard answer.status == 0 else {
            throw ClusterError(.toolFailed, "initdb failed in \(place.data): \(answer.output)")
        }
    }

    private func passwordArguments() throws -> [String] {
        let password = (0..<32).map { _ in String(UInt8.random(in: 0...15), radix: 16) }.joined()
        guard
            FileManager.default.createFile(
                atPath: passwordFile, contents: Data(password.utf8), attributes: [.posixPermissions: 0o600]),
            chown(passwordFile, account.userID, account.groupID) == 0
        else { throw ClusterError(.directory, "cannot write \(passwordFile)") }
        return ["--pwfile=\(passwordFile)"]
    }

    private func configure() throws {
        var values = [
            "listen_addresses": settings.loopbackPort == nil ? "" : "127.0.0.1",
            "port": "\(port)",
            "unix_socket_directories": place.socket,
            "unix_socket_permissions": "0700",
            "max_connections": "\(settings.maximumConnections)",
            "shared_buffers": "128MB",
            "work_mem": "8MB",
            "maintenance_work_mem": "64MB",
            "max_wal_size": "1GB",
            "fsync": settings.isDurable ? "on" : "off",
            "synchronous_commit": settings.isDurable ? "on" : "off",
            "full_page_writes": settings.isDurable ? "on" : "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
            "log_line_prefix": "%m [%p] %q%a ",
            "max_prepared_transactions": "0",
        ]
        values.merge(settings.extra) { $1 }
        let text = values.sorted { $0.key < $1.key }.map { key, value in
            "\(key) = '\(value.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''"))'\n"
        }.joined()
        let main = "\(place.data)/postgresql.conf"
        let ours = "\(place.data)/rollbook.conf"
        try Data(("# Written anew by every start.\n" + text).utf8).write(to: URL(fileURLWithPath: ours))
        let include = "include 'rollbook.conf'"
        var content = try String(contentsOfFile: main, encoding: .utf8)
        if !content.contains(include) {
            content += "\n\(include)\n"
            try Data(content.utf8).write(to: URL(fileURLWithPath: main))
        }
        let logs = (logFile as NSString).deletingLastPathComponent
        if mkdir(logs, 0o700) != 0, errno != EEXIST { throw ClusterError(.directory, "cannot make \(logs)") }
        for path in [main, ours, logs] {
            guard chown(path, account.userID, account.groupID) == 0, chmod(path, path == logs ? 0o700 : 0o600) == 0
            else { throw ClusterError(.directory, "cannot give \(path) to \(account.name)") }
        }
    }

    private func launch(_ binaries: ServerBinaries) throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let before = logSize()
            let answer = try Tool.run(
                account.wrap([binaries.path("pg_ctl"), "start", "-D", place.data, "-l", logFile, "-w", "-t", "60"]))
            if answer.status == 0 { return }
            let log = try logTail(from: before)
            // The backends of a postmaster that was killed need a moment to notice, and hold its memory until then.
            let isDying = log.contains("shared memory block") || log.contains("already exists")
            if isDying, try runningProcess() == nil, ContinuousClock.now < deadline {
                try removeLocksOfTheDead()
                usleep(100_000)
                continue
            }
            throw ClusterError(
                .toolFailed,
                "pg_ctl could not start the server in \(place.data): \(answer.output); \(logFile) says: \(log)")
        }
    }

    /// Removes the lock files of a postmaster that has ended but that nobody has reaped, which is common where the first
    /// process of a container does not; PostgreSQL takes such a one for alive.
    ///
    /// Only when no process works in the data directory any more: that is what the lock is for.
    private func removeLocksOfTheDead() throws {
        let real = URL(fileURLWithPath: place.data).resolvingSymlinksInPath().path
        for process in try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap({ Int32($0) })
        where workingDirectory(of: process) == real { return }
        for lock in ["\(place.data)/postmaster.pid", "\(place.socket)/.s.PGSQL.\(port).lock"] {
            guard let content = FileManager.default.contents(atPath: lock),
                let process = Int32(String(decoding: content, as: UTF8.self).prefix { $0 != "\n" }),
                let status = FileManager.default.contents(atPath: "/proc/\(process)/stat"),
                String(decoding: status, as: UTF8.self).contains(") Z ")
            else { continue }
            unlink(lock)
        }
    }

    /// Where a process works; nil when it is gone, a zombie, or not ours to ask.
    private func workingDirectory(of process: Int32) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/\(process)/cwd", &buffer, buffer.count - 1)
        guard length > 0 else { return nil }
        return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func logSize() -> UInt64 {
        var status = stat()
        return stat(logFile, &status) == 0 ? UInt64(max(0, status.st_size)) : 0
    }

    private func logTail(from offset: UInt64) throws -> String {
        guard let file = FileHandle(forReadingAtPath: logFile) else { return "nothing" }
        defer { file.closeFile() }
        try file.seek(toOffset: offset)
        return String(decoding: try file.readToEnd()?.suffix(4000) ?? Data(), as: UTF8.self).trimmed
    }
}

/// Keeps two processes of ours from making or starting the same cluster at once.
private struct DirectoryLock {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else {
            throw ClusterError(.directory, "cannot lock \(path): \(String(cString: strerror(errno)))")
        }
    }

    func release() { close(descriptor) }
}

extension String {
    /// Safe between single quotes of a libpq connection string.
    fileprivate var escapedForConnectionString: String {
        reduce(into: "") { text, character in
            if character == "'" || character == "\\" { text.append("\\") }
            text.append(character)
        }
    }
}
