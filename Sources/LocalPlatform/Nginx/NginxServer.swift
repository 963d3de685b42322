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

    var configuration: NginxConfiguration
    let program: String
    let logger: Logger
    var master: ProcessIdentity?
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
        if case .stands = change { try keep(route, of: backend) }
        return change
    }

    /// Sets the pods of `backend`; kept as well.
    public func put(
        _ endpoints: NginxEndpoints, of backend: String
    ) async throws(PlatformFailure) -> NginxControl.Change {
        let change = try await control.put(endpoints, of: backend)
        if case .stands = change { try keep(endpoints, of: backend) }
        return change
    }

    /// Waits for the end of the master process, and starts it again, ever more slowly if that does not help; until the task
    /// is cancelled.
    public func keepAlive() async {
        var pace = RestartPace()
        while !Task.isCancelled {
            if let master, let handle = ProcessHandle(master) {
                _ = await handle.ended()
                handle.close()
                if Task.isCancelled { return }
            }
            if isStopped { return }
            let wait = pace.wait()
            logger.warning(
                "nginx has ended; starting it again", metadata: ["wait": "\(wait)", "log": "\(layout.errorLog)"])
            await Wait.rest(wait)
            if Task.isCancelled || isStopped { return }
            master = running()
            if master != nil { continue }
            do { try await launch() } catch {
                logger.warning("nginx does not start", metadata: ["error": "\(error)", "server.port": "\(port)"])
            }
        }
    }

    var isStopped = false

    /// Ends it: gracefully first, and after `grace` at once.
    ///
    /// Returns when all its processes are gone.
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

    // MARK: - What is kept

    /// Keeps what nginx has taken, unless it has taken something newer since: its answers may come in another order than
    /// it took the changes.
    func keep<Half: NginxHalf>(_ half: Half, of backend: String) throws(PlatformFailure) {
        do {
            if let kept = halves[backend]?[Half.name],
                half.isOlder(than: try JSONDecoder().decode(Half.self, from: Data(kept.utf8)))
            {
                return
            }
            halves[backend, default: [:]][Half.name] = String(decoding: try NginxControl.text(of: half), as: UTF8.self)
            try DurableFile(path: layout.savedState).replace(with: NginxControl.text(of: halves))
        } catch let error as PlatformFailure {
            throw error
        } catch {
            throw PlatformFailure(.unavailable, "nginx: \(error)")
        }
    }

    func rotateLogs(of process: ProcessIdentity?) throws(PlatformFailure) {
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
