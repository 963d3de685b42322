import Foundation

/// A private PostgreSQL server under a data directory: made when it is not there, found again when it still runs.
///
/// It listens on a Unix socket in a directory that only its user and root can enter, which is why local connections are
/// trusted; over TCP it listens nowhere unless ``Settings/loopbackPort`` is set, and then on loopback only and with a
/// generated password (SCRAM) that is kept in a file of mode 0600.
public actor EmbeddedCluster {
    /// How the server is set up.
    public struct Settings: Sendable, Hashable {
        /// Also listens on 127.0.0.1 at this port; nil: socket only.
        public var loopbackPort: Int?
        /// Whether commits survive a crash of the machine; false is for tests alone.
        public var isDurable: Bool
        /// Connections at most.
        public var maximumConnections: Int
        /// Further `postgresql.conf` settings, winning over ours.
        public var extra: [String: String]

        /// Chooses.
        public init(
            loopbackPort: Int? = nil, isDurable: Bool = true, maximumConnections: Int = 200,
            extra: [String: String] = [:]
        ) {
            self.loopbackPort = loopbackPort
            self.isDurable = isDurable
            self.maximumConnections = maximumConnections
            self.extra = extra
        }
    }

    /// How a server is stopped.
    public enum StopMode: String, Sendable, Hashable {
        /// Ends connections, writes everything, ends.
        case fast
        /// Ends at once, as a crash would; the next start recovers from the log.
        case immediate
    }

    /// A running server.
    public struct Running: Sendable {
        /// How to connect, as superuser `postgres` to database `postgres`.
        public let configuration: PostgresConfiguration
        /// The postmaster's process id.
        public let processID: Int32
        /// Whether it was found running, not started.
        public let wasRunning: Bool
        /// What a person should know, such as that another place than the wanted one was taken; nil when all is plain.
        public let note: String?
        /// Where the server writes its log.
        public let logFile: String
        /// How connections are authenticated, in one sentence.
        public let authentication: String
    }

    /// The directory that was asked for.
    public nonisolated let directory: String
    private let settings: Settings

    /// Names the directory (absolute, or relative to the working directory); nothing is done before ``start()``.
    public init(directory: String, settings: Settings = Settings()) {
        self.directory = URL(fileURLWithPath: directory).standardizedFileURL.path
        self.settings = settings
    }

    /// Makes the server if it is not there, starts it if it does not run, and says how to reach it.
    ///
    /// - Throws: ``ClusterError``.
    public func start() async throws -> Running {
        let (directory, settings) = (directory, settings)
        return try await Tool.offPool { try ClusterServer(below: directory, settings: settings).start() }
    }

    /// Stops the server if it runs.
    ///
    /// - Throws: ``ClusterError`` when it does not end within a minute.
    public func stop(mode: StopMode = .fast) async throws {
        let (directory, settings) = (directory, settings)
        try await Tool.offPool { try ClusterServer(below: directory, settings: settings).stop(mode) }
    }

    /// The postmaster's process id, or nil when the server does not run.
    public func runningProcessID() async throws -> Int32? {
        let (directory, settings) = (directory, settings)
        return try await Tool.offPool { try ClusterServer(below: directory, settings: settings).runningProcess() }
    }
}
