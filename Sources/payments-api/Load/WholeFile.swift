import Glibc

/// Replaces a file as a whole, so that a reader sees the old content or the new, never a part.
struct WholeFile: Sendable {
    let path: String

    /// - Throws: `FileFailure` if the file beside it cannot be written or renamed.
    func replace(with bytes: some Sequence<UInt8>) throws {
        let beside = path + ".writing"
        do {
            let file = try OpenFile(path: beside, flags: O_WRONLY | O_CREAT | O_TRUNC)
            defer { file.close() }
            try file.write(Array(bytes))
        }
        guard rename(beside, path) == 0 else { throw FileFailure(doing: "rename", path: beside, code: errno) }
    }
}

/// A file descriptor that is written to.
struct OpenFile: Sendable {
    private let descriptor: Int32
    private let path: String

    init(path: String, flags: Int32) throws {
        self.path = path
        descriptor = open(path, flags | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileFailure(doing: "open", path: path, code: errno) }
    }

    func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR { continue }
                throw FileFailure(doing: "write", path: path, code: errno)
            }
            rest = rest.dropFirst(written)
        }
    }

    func close() { Glibc.close(descriptor) }
}

/// A file that could not be opened, written or renamed.
struct FileFailure: Error, CustomStringConvertible {
    var doing: String
    var path: String
    var code: Int32

    var description: String { "cannot \(doing) \(path): \(String(cString: strerror(code)))" }
}
