import Foundation

/// The operating-system user that the server runs as.
///
/// PostgreSQL refuses to run as root; so root hands it to `postgres`, or to `nobody` where there is none.
struct ServerAccount: Sendable, Hashable {
    let name: String
    let userID: uid_t
    let groupID: gid_t
    /// Whether we must change user to be it.
    let isOther: Bool

    static func current() throws -> ServerAccount {
        guard geteuid() == 0 else {
            return ServerAccount(name: NSUserName(), userID: geteuid(), groupID: getegid(), isOther: false)
        }
        for name in ["postgres", "nobody"] {
            guard let entry = getpwnam(name) else { continue }
            return ServerAccount(
                name: name, userID: entry.pointee.pw_uid, groupID: entry.pointee.pw_gid, isOther: true)
        }
        throw ClusterError(
            .directory, "run by root, PostgreSQL needs an unprivileged user; create one named postgres")
    }

    /// The command that runs `command` as this user.
    func wrap(_ command: [String]) throws -> [String] {
        guard isOther else { return command }
        let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].first(where: FileManager.default.isExecutableFile(atPath:))
        guard let setpriv else {
            throw ClusterError(.toolFailed, "setpriv is missing; install util-linux, or do not run as root")
        }
        return [setpriv, "--reuid=\(userID)", "--regid=\(groupID)", "--clear-groups", "--"] + command
    }

    /// Whether this user can reach and enter `directory`, judged by owner, group and mode of each part.
    func canTraverse(_ directory: String) -> Bool {
        guard isOther else { return true }
        var path = ""
        for part in [""] + directory.split(separator: "/").map(String.init) {
            path = path == "/" ? "/\(part)" : "\(path)/\(part)"
            var status = stat()
            // What does not exist yet will be made by us, and given to this user.
            guard stat(path, &status) == 0 else { return true }
            let bits: mode_t =
                status.st_uid == userID ? S_IXUSR : status.st_gid == groupID ? S_IXGRP : S_IXOTH
            guard status.st_mode & bits != 0 else { return false }
        }
        return true
    }
}
