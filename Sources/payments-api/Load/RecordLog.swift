import Glibc

/// Appends a line of JSON for each request; lines reach the file when flushed.
struct RecordLog {
    private let file: OpenFile
    private var buffer: [UInt8] = []

    init(path: String) throws { file = try OpenFile(path: path, flags: O_WRONLY | O_CREAT | O_APPEND) }

    mutating func append(_ record: RequestRecord) {
        buffer.append(contentsOf: record.line.utf8)
        buffer.append(10)
    }

    mutating func flush() throws {
        try file.write(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    func close() { file.close() }
}

extension RequestRecord {
    /// The record as JSON in one line.
    ///
    /// Written by hand: an encoder costs more than the request.
    var line: String {
        var fields = "{\"number\":\(number),\"startedAt\":\(startedAt),\"finishedAt\":\(finishedAt)"
        if let version { fields += ",\"version\":\"\(escaped(version))\"" }
        if let status { fields += ",\"status\":\(status)" }
        if let lost { fields += ",\"lost\":\"\(lost.rawValue)\"" }
        return fields + ",\"reconnected\":\(reconnected)}"
    }
}
