import ArgumentParser
import Foundation
import LocalPlatform
import Logging
import Postgres

/// Ends what `serve` leaves running, so that traffic goes on without it: pods, nginx, Prometheus, the private PostgreSQL.
struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "End what `serve` left running on this machine: pods, nginx, Prometheus, the private PostgreSQL.",
        discussion: "Stop `rollbook serve` first. The ledger stays on disk; the next `serve` finds it as it was.")

    @Option(help: "The data directory that was given to `serve`.")
    var data = ".rollbook"

    func run() async throws {
        try await LedgerVerbFailure.saying {
            let logger = Logger(label: "rollbook.down")
            let directory = DataDirectory(data)
            guard FileManager.default.fileExists(atPath: directory.path) else {
                throw ServeFailure(
                    "there is no data directory \(directory.path): give the --data that `serve` was given")
            }
            let lock = try InstanceLock(directory)
            defer { lock.release() }
            let (platform, prometheus) = try PlatformOptions.parse([]).platform(directory, logger)
            try await platform.end()
            if let prometheus {
                await prometheus.find()
                await prometheus.stop()
            }
            try await EmbeddedCluster(directory: directory.postgres).stop()
        }
    }
}
