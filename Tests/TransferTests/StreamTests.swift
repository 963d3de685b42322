import HTTPTestKit
import Testing
import Transfer

@Suite(.timeLimit(.minutes(5))) struct StreamTests {
    let client = TransferClient()

    @Test func `the head is there before the content, and pieces come as they are sent`() async throws {
        let headSeen = Barrier(2)
        let firstSeen = Barrier(2)
        try await withServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            headSeen.arriveAndWait()
            exchange.write("data: 1\n\n")
            firstSeen.arriveAndWait()
            exchange.write("data: 2\n\n")
            exchange.close()
        } _: { server in
            let stream = try await client.stream(
                TransferRequest(url: server.url(), timeout: nil, idleTimeout: .seconds(30)))
            #expect(stream.head.headers.first(named: "content-type") == "text/event-stream")
            headSeen.arriveAndWait()
            var iterator = stream.makeAsyncIterator()
            let first = try await iterator.next()
            #expect(first == Array("data: 1\n\n".utf8))
            firstSeen.arriveAndWait()
            let second = try await iterator.next()
            #expect(second == Array("data: 2\n\n".utf8))
            for _ in 1...2 {
                let end = try await iterator.next()
                #expect(end == nil)
            }
        }
    }

    @Test(arguments: [1, 64 << 10, 256 << 10])
    func `a slow reader holds the server back and loses nothing`(highWater: Int) async throws {
        let total = 32 << 20
        let held = Fact<Int>()
        try await withServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let block = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 >> 4) }
            for number in 0..<(total >> 20) {
                guard exchange.write(block, orSay: { held.state((number << 20) + $0) }) else { return }
            }
        } _: { server in
            let stream = try await client.stream(TransferRequest(url: server.url(), timeout: nil), highWater: highWater)
            let sent = await held.known()
            #expect(sent < 16 << 20, "the kernel's buffers and ours, not all of it")
            var count = 0
            var isRight = true
            for try await piece in stream {
                isRight = isRight && piece.first == UInt8(truncatingIfNeeded: count >> 4)
                count += piece.count
            }
            #expect(count == total)
            #expect(isRight)
        }
    }

    @Test func `heartbeats keep a stream alive and silence ends it`() async throws {
        try await withServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\n\r\n")
            for _ in 0..<8 {
                exchange.linger(milliseconds: 100)
                exchange.write(":")
            }
            exchange.waitUntilClientLeaves()
        } _: { server in
            let stream = try await client.stream(
                TransferRequest(url: server.url(), timeout: nil, idleTimeout: .seconds(2)))
            var beats = 0
            let error = await failure { () throws(TransferFailure) in
                for try await piece in stream { beats += piece.count }
            }
            #expect(error?.code == .timeout)
            #expect(beats == 8)
        }
    }

    @Test func `what arrived before a break is read before the failure`() async throws {
        try await withServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            exchange.close()
        } _: { server in
            let stream = try await client.stream(TransferRequest(url: server.url()))
            var read: [UInt8] = []
            let error = await failure { () throws(TransferFailure) in
                for try await piece in stream { read += piece }
            }
            #expect(error?.code == .connectionLost)
            #expect(read == Array("abc".utf8))
        }
    }

    @Test func `dropping a stream hangs up`() async throws {
        let left = Fact<Void>()
        try await withServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\n\r\nabc")
            exchange.waitUntilClientLeaves()
            left.state(())
        } _: { server in
            for try await piece in try await client.stream(TransferRequest(url: server.url(), timeout: nil)) {
                #expect(!piece.isEmpty)
                break
            }
            await left.known()
        }
    }

    @Test func `cancelling the reading task hangs up`() async throws {
        let left = Fact<Void>()
        let reading = Fact<Void>()
        try await withServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\n\r\nabc")
            exchange.waitUntilClientLeaves()
            left.state(())
        } _: { server in
            let stream = try await client.stream(TransferRequest(url: server.url(), timeout: nil))
            // Awaited below.
            let task = Task {
                await failure { () throws(TransferFailure) in
                    for try await _ in stream { reading.state(()) }
                }
            }
            await reading.known()
            task.cancel()
            #expect(await task.value?.code == .cancelled)
            await left.known()
        }
    }

    @Test func `an empty answer is an empty stream`() async throws {
        try await withServer {
            $0.respond(204)
        } _: { server in
            let stream = try await client.stream(TransferRequest(url: server.url()))
            #expect(stream.head.status == 204)
            for try await _ in stream { Issue.record("no content was sent") }
        }
    }

    @Test func `no head is a failure of the request`() async throws {
        try await withServer {
            $0.close()
        } _: { server in
            let error = await failure { () throws(TransferFailure) in
                _ = try await client.stream(TransferRequest(url: server.url()))
            }
            #expect(error?.code == .connectionLost)
        }
    }
}
