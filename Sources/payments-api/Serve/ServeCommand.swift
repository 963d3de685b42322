import ArgumentParser
import FoundationEssentials
import Hummingbird
import Logging

/// Runs the service until SIGTERM or SIGINT; requests in flight are answered first.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve /, /healthz and /metrics on loopback.")

    @Option(help: "The port to listen on; 0 takes a free one. (default: $PORT, or 8080)")
    var port: Int?

    @Option(
        help: ArgumentHelp(
            "What / and X-Version say; a version that ends in -broken fails every fifth request. "
                + "(default: $ROLLBOOK_IMAGE_TAG, or unknown)"))
    var version: String?

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let service = PaymentsService(version: version ?? environment["ROLLBOOK_IMAGE_TAG"] ?? "unknown")
        var logger = Logger(label: "payments-api")
        logger.logLevel = .notice
        let application = Application(
            router: service.router(),
            configuration: .init(
                address: .hostname("127.0.0.1", port: try listeningPort(environment["PORT"])), serverName: nil),
            onServerRunning: { [logger] channel in
                logger.notice(
                    "listening",
                    metadata: [
                        "service.version": "\(service.version)",
                        "server.port": "\(channel.localAddress?.port ?? 0)",
                    ])
            },
            logger: logger)
        try await application.runService()
    }

    private func listeningPort(_ fromEnvironment: String?) throws -> Int {
        if let port { return try checked(port, named: "--port") }
        guard let text = fromEnvironment else { return 8080 }
        guard let port = Int(text) else {
            throw ValidationError("PORT is “\(text)”: give a number from 0 to 65535, or use --port.")
        }
        return try checked(port, named: "PORT")
    }

    private func checked(_ port: Int, named name: String) throws -> Int {
        guard (0...65535).contains(port) else {
            throw ValidationError("\(name) is \(port): give a number from 0 to 65535.")
        }
        return port
    }
}
