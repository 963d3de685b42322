import FoundationEssentials
import Glibc

/// A file that is replaced as a whole and survives a crash of the machine: written beside, synced, renamed, directory synced.
struct DurableFile: Sendable, Hashable {
    let path: String

    /// - Throws: `FileFailure` with the step that failed.
    func replace(with bytes: some Collection<UInt8>, mode: mode_t = 0o600) throws(FileFailure) {
        let beside = path + ".writing"
        let descriptor = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw FileFailure("open", beside) }
        defer { close(descriptor) }
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 {
                if errno == EINTR { continue }
                throw FileFailure("write", beside)
            }
            rest = rest.dropFirst(written)
        }
        guard fsync(descriptor) == 0 else { throw FileFailure("sync", beside) }
        guard rename(beside, path) == 0 else { throw FileFailure("rename", beside) }
        try syncDirectory()
    }

    /// - Returns: `nil` if there is no such file.
    func read() throws(FileFailure) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw FileFailure("open", path)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw FileFailure("read", path) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// Does nothing if there is no such file.
    func remove() throws(FileFailure) {
        guard unlink(path) == 0 || errno == ENOENT else { throw FileFailure("remove", path) }
        try syncDirectory()
    }

    private func syncDirectory() throws(FileFailure) {
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw FileFailure("open", parent) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw FileFailure("sync", parent) }
    }

    /// Makes a directory and those above it; does nothing if it is there.
    static func makeDirectory(_ path: String, mode: mode_t = 0o755) throws(FileFailure) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            let last = made == path || made + "/" == path
            guard mkdir(made, last ? mode : 0o755) == 0 || errno == EEXIST else { throw FileFailure("make", made) }
        }
    }

    /// Moves `path` to `path.1`, and that to `path.2`, if it is longer than `limit` bytes.
    ///
    /// - Returns: Whether it was moved.
    @discardableResult
    static func rotate(_ path: String, above limit: Int) throws(FileFailure) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0, status.st_size > limit else { return false }
        guard rename("\(path).1", "\(path).2") == 0 || errno == ENOENT else { throw FileFailure("rename", "\(path).1") }
        guard rename(path, "\(path).1") == 0 else { throw FileFailure("rename", path) }
        return true
    }
}

/// A file that could not be written, read or removed.
public struct FileFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was tried.
    public var action: String
    /// On which file.
    public var path: String
    /// `errno`.
    public var code: Int32

    /// Takes the reason from `errno`.
    init(_ action: String, _ path: String) {
        self.action = action
        self.path = path
        code = errno
    }

    /// All in a sentence.
    public var description: String { "cannot \(action) \(path): \(String(cString: strerror(code)))" }
}
