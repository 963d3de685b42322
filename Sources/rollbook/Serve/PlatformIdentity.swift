import Foundation
import Ledger

/// What tells the platform in one data directory from all others, wherever the directory is moved to.
enum PlatformIdentity {
    /// The identity that the directory keeps; made at the first call.
    ///
    /// Of several first calls at once one makes it, and all answer that one.
    /// - Throws: ``ServeFailure`` if it cannot be read or written.
    static func of(_ data: DataDirectory) throws -> String {
        let path = data.path + "/platform-identity"
        do {
            if !FileManager.default.fileExists(atPath: path) { try make(path) }
            let text = try String(contentsOfFile: path, encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            guard UUID(uuidString: text) != nil else {
                throw ServeFailure("\(path) holds no identity: remove it, and serve once with --move-cluster")
            }
            return text
        } catch let failure as ServeFailure {
            throw failure
        } catch {
            throw ServeFailure("cannot keep an identity in \(path): \(error.localizedDescription)")
        }
    }

    /// Makes the file, whole and on disk, unless there is one by then.
    private static func make(_ path: String) throws {
        let identity = UUID().uuidString.lowercased()
        let draft = "\(path).\(identity)"
        defer { unlink(draft) }
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        let bytes = Array((identity + "\n").utf8)
        let isWritten =
            descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        let code = errno
        if descriptor >= 0 { close(descriptor) }
        guard isWritten else { throw ServeFailure("cannot write \(draft): \(String(cString: strerror(code)))") }
        // A link replaces nothing: who comes second takes what the first has made.
        guard link(draft, path) == 0 || errno == EEXIST else {
            throw ServeFailure("cannot make \(path): \(String(cString: strerror(errno)))")
        }
        // The ledger will remember the identity: so the name has to outlive a power cut as well as the file.
        if let problem = DurableFolder.sync(of: path) { throw ServeFailure(problem) }
    }
}
