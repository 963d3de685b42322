import Foundation
import HTTPTestKit
import Testing
import Transfer

@Suite(.timeLimit(.minutes(5)), .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")))
struct TLSTests {
    @Test func `a certificate is verified unless told otherwise`() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "rollbook-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }  // a temporary directory left behind harms nobody
        let key = directory.appending(path: "key.pem").path
        let certificate = directory.appending(path: "certificate.pem").path
        let made = openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
        let ended = Fact<Int32>()
        made.terminationHandler = { ended.state($0.terminationStatus) }
        try made.run()
        #expect(await ended.known() == 0)

        // s_server says which port it got only when its output is a terminal, so a port that was just free is given to it.
        let spare = try HTTPDouble { $0.close() }
        let port = spare.port
        spare.stop()
        let server = openssl("s_server", "-accept", "127.0.0.1:\(port)", "-cert", certificate, "-key", key, "-www")
        server.standardOutput = FileHandle.nullDevice
        let serverEnded = Fact<Int32>()
        server.terminationHandler = { serverEnded.state($0.terminationStatus) }
        try server.run()
        // Threads of the cooperative pool block SIGTERM and their children inherit that, hence the harder signal.
        defer { if server.isRunning { kill(server.processIdentifier, SIGKILL) } }
        let client = TransferClient()
        let url = "https://localhost:\(port)/"
        let deadline = ContinuousClock.now + .seconds(60)
        var untrusted: TransferFailure?
        repeat {
            untrusted = await failure { () throws(TransferFailure) in _ = try await client.send(.init(url: url)) }
        } while untrusted?.code != .tls && server.isRunning && .now < deadline
        #expect(untrusted?.code == .tls)
        #expect(untrusted?.canRetry == false)
        let trust = TransferTLS(authorities: .file(certificate))
        let answer1 = try await client.send(TransferRequest(url: url, tls: trust))
        #expect(answer1.status == 200)
        let pem = TransferTLS(authorities: .pem(Array(try Data(contentsOf: URL(filePath: certificate)))))
        let answer2 = try await client.send(TransferRequest(url: url, tls: pem, keepAlive: false))
        #expect(answer2.status == 200)
        let otherName = await failure { () throws(TransferFailure) in
            _ = try await client.send(TransferRequest(url: "https://127.0.0.1:\(port)/", tls: trust))
        }
        #expect(otherName?.code == .tls)
        let any = TransferTLS(skipsVerification: true)
        let answer3 = try await client.send(TransferRequest(url: "https://127.0.0.1:\(port)/", tls: any))
        #expect(answer3.status == 200)
        await client.close()
        kill(server.processIdentifier, SIGKILL)
        _ = await serverEnded.known()
    }

    @Test func `key material in memory is not shown`() {
        let tls = TransferTLS(clientKey: .pem(Array("-----BEGIN".utf8)))
        #expect("\(tls)".contains("<redacted>"))
        #expect(!"\(tls)".contains("45, 45"))
    }

    private func openssl(_ arguments: String...) -> Process {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        return process
    }
}
