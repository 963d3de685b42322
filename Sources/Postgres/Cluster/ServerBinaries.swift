import Foundation

/// The programs of one installed PostgreSQL.
struct ServerBinaries: Sendable, Hashable {
    /// The oldest major version that will do.
    static let oldest = 14

    let directory: String
    let majorVersion: Int

    func path(_ tool: String) -> String { "\(directory)/\(tool)" }

    /// All usable installations, the newest first: Debian's directories, then `PATH`.
    static func installed() throws -> [ServerBinaries] {
        let debian = "/usr/lib/postgresql"
        var candidates: [String] = []
        if FileManager.default.fileExists(atPath: debian) {
            candidates = try FileManager.default.contentsOfDirectory(atPath: debian).map { "\(debian)/\($0)/bin" }
        }
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        candidates += path.split(separator: ":").map(String.init)
        var found: [ServerBinaries] = []
        for directory in candidates where !found.contains(where: { $0.directory == directory }) {
            let tools = ["initdb", "pg_ctl", "postgres"].map { "\(directory)/\($0)" }
            guard tools.allSatisfy(FileManager.default.isExecutableFile(atPath:)) else { continue }
            let answer = try Tool.run(["\(directory)/postgres", "--version"])
            // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
            let version = answer.output.split(separator: ")").dropFirst().first?.split(separator: " ").first
            guard answer.status == 0, let major = version?.prefix(while: \.isNumber), let number = Int(major),
                number >= oldest
            else { continue }
            found.append(ServerBinaries(directory: directory, majorVersion: number))
        }
        return found.sorted { $0.majorVersion > $1.majorVersion }
    }

    /// The newest installation, or the one that a data directory was made with.
    static func choose(forVersion wanted: Int?) throws -> ServerBinaries {
        let all = try installed()
        guard let newest = all.first else {
            throw ClusterError(
                .noServerFound,
                "no PostgreSQL \(oldest) or newer in /usr/lib/postgresql/*/bin or PATH; "
                    + "install it (Debian: apt-get install postgresql) or give a connection string")
        }
        guard let wanted else { return newest }
        guard let match = all.first(where: { $0.majorVersion == wanted }) else {
            throw ClusterError(
                .wrongVersion,
                "the data directory was made by PostgreSQL \(wanted); installed: "
                    + all.map { String($0.majorVersion) }.joined(separator: ", ")
                    + "; install postgresql-\(wanted) or move the data with pg_dump")
        }
        return match
    }
}
