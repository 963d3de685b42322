import Foundation
import Synchronization

/// A file of facts, one a line, that outlives the process however it ends.
final class Journal: Sendable {
    private let file: Int32
    private let lock = Mutex(())

    /// Opens the file, or makes it; a last line that was not written to its end is removed.
    ///
    /// - Throws: ``JournalFailure``.
    init(_ path: String) throws {
        file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw JournalFailure("open", path) }
        let end = lseek(file, 0, SEEK_END)
        let whole = try Self.read(file, upTo: Int(end), path).lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        guard end >= 0, ftruncate(file, off_t(whole)) == 0, lseek(file, 0, SEEK_END) == off_t(whole) else {
            throw JournalFailure("cut", path)
        }
    }

    /// The last line of a file; nil if there is none.
    static func lastLine(of path: String) throws -> Substring? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").last
    }

    /// Adds lines in one write; with `durably` they are on the disk when it returns.
    ///
    /// A fact that cannot be written down ends the process: nothing that it claimed afterwards would count.
    func note(_ lines: String..., durably: Bool) { note(lines, durably: durably) }

    /// Adds lines in one write.
    ///
    /// A journal that cannot be kept ends the program: whatever it then said of the ledger would be worth nothing.
    func note(_ lines: [String], durably: Bool) {
        let bytes = Array((lines.joined(separator: "\n") + "\n").utf8)
        lock.withLock { _ in
            guard write(file, bytes, bytes.count) == bytes.count else {
                fatalError("the journal cannot be written: errno \(errno)")
            }
        }
        // Outside the lock: who syncs also syncs what others wrote before.
        if durably, fdatasync(file) != 0 { fatalError("the journal cannot be made durable: errno \(errno)") }
    }

    private static func read(_ file: Int32, upTo count: Int, _ path: String) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: max(0, count))
        guard pread(file, &bytes, bytes.count, 0) == bytes.count else { throw JournalFailure("read", path) }
        return bytes
    }
}

/// Why a journal could not be opened.
struct JournalFailure: Error, CustomStringConvertible {
    let description: String

    init(_ verb: String, _ path: String) {
        description = "cannot \(verb) \(path): \(String(cString: strerror(errno)))"
    }
}
