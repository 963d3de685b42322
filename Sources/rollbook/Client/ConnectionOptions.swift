import ArgumentParser
import Foundation
import Glibc
import Transfer

/// Where the server is, and which of its rollouts are meant.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The server's address. (default: $ROLLBOOK_SERVER, or http://127.0.0.1:7070)"))
    var server: String?

    @Option(help: "The cluster.")
    var cluster = "default"

    /// A client of that server.
    func client() throws(ClientFailure) -> ServerClient {
        let text = server ?? ProcessInfo.processInfo.environment["ROLLBOOK_SERVER"] ?? "http://127.0.0.1:7070"
        let base = text.hasSuffix("/") ? String(text.dropLast()) : text
        guard base.hasPrefix("http://") || base.hasPrefix("https://"), let url = URL(string: base), url.host != nil
        else {
            throw .badServer(text)
        }
        return ServerClient(server: base, cluster: cluster, actor: Self.actor, transfer: TransferClient())
    }

    /// The operating-system user and host, as `user@host`.
    private static var actor: String {
        var name = [CChar](repeating: 0, count: 256)
        let host =
            gethostname(&name, name.count - 1) == 0
            ? String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "localhost"
        let whole = "\(ProcessInfo.processInfo.userName)@\(host)"
        return String(
            String.UnicodeScalarView(whole.unicodeScalars.map { (0x21...0x7E).contains($0.value) ? $0 : "?" }))
    }
}

/// Which namespace is meant.
struct NamespaceOption: ParsableArguments {
    @Option(name: .shortAndLong, help: "The namespace.")
    var namespace = "default"

    func validate() throws {
        if namespace.isEmpty { throw ValidationError("--namespace is empty: give a name, or leave it out.") }
    }
}

/// A command that talks to the server; what goes wrong is worded by ``ExitMessage``.
protocol ClientCommand: AsyncParsableCommand {
    /// Where the server is.
    var connection: ConnectionOptions { get }
    /// Does it.
    func perform(_ client: ServerClient) async throws
}

extension ClientCommand {
    func run() async throws {
        try await ExitMessage.saying {
            let client = try connection.client()
            try await perform(client)
            await client.close()
        }
    }
}
