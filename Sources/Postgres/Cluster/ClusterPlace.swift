import Crypto
import Foundation

/// Where the private server's files and socket are.
struct ClusterPlace: Sendable, Hashable {
    /// `PGDATA`.
    let data: String
    /// Directory of the socket and nothing else; only the server's user and ours can enter it.
    let socket: String
    /// What a person should know: that a place other than the wanted one was taken, and why.
    let note: String?

    /// The longest path that fits `sockaddr_un.sun_path` with its final zero.
    static let longestSocketPath = 107

    /// Chooses places below `directory` where the server's user can get to them, else below fallbacks that are derived
    /// from it, so that the same directory always gives the same place.
    static func choose(below directory: String, for account: ServerAccount, port: Int) -> ClusterPlace {
        let digest = SHA256.hash(data: Data(directory.utf8)).prefix(6).map {
            String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)
        }
        .joined()
        var notes: [String] = []
        var data = "\(directory)/postgres/data"
        if !account.canTraverse(directory) {
            data = "/var/lib/rollbook-\(digest)/data"
            notes.append(
                "the user \(account.name) cannot enter \(directory), so the database files are in \(data)")
        }
        var socket = "\(directory)/postgres/run"
        let fits = "\(socket)/.s.PGSQL.\(port)".utf8.count <= longestSocketPath
        if !fits || !account.canTraverse(directory) {
            socket = "/tmp/rollbook-pg-\(digest)"
            if !fits {
                notes.append(
                    "a socket below \(directory) would have a path over \(longestSocketPath) bytes, so it is in \(socket)"
                )
            } else {
                notes.append("the socket is in \(socket)")
            }
        }
        return ClusterPlace(data: data, socket: socket, note: notes.isEmpty ? nil : notes.joined(separator: "; "))
    }

    /// Makes the directories, owned by the server's user, closed to others.
    func make(for account: ServerAccount) throws {
        for path in [data, socket] {
            let parent = (path as NSString).deletingLastPathComponent
            if parent != "/tmp" {
                try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
            }
            if mkdir(path, 0o700) != 0, errno != EEXIST {
                throw ClusterError(.directory, "cannot make \(path): \(String(cString: strerror(errno)))")
            }
            // Somebody else's directory (or link) at a place in /tmp that we derive must not be taken over.
            var status = stat()
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
                status.st_uid == account.userID || status.st_uid == geteuid()
            else { throw ClusterError(.directory, "\(path) is there already and belongs to somebody else; remove it") }
            guard chown(path, account.userID, account.groupID) == 0, chmod(path, 0o700) == 0 else {
                throw ClusterError(
                    .directory, "cannot give \(path) to \(account.name): \(String(cString: strerror(errno)))")
            }
        }
    }
}
