/// Takes a stream of server-sent events apart, in pieces of any size.
///
/// - Source: WHATWG HTML, "Server-sent events", interpreting an event stream.
struct ServerSentEvents {
    /// One event.
    struct Event: Equatable {
        var id: String?
        var name = "message"
        var data: String
    }

    private var pending: [UInt8] = []
    private var id: String?
    private var name: String?
    private var data: [String] = []

    /// The events that `bytes` complete.
    mutating func read(_ bytes: [UInt8]) -> [Event] {
        pending += bytes
        var events: [Event] = []
        var start = pending.startIndex
        while let end = pending[start...].firstIndex(of: UInt8(ascii: "\n")) {
            var line = pending[start..<end]
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if let event = take(String(decoding: line, as: UTF8.self)) { events.append(event) }
            start = end + 1
        }
        pending.removeFirst(start)
        return events
    }

    private mutating func take(_ line: String) -> Event? {
        if line.isEmpty {
            defer { (name, data) = (nil, []) }
            return data.isEmpty ? nil : Event(id: id, name: name ?? "message", data: data.joined(separator: "\n"))
        }
        let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count == 2 ? String(parts[1].hasPrefix(" ") ? parts[1].dropFirst() : parts[1]) : ""
        switch parts[0] {
        case "id": id = value
        case "event": name = value
        case "data": data.append(value)
        default: break  // a comment, or a field that nobody knows
        }
        return nil
    }
}
