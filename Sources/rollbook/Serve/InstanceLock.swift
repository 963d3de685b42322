import Foundation

/// Keeps two instances from using one data directory: a lock that the system drops when its holder dies.
struct InstanceLock {
    private let descriptor: Int32

    /// Takes the lock.
    /// - Throws: ``ServeFailure`` if another instance holds it.
    init(_ data: DataDirectory) throws {
        let path = data.path + "/serve.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ServeFailure("cannot open \(path): \(String(cString: strerror(errno)))") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw ServeFailure("another rollbook serves from \(data.path): stop it, or give another --data")
        }
    }

    /// Gives it back.
    func release() { close(descriptor) }
}
