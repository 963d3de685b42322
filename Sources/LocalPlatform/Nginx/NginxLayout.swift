import Glibc

/// Where the files of a private nginx are.
public struct NginxLayout: Sendable, Hashable {
    /// Holds all but what cannot live there; absolute.
    public let root: String
    /// Holds the control socket and, where the workers cannot traverse `root`, their temporary files; absolute.
    ///
    /// It is `root` unless the path of the socket would be longer than the 107 bytes that the system allows, or
    /// an account without privileges cannot reach `root`.
    public let reachable: String

    /// Chooses the places below `directory`, an absolute path.
    ///
    /// - Parameter needsTraversal: Whether the workers run under another account than ours.
    init(directory: String, needsTraversal: Bool) {
        root = directory + "/nginx"
        let fits = "\(root)/control/socket".utf8.count <= 107
        if fits, !needsTraversal || Self.everyoneTraverses(directory) {
            reachable = root
        } else {
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a
            for byte in directory.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            reachable = "/tmp/rollbook-\(getuid())-\(String(hash, radix: 36))"
        }
    }

    var file: String { root + "/nginx.conf" }
    var candidate: String { root + "/nginx.conf.next" }
    var pidFile: String { root + "/nginx.pid" }
    var errorLog: String { root + "/error.log" }
    /// What nginx itself printed when it was started or asked to check.
    var outputLog: String { root + "/output.log" }
    /// A line of JSON for each request that nginx answered.
    public var accessLog: String { root + "/access.log" }
    var programs: String { root + "/programs" }
    var savedState: String { root + "/state.json" }
    var savedSites: String { root + "/sites.json" }
    var temporary: String { reachable + "/temporary" }
    private var controlDirectory: String { reachable + "/control" }
    /// The control endpoint; its directory is ours alone.
    public var controlSocket: String { controlDirectory + "/socket" }

    /// - Throws: `FileFailure` if a directory cannot be made, or stands in a shared place and is not ours.
    func prepare() throws(FileFailure) {
        try DurableFile.makeDirectory(root)
        if reachable != root {
            try DurableFile.makeDirectory(reachable)
            var status = stat()
            guard lstat(reachable, &status) == 0, status.st_uid == getuid(), status.st_mode & S_IFMT == S_IFDIR else {
                errno = EPERM
                throw FileFailure("use", reachable)
            }
        }
        try DurableFile.makeDirectory(programs)
        try DurableFile.makeDirectory(temporary)
        try DurableFile.makeDirectory(controlDirectory, mode: 0o700)
    }

    /// Whether an account without privileges can go through `directory` and all above it.
    private static func everyoneTraverses(_ directory: String) -> Bool {
        var path = ""
        for part in directory.split(separator: "/") {
            path += "/\(part)"
            var status = stat()
            guard stat(path, &status) == 0 else { return errno == ENOENT }  // ours to make, then open to all
            if status.st_mode & S_IXOTH == 0 { return false }
        }
        return true
    }
}
