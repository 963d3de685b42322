import Testing

@testable import payments_api

struct ResponseParserTests {
    private let plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Version: 1.4.0\r\n\r\nhello"
    private let chunked =
        "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n"

    private func read(_ text: String, piece: Int) -> (ResponseParser, ResponseParser.Progress) {
        var parser = ResponseParser()
        var progress = ResponseParser.Progress.needsMore
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: piece) {
            guard progress == .needsMore else { return (parser, .malformed) }
            progress = parser.read(bytes[start..<min(start + piece, bytes.count)])
        }
        return (parser, progress)
    }

    @Test(arguments: 1...80)
    func `an answer is the same however it is cut into pieces`(piece: Int) {
        #expect(
            read(plain, piece: piece).1 == .complete(.init(status: 200, version: "1.4.0", keepsConnection: true)))
        #expect(read(chunked, piece: piece).1 == .complete(.init(status: 500, version: nil, keepsConnection: false)))
        #expect(
            read("HTTP/1.1 100 Continue\r\n\r\n" + plain, piece: piece).1
                == .complete(.init(status: 200, version: "1.4.0", keepsConnection: true)))
    }

    @Test func `an answer without a length ends with its connection`() {
        let (parser, progress) = read("HTTP/1.1 200 OK\r\n\r\nsome", piece: 7)
        #expect(progress == .needsMore)
        #expect(parser.end() == .complete(.init(status: 200, version: nil, keepsConnection: false)))
    }

    @Test func `an answer that breaks off is not whole`() {
        #expect(read(String(plain.dropLast()), piece: 9).0.end() == .malformed)
        #expect(read(String(chunked.dropLast(3)), piece: 9).0.end() == .malformed)
    }

    @Test(arguments: [
        "SSH-2.0\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ])
    func `what is not an answer is malformed`(text: String) {
        #expect(read(text, piece: 4096).1 == .malformed)
    }
}
