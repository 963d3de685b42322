import Glibc
import HTTPTestKit
import Testing
import Transfer

/// Runs `body` and returns the failure it must end with.
func failure(_ body: () async throws(TransferFailure) -> Void) async -> TransferFailure? {
    do throws(TransferFailure) {
        try await body()
        return nil
    } catch {
        return error
    }
}

@Suite(.timeLimit(.minutes(5))) struct SendTests {
    let client = TransferClient()

    @Test func `status, headers in order and content come back as sent`() async throws {
        try await withServer { exchange in
            exchange.respond(418, [("X-B", "1"), ("X-A", "2"), ("x-b", " 3 ")], "short and stout")
        } _: { server in
            let response = try await client.send(TransferRequest(url: server.url("/pot?q=1")))
            #expect(response.status == 418)
            #expect(response.text == "short and stout")
            #expect(response.headers.map(\.name) == ["Content-Length", "X-B", "X-A", "x-b"])
            #expect(response.headers.all(named: "X-b") == ["1", "3"])
            #expect(response.head.httpVersion == "1.1")
            #expect(!response.head.isSuccess)
        }
    }

    @Test(arguments: ["POST", "PUT", "PATCH", "DELETE", "GET", "PURGE"])
    func `content travels both ways with any method`(method: String) async throws {
        try await withServer { exchange in
            exchange.respond(
                200,
                [
                    ("X-Method", exchange.method), ("X-Type", exchange.header("content-type") ?? "none"),
                    ("X-Expect", exchange.header("expect") ?? "none"),
                ], exchange.body)
        } _: { server in
            let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let response = try await client.send(TransferRequest(method: method, url: server.url(), body: body))
            #expect(response.body == body)
            #expect(response.headers.first(named: "X-Method") == method)
            #expect(response.headers.first(named: "X-Type") == "none")
            #expect(response.headers.first(named: "X-Expect") == "none")
        }
    }

    @Test(arguments: ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
    func `any method may go without content`(method: String) async throws {
        try await withServer { exchange in
            exchange.respond(200, [("X-Seen", "\(exchange.method) \(exchange.header("content-length") ?? "-")")], "x")
        } _: { server in
            let response = try await client.send(TransferRequest(method: method, url: server.url()))
            let length = ["POST", "PUT"].contains(method) ? "0" : "-"
            #expect(response.headers.first(named: "X-Seen") == "\(method) \(length)")
            #expect(response.text == (method == "HEAD" ? "" : "x"))
        }
    }

    @Test func `headers, credentials and user agent arrive`() async throws {
        let seen = Fact<[String: String]>()
        try await withServer { exchange in
            seen.state(Dictionary(exchange.headers.map { ($0.name, $0.value) }, uniquingKeysWith: { $0 + "|" + $1 }))
            exchange.respond()
        } _: { server in
            _ = try await client.send(
                TransferRequest(
                    url: server.url(),
                    headers: [.init("X-Empty", ""), .init("X-Twice", "a"), .init("X-Twice", "b"), .init("X-U", "ü")],
                    credentials: TransferCredentials(user: "aladdin", password: "open:sesame")))
            let headers = await seen.known()
            #expect(headers["X-Empty"] == "")
            #expect(headers["X-Twice"] == "a|b")
            #expect(headers["X-U"] == "ü")
            #expect(headers["User-Agent"] == "rollbook")
            #expect(headers["Authorization"] == "Basic YWxhZGRpbjpvcGVuOnNlc2FtZQ==")
            #expect(headers["Accept-Encoding"] == "gzip")
        }
    }

    @Test func `compressed content is unpacked`() async throws {
        try await withServer { exchange in
            let packed: [UInt8] = [
                31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201, 87, 200, 24, 49, 36, 0, 158, 80, 148, 125, 240,
                0,
                0, 0,
            ]
            exchange.respond(200, [("Content-Encoding", "gzip")], packed)
        } _: { server in
            let answer1 = try await client.send(TransferRequest(url: server.url()))
            #expect(answer1.text == String(repeating: "hello ", count: 40))
            let error = await failure { () throws(TransferFailure) in
                _ = try await client.send(TransferRequest(url: server.url(), maximumResponseBytes: 100))
            }
            #expect(error?.code == .tooLarge)
        }
    }

    @Test func `chunked content is joined and trailers are left out`() async throws {
        try await withServer { exchange in
            exchange.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            exchange.write("3\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: yes\r\n\r\n")
        } _: { server in
            let response = try await client.send(TransferRequest(url: server.url()))
            #expect(response.text == "abcde")
            #expect(response.headers.first(named: "X-Late") == nil)
            #expect(response.status == 200)
        }
    }

    @Test func `a connection is used again unless told otherwise`() async throws {
        try await withServer { exchange in
            exchange.respond(200, [], "\(exchange.connection)")
        } _: { server in
            let answer2 = try await client.send(TransferRequest(url: server.url()))
            #expect(answer2.text == "1")
            let answer3 = try await client.send(TransferRequest(url: server.url()))
            #expect(answer3.text == "1")
            let answer4 = try await client.send(TransferRequest(url: server.url(), keepAlive: false))
            #expect(answer4.text == "2")
            let answer5 = try await client.send(TransferRequest(url: server.url()))
            #expect(answer5.text == "1")
        }
    }

    @Test func `a redirect is handed over unless asked to follow`() async throws {
        try await withServer { exchange in
            switch exchange.target {
            case "/end": exchange.respond(200, [("X-Method", exchange.method)], "end")
            case "/loop": exchange.respond(302, [("Location", "/loop")])
            case "/away": exchange.respond(302, [("Location", "file:///etc/passwd")])
            default: exchange.respond(302, [("Location", "/end"), ("X-First", "1")], "moved")
            }
        } _: { server in
            let plain = try await client.send(TransferRequest(url: server.url()))
            #expect(plain.status == 302)
            #expect(plain.text == "moved")
            #expect(plain.headers.first(named: "location") == "/end")

            let post = TransferRequest(method: "POST", url: server.url(), body: [1], maximumRedirects: 3)
            let followed = try await client.send(post)
            #expect(followed.text == "end")
            #expect(followed.headers.first(named: "X-Method") == "GET")
            #expect(followed.headers.first(named: "X-First") == nil)

            let put = try await client.send(TransferRequest(method: "PUT", url: server.url(), maximumRedirects: 3))
            #expect(put.status == 302)

            let loop = await failure { () throws(TransferFailure) in
                _ = try await client.send(TransferRequest(url: server.url("/loop"), maximumRedirects: 3))
            }
            #expect(loop?.code == .tooManyRedirects)
            let away = await failure { () throws(TransferFailure) in
                _ = try await client.send(TransferRequest(url: server.url("/away"), maximumRedirects: 3))
            }
            #expect(away?.code == .protocolError)
        }
    }

    @Test func `two hundred requests are in flight at once`() async throws {
        let barrier = Barrier(200)
        try await withServer { exchange in
            barrier.arriveAndWait()
            exchange.respond(200, [], exchange.target)
        } _: { server in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        try await client.send(TransferRequest(url: server.url("/\(number)"))).text == "/\(number)"
                    }
                }
                var right = 0
                for try await isRight in group where isRight { right += 1 }
                #expect(right == 200)
            }
            #expect(server.connections == 200)
        }
    }

    @Test func `a unix socket replaces the address`() async throws {
        let path = "/tmp/rollbook-transfer-\(UInt64.random(in: 0 ... .max)).sock"
        try await withServer(path: path) { exchange in
            exchange.respond(200, [], exchange.header("host") ?? "")
        } _: { _ in
            let response = try await client.send(
                TransferRequest(url: "http://containerd.local/v1", unixSocketPath: path))
            #expect(response.text == "containerd.local")
        }
        unlink(path)
    }

    @Test func `a route leads to another address and keeps the host`() async throws {
        try await withServer { exchange in
            exchange.respond(200, [], exchange.header("host") ?? "")
        } _: { server in
            let from = try #require(TransferRoute.Endpoint("Prometheus.monitoring:9090"))
            let to = try #require(TransferRoute.Endpoint("127.0.0.1:\(server.port)"))
            let request = TransferRequest(
                url: "http://prometheus.monitoring:9090/x", routes: [TransferRoute(from: from, to: to)])
            let answer6 = try await client.send(request)
            #expect(answer6.text == "prometheus.monitoring:9090")
        }
    }

    @Test(arguments: ["", "host", ":80", "host:0", "host:65536", "a b:80", "a:b:80", "host:80\n"])
    func `an endpoint is refused unless it is host and port`(text: String) {
        #expect(TransferRoute.Endpoint(text) == nil)
    }

    @Test func `an ipv6 endpoint is written in brackets`() {
        #expect(TransferRoute.Endpoint("[::1]:80")?.description == "[::1]:80")
    }
}
