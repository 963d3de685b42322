import FoundationEssentials
import Glibc

/// What `/proc` tells about processes.
enum ProcessTable {
    struct Status: Sendable, Hashable {
        var parent: Int32
        var startTime: UInt64
    }

    /// - Returns: `nil` if there is no such process or it has ended and waits to be reaped, unless `evenEnded`.
    static func status(of pid: Int32, evenEnded: Bool = false) -> Status? {
        guard let text = read(pid, "stat"), let name = text.lastIndex(of: ")") else { return nil }
        // After the name: state, parent, …, start time as the 20th.
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 19, evenEnded || (fields[0] != "Z" && fields[0] != "X"), let parent = Int32(fields[1]),
            let startTime = UInt64(fields[19])
        else { return nil }
        return Status(parent: parent, startTime: startTime)
    }

    /// The numbers of all processes.
    static func all() -> [Int32] {
        entries("/proc").compactMap { Int32($0) }
    }

    /// The command line's words; empty if it cannot be read.
    static func arguments(of pid: Int32) -> [String] { words(read(pid, "cmdline")) }

    /// The environment that the process was started with, as `NAME=value`; empty if it cannot be read.
    static func environment(of pid: Int32) -> [String] { words(read(pid, "environ")) }

    /// The directory that it works in; `nil` if that cannot be read.
    static func directory(of pid: Int32) -> String? {
        link("/proc/\(pid)/cwd")
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink(path, &buffer, buffer.count)
        guard length > 0 else { return nil }
        return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func entries(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var found: [String] = []
        while let entry = readdir(directory) {
            found.append(
                withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        return found
    }

    /// The program's own name, at most 15 bytes; `?` if it cannot be read.
    static func name(of pid: Int32) -> String {
        read(pid, "comm").map { String($0.prefix { $0 != "\n" }) } ?? "?"
    }

    /// What its open files lead to, such as a path or `socket:[4711]`; empty if they cannot be read.
    static func files(of pid: Int32) -> [String] {
        entries("/proc/\(pid)/fd").compactMap { link("/proc/\(pid)/fd/\($0)") }
    }

    /// The lines of a file about this process, such as `net/tcp`; empty if it cannot be read.
    static func lines(_ name: String) -> [Substring] { (read(getpid(), name) ?? "").split(separator: "\n") }

    private static func words(_ text: String?) -> [String] {
        (text ?? "").split(separator: "\0", omittingEmptySubsequences: true).map(String.init)
    }

    /// A process may end while it is read, so an error here means only that there is nothing to tell.
    private static func read(_ pid: Int32, _ name: String) -> String? {
        let descriptor = open("/proc/\(pid)/\(name)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }
}
