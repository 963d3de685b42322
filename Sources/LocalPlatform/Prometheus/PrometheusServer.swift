public import Delivery
import FoundationEssentials
import Glibc
public import Logging
import Transfer

/// A private Prometheus on loopback that outlives us and is found again.
///
/// What it scrapes stands in a file that it watches, with the labels that a cluster's discovery would attach: `service`,
/// `namespace`, `rollout`, `pod_template_hash`.
public actor PrometheusServer {
    private let executor = QueueExecutor(label: "rollbook.prometheus")
    /// Runs on a queue of its own, since files and processes are handled with calls that block.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// The loopback port that answers queries.
    public nonisolated let port: Int
    private let directory: String
    private let program: String
    private let scrapeSeconds: Int
    private let logger: Logger
    private let client = TransferClient()
    private var process: ProcessIdentity?
    private var isStopped = false
    private var written: [PrometheusTarget]?

    /// Describes an instance; nothing is started.
    ///
    /// - Parameters:
    ///   - directory: The data directory, absolute.
    ///   - scrapeSeconds: Seconds between two looks at each pod, at least 1.
    /// - Throws: `.rejected` if Prometheus is not installed.
    public init(directory: String, port: Int, scrapeSeconds: Int = 1, logger: Logger) throws(PlatformFailure) {
        guard let program = ProcessLaunch.find("prometheus", in: nil) else {
            throw PlatformFailure(.rejected, "Prometheus is not installed: apt-get install prometheus")
        }
        self.program = program
        self.directory = directory
        self.port = port
        self.scrapeSeconds = max(1, scrapeSeconds)
        self.logger = logger
    }

    private var configurationFile: String { directory + "/prometheus.yml" }
    private var targetsFile: String { directory + "/targets.json" }
    private var identityFile: String { directory + "/process.json" }
    /// Where its own words go.
    public nonisolated var log: String { directory + "/prometheus.log" }

    /// Finds the instance that an earlier run left, or starts one, and returns when it answers.
    ///
    /// - Throws: `.unavailable` if its port is taken, or if it does not answer within 30 s.
    public func start() async throws(PlatformFailure) {
        isStopped = false
        do {
            try DurableFile.makeDirectory(directory, mode: 0o700)
            find()
            if let process, !ProcessTable.arguments(of: process.pid).contains(listenArgument) {
                logger.notice("prometheus moves to another port", metadata: ["server.port": "\(port)"])
                await stop()
                isStopped = false
            }
            if process == nil {
                if let holder = LoopbackPort.holder(of: port) {
                    throw PlatformFailure(
                        .unavailable, "prometheus does not start: port \(port) is taken by \(holder)")
                }
                try DurableFile(path: configurationFile).replace(with: configuration.utf8, mode: 0o600)
                if access(targetsFile, F_OK) != 0 { try DurableFile(path: targetsFile).replace(with: "[]".utf8) }
                try DurableFile.rotate(log, above: 64 << 20)
                process = try launch.start()
                try DurableFile(path: identityFile).replace(with: JSONEncoder().encode(process))
                logger.info("started prometheus", metadata: ["server.port": "\(port)"])
            }
        } catch let failure as PlatformFailure {
            throw failure
        } catch {
            throw PlatformFailure(.unavailable, "prometheus: \(error)")
        }
        try await answering()
    }

    /// Finds the instance that an earlier run left, if it still runs.
    public func find() {
        do {
            guard let saved = try DurableFile(path: identityFile).read() else { return }
            let found = try JSONDecoder().decode(ProcessIdentity.self, from: Data(saved))
            process = found.isAlive ? found : nil
        } catch {
            logger.warning("the saved process of prometheus cannot be read", metadata: ["error": "\(error)"])
        }
    }

    /// Who keeps Prometheus from its port; `nil` if nobody does, or if an earlier run's Prometheus of ours listens there.
    public func otherListener() -> String? {
        find()
        return LoopbackPort.holder(of: port, besides: process.map { [$0] } ?? [])
    }

    /// Starts it again whenever it ended by itself, ever more slowly if that does not help; ends when the task is cancelled.
    public func keepAlive() async {
        var pace = RestartPace()
        while !Task.isCancelled {
            if !isStopped, process?.isAlive != true {
                let wait = pace.wait()
                logger.warning(
                    "prometheus has ended; starting it again", metadata: ["wait": "\(wait)", "log": "\(log)"])
                await Wait.rest(wait)
                if Task.isCancelled { return }
                process = nil
                do { try await start() } catch {
                    logger.warning(
                        "prometheus does not start", metadata: ["error": "\(error)", "server.port": "\(port)"])
                }
            }
            await Wait.rest(.seconds(1))
        }
    }

    /// Has it scrape exactly these pods; the same ones again change nothing.
    public func scrape(_ targets: [PrometheusTarget]) throws(PlatformFailure) {
        let sorted = targets.sorted { ($0.address, $0.service) < ($1.address, $1.service) }
        guard sorted != written else { return }
        do {
            let groups = sorted.map { PrometheusTarget.Group($0) }
            try DurableFile(path: targetsFile).replace(with: JSONEncoder().encode(groups))
            written = sorted
        } catch {
            throw PlatformFailure(.unavailable, "prometheus: \(error)")
        }
    }

    /// Ends it; returns when it is gone.
    public func stop() async {
        isStopped = true
        guard let process, process.isAlive else { return }
        for (signal, patience) in [(SIGTERM, 10), (SIGKILL, 5)] {
            process.send(signal)
            let deadline = ContinuousClock.now + .seconds(patience)
            while process.isAlive, ContinuousClock.now < deadline { await Wait.pause(.milliseconds(20)) }
        }
        self.process = nil
    }

    private var listenArgument: String { "--web.listen-address=127.0.0.1:\(port)" }

    private var launch: ProcessLaunch {
        ProcessLaunch(
            command: [
                program, "--config.file=\(configurationFile)", "--storage.tsdb.path=\(directory)/data",
                "--storage.tsdb.retention.time=6h", listenArgument, "--log.level=warn",
            ],
            environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"], directory: directory, log: log)
    }

    private var configuration: String {
        """
        global:
          scrape_interval: \(scrapeSeconds)s
          scrape_timeout: \(scrapeSeconds)s
        scrape_configs:
          - job_name: pods
            file_sd_configs:
              - files: ["\(targetsFile)"]
                refresh_interval: 5s

        """
    }

    private func answering() async throws(PlatformFailure) {
        let deadline = ContinuousClock.now + .seconds(30)
        let request = TransferRequest(url: "http://127.0.0.1:\(port)/-/ready", timeout: .seconds(2))
        while ContinuousClock.now < deadline {
            guard process?.isAlive == true else { break }
            do {
                if try await client.send(request).status == 200 { return }
            } catch {
                logger.trace("prometheus does not answer yet", metadata: ["error": "\(error)"])
            }
            await Wait.pause(.milliseconds(50))
        }
        throw PlatformFailure(.unavailable, "prometheus does not answer on port \(port); see \(log)")
    }
}

/// A pod that Prometheus looks at.
public struct PrometheusTarget: Sendable, Hashable {
    /// `127.0.0.1:<port>`.
    public var address: String
    /// The Service that the pod is behind.
    public var service: String
    /// Its rollout.
    public var rollout: RolloutName
    /// Its set.
    public var podTemplateHash: String

    /// Makes a target.
    public init(address: String, service: String, rollout: RolloutName, podTemplateHash: String) {
        self.address = address
        self.service = service
        self.rollout = rollout
        self.podTemplateHash = podTemplateHash
    }

    /// A target as `file_sd_configs` reads it.
    struct Group: Codable {
        var targets: [String]
        var labels: [String: String]

        init(_ target: PrometheusTarget) {
            targets = [target.address]
            labels = [
                "service": target.service, "namespace": target.rollout.namespace, "rollout": target.rollout.name,
                "pod_template_hash": target.podTemplateHash,
            ]
        }
    }
}
