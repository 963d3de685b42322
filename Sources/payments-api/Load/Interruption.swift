import Glibc
import Synchronization

/// Whether SIGTERM or SIGINT has come.
///
/// A signal also ends a `ppoll` that is under way.
enum Interruption {
    private static let requested = Atomic<Bool>(false)

    static var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// Takes both signals from now on.
    ///
    /// The flag is touched first: a signal handler must not be the one to create it.
    static func listen() {
        requested.store(false, ordering: .relaxed)
        for number in [SIGTERM, SIGINT] {
            signal(number) { _ in Interruption.requested.store(true, ordering: .relaxed) }
        }
    }
}
