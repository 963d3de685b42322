import ArgumentParser
import Delivery
import LocalPlatform
import Logging

/// How the local platform runs.
struct PlatformOptions: ParsableArguments {
    @Option(help: "The loopback port on which nginx takes the rollouts' traffic.")
    var trafficPort = 8080

    @Option(help: "The loopback port of the private Prometheus; 0 starts none.")
    var prometheusPort = 9091

    /// Describes the platform below the data directory; nothing is started.
    func platform(_ data: DataDirectory, _ logger: Logger) throws -> (LocalPlatform, PrometheusServer?) {
        let platform = try LocalPlatform(directory: data.platform, port: trafficPort, logger: logger)
        guard prometheusPort > 0 else { return (platform, nil) }
        let prometheus = try PrometheusServer(directory: data.prometheus, port: prometheusPort, logger: logger)
        return (platform, prometheus)
    }

    func validate() throws {
        guard (1...65535).contains(trafficPort) else {
            throw ValidationError("--traffic-port is \(trafficPort): give a port from 1 to 65535")
        }
        guard (0...65535).contains(prometheusPort) else {
            throw ValidationError("--prometheus-port is \(prometheusPort): give a port from 1 to 65535, or 0 for none")
        }
    }
}
