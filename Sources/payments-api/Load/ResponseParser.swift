/// Reads one HTTP/1.x answer from bytes as they come.
///
/// Only what counting needs is kept: status, `X-Version`, and where the answer ends.
struct ResponseParser: Sendable {
    /// What is known about a whole answer.
    struct Answer: Sendable, Equatable {
        var status: Int
        var version: String?
        /// Whether the server keeps the connection open for another request.
        var keepsConnection: Bool
    }

    enum Progress: Sendable, Equatable {
        case needsMore
        case complete(Answer)
        case malformed
    }

    private enum Body: Sendable {
        case length(Int)
        case chunked
        case untilEnd
    }

    private enum Chunk: Sendable {
        case size([UInt8])
        case data(Int)
        case trailer([UInt8])
    }

    private static let headLimit = 65_536
    private var head: [UInt8] = []
    private var answer: Answer?
    private var body = Body.untilEnd
    private var remaining = 0
    private var chunk = Chunk.size([])
    /// Whether any byte has come.
    private(set) var hasBegun = false

    /// Takes the next bytes.
    ///
    /// Bytes after the end of the answer make it malformed: nothing more was asked for.
    mutating func read(_ bytes: ArraySlice<UInt8>) -> Progress {
        guard !bytes.isEmpty else { return .needsMore }
        hasBegun = true
        var rest = bytes
        if answer == nil {
            while let byte = rest.popFirst() {
                head.append(byte)
                if byte == 10, head.suffix(4).elementsEqual([13, 10, 13, 10]) {
                    guard let parsed = parseHead() else { return .malformed }
                    head.removeAll(keepingCapacity: true)
                    if (100..<200).contains(parsed.status) { continue }
                    answer = parsed
                    break
                }
                if head.count > Self.headLimit { return .malformed }
            }
        }
        guard let answer else { return .needsMore }
        switch body {
        case .length:
            remaining -= rest.count
            if remaining < 0 { return .malformed }
            return remaining == 0 ? .complete(answer) : .needsMore
        case .untilEnd: return .needsMore
        case .chunked: return readChunks(&rest, answer)
        }
    }

    /// Takes the end of the connection.
    func end() -> Progress {
        guard let answer, case .untilEnd = body else { return .malformed }
        return .complete(answer)
    }

    private mutating func readChunks(_ rest: inout ArraySlice<UInt8>, _ answer: Answer) -> Progress {
        while !rest.isEmpty {
            switch chunk {
            case .size(var line):
                guard let byte = rest.popFirst() else { return .needsMore }
                line.append(byte)
                chunk = .size(line)
                guard byte == 10 else {
                    if line.count > 1024 { return .malformed }
                    continue
                }
                let digits = line.prefix { $0 != 13 && $0 != 10 && $0 != UInt8(ascii: ";") }
                let text = String(decoding: digits, as: UTF8.self)
                guard let size = Int(text, radix: 16), size >= 0, size < Int.max - 2 else { return .malformed }
                chunk = size == 0 ? .trailer([]) : .data(size + 2)
            case .data(let left):
                let taken = min(left, rest.count)
                rest = rest.dropFirst(taken)
                chunk = left == taken ? .size([]) : .data(left - taken)
            case .trailer(var line):
                guard let byte = rest.popFirst() else { return .needsMore }
                line.append(byte)
                chunk = .trailer(line)
                guard byte == 10 else {
                    if line.count > Self.headLimit { return .malformed }
                    continue
                }
                if line.count <= 2 { return rest.isEmpty ? .complete(answer) : .malformed }
                chunk = .trailer([])
            }
        }
        return .needsMore
    }

    /// Understands the status line and the headers; sets how the body ends.
    private mutating func parseHead() -> Answer? {
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first, first.hasPrefix("HTTP/1.") else { return nil }
        let words = first.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[1].count == 3, let status = Int(words[1]), status >= 100 else { return nil }
        var answer = Answer(status: status, version: nil, keepsConnection: words[0] != "HTTP/1.0")
        body = .untilEnd
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            switch line[..<colon].lowercased() {
            case "content-length":
                guard let length = Int(value), length >= 0 else { return nil }
                if case .chunked = body { break }
                body = .length(length)
            case "transfer-encoding":
                if value.lowercased().hasSuffix("chunked") { body = .chunked }
            case "connection":
                let value = value.lowercased()
                if value.contains("close") { answer.keepsConnection = false }
                if value.contains("keep-alive") { answer.keepsConnection = true }
            case "x-version": answer.version = String(value)
            default: break
            }
        }
        if status == 204 || status == 304 { body = .length(0) }
        if case .untilEnd = body { answer.keepsConnection = false }
        if case .length(let length) = body { remaining = length }
        return answer
    }
}
