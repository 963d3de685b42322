import Glibc

/// Who listens on a port, as `/proc` tells it.
extension LoopbackPort {
    /// Who keeps others from `port`, for people, such as `python3 (process 4711)`; `nil` if the port is free, or if only
    /// `own` processes listen there.
    ///
    /// Reads the open files of every process: for start-up and error messages only.
    public static func holder(of port: Int, besides own: [ProcessIdentity] = []) -> String? {
        if isFree(port) { return nil }
        let found = listeners(port)
        let others = found.filter { pid in !own.contains { $0.pid == pid } }
        if !found.isEmpty, others.isEmpty { return nil }
        guard !others.isEmpty else { return "a process of another user" }
        return others.map { "\(ProcessTable.name(of: $0)) (process \($0))" }.joined(separator: ", ")
    }

    /// The processes that accept connections to `port` on loopback, in ascending order; those of other users are not seen
    /// without privileges.
    static func listeners(_ port: Int) -> [Int32] {
        let sockets = Set(
            (ProcessTable.lines("net/tcp") + ProcessTable.lines("net/tcp6")).compactMap { socket($0, port) })
        if sockets.isEmpty { return [] }
        return ProcessTable.all().filter { !sockets.isDisjoint(with: ProcessTable.files(of: $0)) }.sorted()
    }

    /// The name that open files have for the socket in a line of `/proc/net/tcp`, if it listens on `port`.
    ///
    /// - Source: proc(5); the address is in the host's byte order, 32 bits at a time.
    private static func socket(_ line: Substring, _ port: Int) -> String? {
        let fields = line.split(separator: " ")
        guard fields.count > 9, fields[3] == "0A" else { return nil }
        let local = fields[1].split(separator: ":")
        let loopback = ["00000000", "0100007F", "0000000000000000FFFF00000100007F", String(repeating: "0", count: 32)]
        guard local.count == 2, Int(local[1], radix: 16) == port, loopback.contains(String(local[0])) else {
            return nil
        }
        return "socket:[\(fields[9])]"
    }
}
