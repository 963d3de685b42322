import Foundation

/// What tells the platform in one data directory from all others, wherever the directory is moved to.
enum PlatformIdentity {
    /// The identity that the directory keeps; made at the first call.
    /// - Throws: ``ServeFailure`` if it cannot be read or written.
    static func of(_ data: DataDirectory) throws -> String {
        let path = data.path + "/platform-identity"
        do {
            if FileManager.default.fileExists(atPath: path) {
                let text = try String(contentsOfFile: path, encoding: .utf8)
                    .trimmingCharacters(in: .whitespacesAndNewlines)
                guard UUID(uuidString: text) != nil else {
                    throw ServeFailure("\(path) holds no identity: remove it, and serve once with --move-cluster")
                }
                return text
            }
            let identity = UUID().uuidString.lowercased()
            try Data((identity + "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
            return identity
        } catch let failure as ServeFailure {
            throw failure
        } catch {
            throw ServeFailure("cannot keep an identity in \(path): \(error.localizedDescription)")
        }
    }
}
