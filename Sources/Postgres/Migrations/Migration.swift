import Crypto
import Foundation

/// One migration file.
public struct Migration: Sendable, Hashable {
    /// The number in front of its name, from 1.
    public let number: Int
    /// The file's name, such as `0001_ledger.sql`.
    public let file: String
    /// What is run.
    public let text: String
    /// SHA-256 of the file's bytes, in hexadecimal.
    public let checksum: String

    /// Reads a folder's migrations in order and refuses what is out of order.
    ///
    /// Other files than `*.sql` are passed over.
    ///
    /// - Throws: ``MigrationRefusal``.
    public static func read(folder: String) throws -> [Migration] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw MigrationRefusal.nothingFound(folder: folder)
        }
        let migrations = try names.filter { $0.hasSuffix(".sql") }.sorted().map { name in
            try Migration(file: name, bytes: Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
        }
        guard !migrations.isEmpty else { throw MigrationRefusal.nothingFound(folder: folder) }
        for (expected, migration) in zip(1..., migrations) where migration.number != expected {
            let sameNumber = migrations.filter { $0.number == migration.number }
            if sameNumber.count > 1 {
                throw MigrationRefusal.repeatedNumber(migration.number, files: sameNumber.map(\.file))
            }
            throw MigrationRefusal.missingNumber(expected, before: migration.file)
        }
        return migrations
    }

    init(file: String, bytes: Data) throws {
        let digits = file.prefix(4)
        guard digits.count == 4, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits), number > 0,
            file.dropFirst(4).hasPrefix("_"), file.count > 9
        else { throw MigrationRefusal.badName(file: file) }
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw MigrationRefusal.unreadable(file: file)
        }
        self.number = number
        self.file = file
        self.text = text
        checksum = SHA256.hash(data: bytes)
            .map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}
