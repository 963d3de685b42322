/// Reads header lines as libcurl hands them over and keeps the head of the last answer.
struct HeadReader {
    private(set) var head = TransferHead(status: 0)
    /// All header lines so far, of all answers.
    private(set) var byteCount = 0
    /// Whether the head is complete and no other will follow.
    private(set) var isFinal = false
    private let followsRedirects: Bool

    init(followsRedirects: Bool) { self.followsRedirects = followsRedirects }

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        byteCount += bytes.count
        // What comes after the content are trailers; nobody here has a use for them.
        guard !isFinal else { return }
        var line = bytes[...]
        while let last = line.last, last == 0x0D || last == 0x0A { line = line.dropLast() }
        if line.isEmpty {
            let isInterim = (100...199).contains(head.status)
            let isDetour =
                followsRedirects && (300...399).contains(head.status) && head.headers.first(named: "location") != nil
            isFinal = head.status > 0 && !isInterim && !isDetour
        } else if line.starts(with: "HTTP/".utf8) {
            readStatus(String(decoding: line, as: UTF8.self))
        } else if line.first == 0x20 || line.first == 0x09, !head.headers.isEmpty {
            let more = trimmed(line)
            head.headers[head.headers.count - 1].value += " " + more
        } else if let colon = line.firstIndex(of: UInt8(ascii: ":")) {
            let name = String(decoding: line[..<colon], as: UTF8.self)
            head.headers.append(TransferHeader(name, trimmed(line[(colon + 1)...])))
        }
    }

    private mutating func readStatus(_ line: String) {
        let words = line.split(separator: " ", maxSplits: 2)
        head = TransferHead(
            status: words.count > 1 ? Int(words[1]) ?? 0 : 0, httpVersion: String(words[0].dropFirst(5)))
    }

    private func trimmed(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        var rest = bytes
        while let byte = rest.first, byte == 0x20 || byte == 0x09 { rest = rest.dropFirst() }
        while let byte = rest.last, byte == 0x20 || byte == 0x09 { rest = rest.dropLast() }
        return String(decoding: rest, as: UTF8.self)
    }
}
