internal import Foundation
public import Transparency

/// The file that holds a log's private key: one line, readable by its owner alone.
public enum SealKeyFile {
    /// Reads a key.
    ///
    /// - Throws: ``SigningFailure`` if the file is not there, is open to others, or holds something else.
    public static func read(_ path: String) throws -> SigningKey {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SigningFailure("cannot open the key \(path): \(reason())") }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw SigningFailure("cannot examine the key \(path): \(reason())")
        }
        let mode = status.st_mode & 0o777
        guard mode & 0o077 == 0 else {
            throw SigningFailure(
                "the key \(path) can be read or written by others (mode \(String(mode, radix: 8))): "
                    + "chmod 600 it, and make a new one if it may have been seen")
        }
        let text = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
        guard let key = SigningKey(secretText: text.trimmingCharacters(in: .newlines)) else {
            throw SigningFailure("\(path) holds no private key: make one with `rollbook keygen`")
        }
        return key
    }

    /// Writes a key into a new file, which stands under its name only once it is whole and on disk.
    ///
    /// - Throws: ``SigningFailure`` if there is a file already: a key is never overwritten.
    public static func create(_ path: String, _ key: SigningKey) throws {
        let draft = "\(path).\(UUID().uuidString.lowercased())"
        defer { unlink(draft) }
        try write(key.secretText + "\n", to: draft, O_EXCL, mode: 0o600)
        // A link replaces nothing.
        guard link(draft, path) == 0 else { throw SigningFailure("cannot make the key \(path): \(reason())") }
        try syncFolder(of: path)
    }

    /// Writes a file, and has its bytes on disk.
    fileprivate static func write(_ text: String, to path: String, _ flags: Int32, mode: mode_t) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, mode)
        guard descriptor >= 0 else { throw SigningFailure("cannot write \(path): \(reason())") }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try file.write(contentsOf: Data(text.utf8))
        try file.synchronize()
    }

    fileprivate static func syncFolder(of path: String) throws {
        if let problem = DurableFolder.sync(of: path) { throw SigningFailure(problem) }
    }

    fileprivate static func reason() -> String { String(cString: strerror(errno)) }
}

/// The last tree head that this instance signed, kept outside the database: a database that was put back is noticed.
struct LastSignedHead: Sendable {
    let path: String

    /// The head; nil if none was signed yet.
    ///
    /// - Throws: ``SealHalt`` if the file holds something else.
    func read() throws -> SignedTreeHead? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
        do {
            return try SignedTreeHead(text)
        } catch {
            throw SealHalt("\(path), where the last signed tree head is kept, cannot be read: \(error)")
        }
    }

    /// Replaces it, durably.
    func write(_ note: SignedNote) throws {
        let next = path + ".next"
        try SealKeyFile.write(note.description, to: next, O_TRUNC, mode: 0o644)
        guard rename(next, path) == 0 else {
            throw SigningFailure("cannot replace \(path): \(SealKeyFile.reason())")
        }
        try SealKeyFile.syncFolder(of: path)
    }
}
