import Glibc
import HTTPTestKit
import Testing
import Transfer

@Suite(.timeLimit(.minutes(5))) struct FailureTests {
    let client = TransferClient()

    private func outcome(of request: TransferRequest) async -> TransferFailure? {
        await failure { () throws(TransferFailure) in _ = try await client.send(request) }
    }

    @Test func `a silent server runs into the timeout`() async throws {
        try await withServer {
            $0.waitUntilClientLeaves()
        } _: { server in
            let error = await outcome(of: TransferRequest(url: server.url(), timeout: .milliseconds(80)))
            #expect(error?.code == .timeout)
            #expect(error?.canRetry == true)
            let idle = await outcome(of: TransferRequest(url: server.url(), idleTimeout: .milliseconds(80)))
            #expect(idle?.code == .timeout)
        }
    }

    @Test func `a timeout of zero has passed before the start`() async throws {
        let error = await outcome(of: TransferRequest(url: "http://127.0.0.1:1/", timeout: .zero))
        #expect(error?.code == .timeout)
    }

    @Test func `a port on which nobody listens is refused`() async throws {
        let server = try HTTPDouble { $0.respond() }
        server.stop()
        let port = server.port
        // The listening socket is closed by its thread; until then a connection is accepted and cut.
        var error = await outcome(of: TransferRequest(url: "http://127.0.0.1:\(port)/"))
        while error?.code == .connectionLost {
            error = await outcome(of: TransferRequest(url: "http://127.0.0.1:\(port)/"))
        }
        #expect(error?.code == .couldNotConnect)
        #expect(error?.curlCode == 7)
        #expect(error?.canRetry == true)
    }

    @Test func `a name without an address does not resolve`() async throws {
        let error = await outcome(of: TransferRequest(url: "http://nowhere.invalid/", timeout: .seconds(20)))
        #expect(error?.code == .couldNotResolve || error?.code == .timeout)
    }

    @Test func `a broken connection is told from a whole answer`() async throws {
        try await withServer { exchange in
            switch exchange.target {
            case "/nothing": exchange.close()
            case "/reset":
                exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                exchange.reset()
            default:
                exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                exchange.close()
            }
        } _: { server in
            for path in ["/nothing", "/reset", "/short"] {
                let error = await outcome(of: TransferRequest(url: server.url(path)))
                #expect(error?.code == .connectionLost, "\(path)")
                #expect(error?.canRetry == true)
            }
        }
    }

    @Test(arguments: [
        "garbage\r\n\r\n", "HTTP/1.1\r\n\r\n", "\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}", "220 smtp.example ESMTP\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ]) func `garbage is not an answer`(garbage: String) async throws {
        try await withServer { exchange in
            exchange.write(garbage)
            exchange.close()
        } _: { server in
            let error = await outcome(of: TransferRequest(url: server.url()))
            #expect(error?.code == .protocolError || error?.code == .connectionLost, "\(String(describing: error))")
        }
    }

    @Test func `content and headers have a limit`() async throws {
        try await withServer { exchange in
            switch exchange.target {
            case "/exact": exchange.respond(200, [], [UInt8](repeating: 7, count: 1000))
            case "/headers":
                exchange.write("HTTP/1.1 200 OK\r\n")
                while exchange.write("X-More: \(String(repeating: "a", count: 8000))\r\n") {}
            default:
                exchange.write("HTTP/1.1 200 OK\r\n\r\n")
                while exchange.write([UInt8](repeating: 7, count: 1 << 16)) {}
            }
        } _: { server in
            let exact = try await client.send(TransferRequest(url: server.url("/exact"), maximumResponseBytes: 1000))
            #expect(exact.body.count == 1000)
            for (path, limit) in [("/exact", 999), ("/endless", 1 << 20), ("/headers", 1 << 20)] {
                let error = await outcome(of: TransferRequest(url: server.url(path), maximumResponseBytes: limit))
                #expect(error?.code == .tooLarge, "\(path) \(String(describing: error))")
                #expect(error?.canRetry == false)
            }
        }
    }

    @Test func `cancelling the task ends the transfer at once`() async throws {
        let arrived = Fact<Void>()
        let left = Fact<Void>()
        try await withServer { exchange in
            arrived.state(())
            exchange.waitUntilClientLeaves()
            left.state(())
        } _: { server in
            // Awaited two lines down.
            let task = Task { await outcome(of: TransferRequest(url: server.url(), timeout: nil)) }
            await arrived.known()
            task.cancel()
            #expect(await task.value?.code == .cancelled)
            await left.known()
        }
    }

    @Test func `a request of a cancelled task is not sent`() async throws {
        try await withServer {
            $0.respond()
        } _: { server in
            let url = server.url()
            // Awaited below; it waits for its own cancellation first.
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return await outcome(of: TransferRequest(url: url))
            }
            task.cancel()
            #expect(await task.value?.code == .cancelled)
            #expect(server.connections == 0)
        }
    }

    @Test func `closing the client fails what is under way and what comes after`() async throws {
        let arrived = Fact<Void>()
        try await withServer { exchange in
            arrived.state(())
            exchange.waitUntilClientLeaves()
        } _: { server in
            let url = server.url()
            let client = TransferClient()
            // Awaited below.
            let task = Task {
                await failure { () throws(TransferFailure) in _ = try await client.send(TransferRequest(url: url)) }
            }
            await arrived.known()
            await client.close()
            #expect(await task.value?.code == .closed)
            await client.close()
            let late = await failure { () throws(TransferFailure) in
                _ = try await client.send(TransferRequest(url: url))
            }
            #expect(late?.code == .closed)
        }
    }

    @Test(arguments: [
        "", "host/path", "ftp://host/", "file:///etc/passwd", "http://", "http:///path", "http://host:0/",
        "http://host:99999/", "http://host/a b", "http://host/\r\nX-Evil: 1", "http://host/\u{0}", "://x",
        "http://[::1",
    ]) func `an address that is none is refused`(url: String) async {
        let error = await outcome(of: TransferRequest(url: url))
        #expect(error?.code == .badURL)
        #expect(error?.canRetry == false)
        #expect(error?.url.utf8.contains(10) == false)
    }

    @Test func `what could smuggle a header is refused`() async {
        let url = "http://127.0.0.1:1/"
        let requests = [
            TransferRequest(url: url, headers: [.init("X-A", "1\r\nX-Evil: 2")]),
            TransferRequest(url: url, headers: [.init("X-A", "1\nX-Evil: 2")]),
            TransferRequest(url: url, headers: [.init("X-A", "1\u{0}")]),
            TransferRequest(url: url, headers: [.init("X-A: 1\r\nX-Evil", "2")]),
            TransferRequest(url: url, headers: [.init("", "2")]),
            TransferRequest(url: url, headers: [.init("X A", "2")]),
            TransferRequest(method: "GET / HTTP/1.1\r\nX-Evil: 1\r\n", url: url),
            TransferRequest(method: "", url: url),
            TransferRequest(url: url, userAgent: "a\r\nX-Evil: 1"),
            TransferRequest(url: url, credentials: TransferCredentials(user: "a:b", password: "")),
            TransferRequest(url: url, connectTimeout: .zero),
            TransferRequest(url: url, idleTimeout: .zero),
            TransferRequest(url: url, maximumResponseBytes: -1),
            TransferRequest(url: url, unixSocketPath: String(repeating: "a", count: 108)),
        ]
        for request in requests {
            let error = await outcome(of: request)
            #expect(error?.code == .badRequest, "\(request)")
        }
    }

    @Test func `a failure shows no secret`() async {
        let request = TransferRequest(
            url: "http://user:hunter2@127.0.0.1:1/?api_key=topsecret&q=up",
            credentials: TransferCredentials(user: "me", password: "sesame"))
        let error = await outcome(of: request)
        let shown = error.map { "\($0) \(String(reflecting: $0))" } ?? ""
        #expect(shown.contains("q=up"))
        for secret in ["hunter2", "topsecret", "sesame"] { #expect(!shown.contains(secret)) }
        #expect(!"\(request)".contains("sesame"))
    }
}
