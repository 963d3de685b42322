/// Why migrations are not applied; nothing was changed, but for ``endsTransaction(file:)``.
public enum MigrationRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    /// A file's name is not `NNNN_name.sql`.
    case badName(file: String)
    /// Two files have one number.
    case repeatedNumber(Int, files: [String])
    /// Numbers must go 1, 2, 3, …; this one has no file.
    case missingNumber(Int, before: String)
    /// The folder is not there or holds no migration.
    case nothingFound(folder: String)
    /// A file that was applied has another content, or another name, now.
    case changedAfterApplied(file: String, appliedAs: String, appliedChecksum: String, checksum: String)
    /// The database has migrations that the folder does not: a newer program was here.
    case databaseIsNewer(database: Int, folder: Int)
    /// Another migrator held the lock for longer than we were told to wait.
    case lockedByAnother
    /// A file is not UTF-8 text or holds U+0000.
    case unreadable(file: String)
    /// A file ends the transaction that it is run in; what stood before that end is committed, without being recorded.
    case endsTransaction(file: String)

    /// What is wrong and what to do.
    public var description: String {
        switch self {
        case .badName(let file):
            "migration file \"\(file)\" is not named NNNN_name.sql (four digits, underscore, name); rename it"
        case .repeatedNumber(let number, let files):
            "migration number \(number) is used by \(files.joined(separator: " and ")); renumber the later one"
        case .missingNumber(let number, let before):
            "migration number \(number) is missing before \(before); numbers go 1, 2, 3 without a gap"
        case .nothingFound(let folder):
            "no migrations in \(folder); give the folder with the NNNN_name.sql files"
        case .changedAfterApplied(let file, let appliedAs, let applied, let now):
            "migration \(file) was applied as \(appliedAs) with SHA-256 \(applied.prefix(12))… and is \(now.prefix(12))… "
                + "now; restore the file and put the change into a new migration"
        case .databaseIsNewer(let database, let folder):
            "the database is at migration \(database), this program knows up to \(folder); use the newer program"
        case .lockedByAnother:
            "another migrator is at work in this database and did not finish in time; try again"
        case .unreadable(let file):
            "migration \(file) is not UTF-8 text without U+0000; save it as UTF-8"
        case .endsTransaction(let file):
            "migration \(file) ends its transaction (COMMIT or ROLLBACK), so part of it may be committed; restore the "
                + "database, remove that: each file is one transaction"
        }
    }
}
