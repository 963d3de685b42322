import Foundation
import LocalPlatform

/// Keeps two instances from steering the platform in one data directory: a lock that the system drops when its holder dies.
struct InstanceLock {
    /// Who has the lock, as it says itself.
    struct Owner: Hashable, Codable {
        /// The process.
        var process: ProcessIdentity
        /// By what name it holds leases.
        var holder: String
    }

    private let descriptor: Int32
    private let path: String

    /// Takes the lock.
    /// - Throws: ``ServeFailure`` if another instance holds it, which says what to do.
    init(_ data: DataDirectory, advice: String = "stop it first") throws {
        guard let lock = try Self.ifFree(data) else {
            throw ServeFailure(
                "another rollbook serves from \(data.path): \(advice)"
            )
        }
        self = lock
    }

    private init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    /// Takes the lock, unless another instance has it.
    /// - Throws: ``ServeFailure`` if its file cannot be opened.
    static func ifFree(_ data: DataDirectory) throws -> InstanceLock? {
        let path = Self.path(data)
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ServeFailure("cannot open \(path): \(String(cString: strerror(errno)))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        return InstanceLock(descriptor: descriptor, path: path)
    }

    private static func path(_ data: DataDirectory) -> String { data.path + "/serve.lock" }

    /// Says who has the lock, or with `nil` that nobody has to be looked after any more.
    /// - Throws: ``ServeFailure`` if that cannot be written.
    func sign(_ owner: Owner?) throws {
        let bytes = try owner.map { Array(try JSONEncoder().encode($0)) } ?? []
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, bytes, bytes.count, 0) == bytes.count else {
            throw ServeFailure("cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// Who has the lock; `nil` if it has not said so, or not all of it yet.
    static func owner(_ data: DataDirectory) -> Owner? {
        guard let bytes = FileManager.default.contents(atPath: path(data)) else { return nil }
        // What does not decode is not all written yet: the next look reads it again.
        return try? JSONDecoder().decode(Owner.self, from: bytes)
    }

    /// Gives it back.
    func release() { close(descriptor) }
}
