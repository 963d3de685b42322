import Foundation
import Ledger

/// A file that was not there before: for its owner alone, and under its name only once it is whole and on disk.
///
/// Until then it is `NAME.part`, which stays if the program is killed, and which the next call writes anew.
struct NewFile {
    private let handle: FileHandle
    private let name: String
    private let draft: String

    /// Begins one.
    ///
    /// - Throws: ``LedgerVerbFailure`` if there is a file of that name, or somebody else writes one just now.
    init(_ name: String) throws {
        self.name = name
        draft = name + ".part"
        guard !FileManager.default.fileExists(atPath: name) else {
            throw LedgerVerbFailure("\(name) is there already: give the name of a new file")
        }
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw LedgerVerbFailure("cannot make \(draft): \(Self.reason()); give the name of a new file")
        }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw LedgerVerbFailure("\(draft) is being written: wait for that, or give another name")
        }
        // One that was left by a program that was killed may be open to others, and long.
        guard fchmod(descriptor, 0o600) == 0, ftruncate(descriptor, 0) == 0 else {
            throw LedgerVerbFailure("cannot write \(draft): \(Self.reason())")
        }
    }

    func write(_ bytes: [UInt8]) throws {
        do { try handle.write(contentsOf: Data(bytes)) } catch {
            throw LedgerVerbFailure("cannot write \(draft): \(error.localizedDescription)", Exit.refused)
        }
    }

    /// Gives it its name.
    ///
    /// - Throws: ``LedgerVerbFailure`` if it is not on disk, or a file of that name was made meanwhile.
    func finish() throws {
        do { try handle.synchronize() } catch {
            throw LedgerVerbFailure("cannot write \(draft): \(error.localizedDescription)", Exit.refused)
        }
        // A link replaces nothing.
        if link(draft, name) == 0 {
            unlink(draft)
        } else if ![EPERM, ENOTSUP, ENOSYS].contains(errno) || FileManager.default.fileExists(atPath: name)
            || rename(draft, name) != 0
        {
            throw LedgerVerbFailure("cannot make \(name): \(Self.reason())", Exit.refused)
        }
        if let problem = DurableFolder.sync(of: name) { throw LedgerVerbFailure(problem, Exit.refused) }
    }

    /// Removes what was written.
    func discard() { unlink(draft) }

    private static func reason() -> String { String(cString: strerror(errno)) }
}
