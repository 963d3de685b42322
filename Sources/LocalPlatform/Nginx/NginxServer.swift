public import Delivery
import FoundationEssentials
import Glibc
public import Logging
import Transfer

/// A private nginx on loopback that outlives us and is found again.
///
/// Weights and pods change through ``control`` without a reload; a reload is for a new server block only.
public actor NginxServer {
    private let executor = QueueExecutor(label: "rollbook.nginx")
    /// Runs on a queue of its own, since files and processes are handled with calls that block.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private var configuration: NginxConfiguration
    private let program: String
    private let logger: Logger
    private var master: ProcessIdentity?
    private var halves: [String: [String: String]] = [:]
    /// Speaks to its control endpoint.
    public nonisolated let control: NginxControl
    /// Where its files are.
    public nonisolated let layout: NginxLayout
    /// The loopback port that takes traffic.
    public nonisolated let port: Int

    /// Describes an instance; nothing is started.
    ///
    /// - Parameter directory: The data directory, absolute.
    /// - Throws: `.rejected` if nginx or its Lua module is not installed.
    public init(directory: String, port: Int, workers: Int = 2, logger: Logger) throws(PlatformFailure) {
        guard let program = ProcessLaunch.find("nginx", in: nil) else {
            throw PlatformFailure(
                .rejected, "nginx is not installed: apt-get install nginx libnginx-mod-http-lua lua-cjson")
        }
        let modules = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules"]
        guard let modules = modules.first(where: { access("\($0)/ngx_http_lua_module.so", R_OK) == 0 }) else {
            throw PlatformFailure(.rejected, "nginx has no Lua module: apt-get install libnginx-mod-http-lua lua-cjson")
        }
        let accounts: [String] = getuid() == 0 ? ["www-data", "nginx", "nobody"] : []
        let user = accounts.first { name in getpwnam(name) != nil }
        layout = NginxLayout(directory: directory, needsTraversal: user != nil)
        configuration = NginxConfiguration(layout: layout, port: port, workers: workers, user: user, modules: modules)
        self.program = program
        self.logger = logger
        self.port = port
        control = NginxControl(client: TransferClient(), socket: layout.controlSocket)
    }

    /// The master process, if it runs.
    public var process: ProcessIdentity? { master.flatMap { $0.isAlive ? $0 : nil } }

    /// The sites that it serves.
    public var sites: [NginxSite] { configuration.sites }

    /// Finds the instance that an earlier run left, or starts one; with the sites that were saved.
    ///
    /// - Throws: `.unavailable` with what nginx said.
    public func start() async throws(PlatformFailure) {
        do {
            try layout.prepare()
            for (name, text) in NginxProgram.files {
                try DurableFile(path: "\(layout.programs)/\(name)").replace(with: text.utf8, mode: 0o644)
            }
            if let saved = try DurableFile(path: layout.savedSites).read() {
                configuration.sites = try JSONDecoder().decode([NginxSite].self, from: Data(saved))
            }
            if let saved = try DurableFile(path: layout.savedState).read() {
                halves = try JSONDecoder().decode([String: [String: String]].self, from: Data(saved))
            }
        } catch {
            throw PlatformFailure(.unavailable, "nginx: \(error)")
        }
        if layout.reachable != layout.root {
            logger.notice(
                "nginx keeps its socket outside the data directory", metadata: ["path": "\(layout.reachable)"])
        }
        if let found = running() {
            master = found
            logger.info("found nginx again", metadata: ["process.pid": "\(found.pid)"])
            try rotateLogs(of: found)
            if try await control.configuration() != configuration.identity { try await reload() }
            return
        }
        try await launch()
    }

    /// Serves exactly `sites` from now on; a reload if they changed, else nothing.
    ///
    /// Returns when no worker with the older configuration accepts requests any more.
    /// - Throws: `.rejected` if a host or path cannot stand in a configuration; the older one then stays in force.
    public func serve(_ sites: [NginxSite]) async throws(PlatformFailure) {
        for site in sites { try site.check() }
        let sorted = sites.sorted { ($0.host ?? "") < ($1.host ?? "") }
        guard sorted != configuration.sites else { return }
        let earlier = configuration.sites
        configuration.sites = sorted
        do {
            if running() == nil { try await launch() } else { try await reload() }
            try DurableFile(path: layout.savedSites).replace(with: NginxControl.text(of: sorted))
        } catch let failure as PlatformFailure {
            configuration.sites = earlier
            throw failure
        } catch {
            throw PlatformFailure(.unavailable, "nginx: \(error)")
        }
    }

    /// Sets the weights of `backend`; kept, so that a restarted nginx has them before its first request.
    public func put(_ route: NginxRoute, of backend: String) async throws(PlatformFailure) -> NginxControl.Change {
        let change = try await control.put(route, of: backend)
        if case .stands = change { try keep(NginxControl.text(of: route), "route", backend) }
        return change
    }

    /// Sets the pods of `backend`; kept as well.
    public func put(
        _ endpoints: NginxEndpoints, of backend: String
    ) async throws(PlatformFailure) -> NginxControl.Change {
        let change = try await control.put(endpoints, of: backend)
        if case .stands = change { try keep(NginxControl.text(of: endpoints), "endpoints", backend) }
        return change
    }

    /// Forgets `backend`, also for later starts.
    public func remove(_ backend: String) async throws(PlatformFailure) {
        try await control.remove(backend)
        halves[backend] = nil
        try save()
    }

    /// Waits for the end of the master process, and starts it again; until the task is cancelled.
    public func keepAlive() async {
        while !Task.isCancelled {
            if let master, let handle = ProcessHandle(master) {
                _ = await handle.ended()
                handle.close()
                if Task.isCancelled { return }
            }
            if isStopped { return }
            if running() == nil {
                logger.error("nginx ended; starting it again")
                do { try await launch() } catch {
                    logger.error("nginx did not start", metadata: ["error": "\(error)"])
                }
            }
            if running() == nil { await pause(.seconds(1)) }
        }
    }

    private var isStopped = false

    /// Ends it: gracefully first, and after `grace` at once. Returns when all its processes are gone.
    public func stop(grace: Duration = .seconds(10)) async {
        isStopped = true
        let all = (running().map { [$0] } ?? []) + workers()
        guard !all.isEmpty else { return }
        for (signal, patience) in [(SIGQUIT, grace), (SIGTERM, .seconds(3)), (SIGKILL, .seconds(5))] {
            for process in all { process.send(signal) }
            if await gone(all, within: patience) { break }
        }
        master = nil
    }

    // MARK: - Starting and reloading

    private func launch() async throws(PlatformFailure) {
        isStopped = false
        // Workers whose master was killed still hold the sockets.
        let orphans = workers()
        for orphan in orphans { orphan.send(SIGQUIT) }
        if !orphans.isEmpty, await !gone(orphans, within: .seconds(2)) {
            for orphan in orphans { orphan.send(SIGKILL) }
            _ = await gone(orphans, within: .seconds(5))
        }
        unlink(layout.controlSocket)
        try rotateLogs(of: nil)
        try await writeChecked()
        let code = try await run([])
        guard code == 0, let found = await settled() else {
            throw PlatformFailure(.unavailable, "nginx did not start: \(lastOutput())")
        }
        master = found
        logger.info("started nginx", metadata: ["process.pid": "\(found.pid)", "server.port": "\(port)"])
        _ = try await answering()
    }

    private func reload() async throws(PlatformFailure) {
        guard let process = running() else { return try await launch() }
        let old = workers()
        try await writeChecked()
        process.send(SIGHUP)
        // An old worker accepts until its title says that it is shutting down.
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            let accepting = old.filter {
                $0.isAlive && !ProcessTable.arguments(of: $0.pid).joined().contains("shutting")
            }
            if accepting.isEmpty { return try await answering() }
            await pause(.milliseconds(5))
        }
        throw PlatformFailure(.unavailable, "nginx did not take up its new configuration; see \(layout.errorLog)")
    }

    /// Returns once a worker answers with this configuration.
    private func answering() async throws(PlatformFailure) {
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            do {
                if try await control.configuration() == configuration.identity { return }
            } catch  where ContinuousClock.now >= deadline {
                throw error
            } catch {
                logger.trace("nginx does not answer yet", metadata: ["error": "\(error)"])
            }
            if ContinuousClock.now >= deadline {
                throw PlatformFailure(.unavailable, "nginx answers with an older configuration; see \(layout.errorLog)")
            }
            await pause(.milliseconds(5))
        }
    }

    /// Writes the configuration beside, lets nginx check it, and puts it in place.
    private func writeChecked() async throws(PlatformFailure) {
        do {
            try DurableFile(path: layout.candidate).replace(with: configuration.text.utf8, mode: 0o644)
            guard try await run(["-t", "-q"], file: layout.candidate) == 0 else {
                throw PlatformFailure(.rejected, "nginx refuses its configuration: \(lastOutput())")
            }
            try DurableFile(path: layout.file).replace(with: configuration.text.utf8, mode: 0o644)
        } catch let failure as PlatformFailure {
            throw failure
        } catch {
            throw PlatformFailure(.unavailable, "nginx: \(error)")
        }
    }

    /// Runs nginx with `arguments` until it returns, and gives its exit code.
    private func run(_ arguments: [String], file: String? = nil) async throws(PlatformFailure) -> Int32 {
        do {
            unlink(layout.outputLog)
            let launch = ProcessLaunch(
                command: [program, "-p", layout.root, "-c", file ?? layout.file, "-e", layout.outputLog] + arguments,
                environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], directory: layout.root,
                log: layout.outputLog)
            return try await launch.run()
        } catch {
            throw PlatformFailure(.unavailable, "\(error)")
        }
    }

    private func lastOutput() -> String {
        do {
            let text = String(decoding: try DurableFile(path: layout.outputLog).read() ?? [], as: UTF8.self)
            return text.split(separator: "\n").suffix(3).joined(separator: "; ")
        } catch { return "\(error)" }
    }

    // MARK: - Finding its processes

    /// The master that the pid file names, if it is ours: its command line names our configuration.
    private func running() -> ProcessIdentity? {
        do {
            guard let text = try DurableFile(path: layout.pidFile).read() else { return nil }
            let digits = String(decoding: text, as: UTF8.self).filter(\.isNumber)
            guard let pid = Int32(digits), let found = ProcessIdentity(of: pid) else { return nil }
            let title = ProcessTable.arguments(of: pid).joined(separator: " ")
            return title.contains("nginx: master") && title.contains(layout.file) ? found : nil
        } catch {
            logger.error("cannot read the pid file of nginx", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func settled() async -> ProcessIdentity? {
        let deadline = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < deadline {
            if let found = running() { return found }
            await pause(.milliseconds(5))
        }
        return nil
    }

    /// Its workers, also those whose master is gone: nginx processes that work in our directory.
    private func workers() -> [ProcessIdentity] {
        ProcessTable.all().compactMap { pid in
            guard ProcessTable.arguments(of: pid).joined().hasPrefix("nginx: worker"),
                ProcessTable.directory(of: pid) == layout.root
            else { return nil }
            return ProcessIdentity(of: pid)
        }
    }

    private func gone(_ processes: [ProcessIdentity], within patience: Duration) async -> Bool {
        let deadline = ContinuousClock.now + patience
        while processes.contains(where: \.isAlive) {
            if ContinuousClock.now >= deadline { return false }
            await pause(.milliseconds(10))
        }
        return true
    }

    /// Waits also when the task was cancelled: the caller has a deadline of its own.
    private func pause(_ duration: Duration) async {
        await Wait.pause(duration)
    }

    // MARK: - What is kept

    private func keep(_ text: [UInt8], _ half: String, _ backend: String) throws(PlatformFailure) {
        halves[backend, default: [:]][half] = String(decoding: text, as: UTF8.self)
        try save()
    }

    private func save() throws(PlatformFailure) {
        do { try DurableFile(path: layout.savedState).replace(with: NginxControl.text(of: halves)) } catch let error
            as PlatformFailure
        {
            throw error
        } catch {
            throw PlatformFailure(.unavailable, "nginx: \(error)")
        }
    }

    private func rotateLogs(of process: ProcessIdentity?) throws(PlatformFailure) {
        do {
            let moved = try [layout.accessLog, layout.errorLog].map { path throws(FileFailure) in
                try DurableFile.rotate(path, above: 256 << 20)
            }
            if moved.contains(true) { process?.send(SIGUSR1) }
        } catch {
            throw PlatformFailure(.unavailable, "\(error)")
        }
    }
}
