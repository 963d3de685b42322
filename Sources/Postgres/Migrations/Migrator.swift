/// Brings a database to the state that a folder of `NNNN_name.sql` files describes: forward only.
///
/// What was applied stands in the table `public.schema_migration` with its checksum. Each file runs in a transaction of
/// its own together with its row in that table; an advisory lock keeps migrators apart.
public struct Migrator: Sendable {
    /// A migration that the database has.
    public struct Applied: Sendable, Hashable {
        /// The number, from 1.
        public let number: Int
        /// The file's name when it was applied.
        public let file: String
        /// SHA-256 of the file's bytes then.
        public let checksum: String
        /// When it was applied.
        public let appliedAt: PostgresInstant
    }

    /// How folder and database compare.
    public struct Status: Sendable, Hashable {
        /// What the database has, in order.
        public let applied: [Applied]
        /// What the folder has beyond that, in order.
        public let pending: [Migration]
    }

    /// In order, without gaps.
    public let migrations: [Migration]
    /// How long to wait for another migrator.
    public var lockTimeout: Duration = .seconds(60)

    /// Where all migrators of a database meet: "rollbook" as a number.
    private static let lockKey: Int64 = 0x726f_6c6c_626f_6f6b

    /// Reads the folder.
    ///
    /// - Throws: ``MigrationRefusal``.
    public init(folder: String) throws { migrations = try Migration.read(folder: folder) }

    /// Compares folder and database without changing anything.
    ///
    /// - Throws: ``MigrationRefusal`` when they contradict each other; ``PostgresError``.
    public func status(_ configuration: PostgresConfiguration) async throws -> Status {
        let connection = try await PostgresConnection.connect(configuration)
        do {
            let status = try await status(on: connection)
            await connection.close()
            return status
        } catch {
            await connection.close()
            throw error
        }
    }

    /// Applies what is pending, on a connection of its own; a login that can only read will do if nothing is.
    ///
    /// - Returns: What was applied now; empty when the database was up to date.
    /// - Throws: ``MigrationRefusal``; ``PostgresError`` of a file that failed, named in its `context`, after those before
    ///   it were committed.
    @discardableResult
    public func migrate(_ configuration: PostgresConfiguration) async throws -> [Migration] {
        let connection = try await PostgresConnection.connect(configuration)
        do {
            let done = try await migrate(on: connection)
            await connection.close()
            return done
        } catch {
            await connection.close()
            throw error
        }
    }

    private func status(on connection: PostgresConnection) async throws -> Status {
        let exists = try await connection.query("SELECT to_regclass('public.schema_migration') IS NOT NULL").single()
        guard try exists.get(0, as: Bool.self) else { return Status(applied: [], pending: migrations) }
        let rows = try await connection.query(
            """
            SELECT number, file, checksum, applied_at
            FROM public.schema_migration
            ORDER BY number
            """)
        let applied = try rows.map { row in
            Applied(
                number: try row.get("number"), file: try row.get("file"), checksum: try row.get("checksum"),
                appliedAt: try row.get("applied_at"))
        }
        if let last = applied.last, last.number > migrations.count {
            throw MigrationRefusal.databaseIsNewer(database: last.number, folder: migrations.count)
        }
        for (expected, (was, now)) in zip(1..., zip(applied, migrations)) {
            guard was.number == expected else {
                throw MigrationRefusal.missingNumber(expected, before: "\(was.file) (in the database)")
            }
            guard was.checksum == now.checksum, was.file == now.file else {
                throw MigrationRefusal.changedAfterApplied(
                    file: now.file, appliedAs: was.file, appliedChecksum: was.checksum, checksum: now.checksum)
            }
        }
        return Status(applied: applied, pending: Array(migrations.dropFirst(applied.count)))
    }

    private func migrate(on connection: PostgresConnection) async throws -> [Migration] {
        // Who has nothing to change needs no right to change anything.
        guard try await !status(on: connection).pending.isEmpty else { return [] }
        do {
            try await connection.query(
                "SELECT pg_advisory_lock(\(Self.lockKey))", StatementOptions(timeout: lockTimeout))
        } catch let error as PostgresError where error.code == .timeout {
            throw MigrationRefusal.lockedByAnother
        }
        // The lock goes with the connection, which the caller closes.
        try await connection.script(
            """
            CREATE TABLE IF NOT EXISTS public.schema_migration (
                number     integer     PRIMARY KEY CHECK (number > 0),
                file       text        NOT NULL,
                checksum   text        NOT NULL CHECK (checksum ~ '^[0-9a-f]{64}$'),
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
            )
            """)
        let pending = try await status(on: connection).pending
        for migration in pending { try await apply(migration, on: connection) }
        return pending
    }

    private func apply(_ migration: Migration, on connection: PostgresConnection) async throws {
        do {
            try await connection.transaction { transaction in
                let before = try await transaction.query("SELECT pg_current_xact_id()").single()
                try await transaction.script(migration.text)
                guard await transaction.isInTransaction else {
                    throw MigrationRefusal.endsTransaction(file: migration.file)
                }
                let after = try await transaction.query("SELECT pg_current_xact_id()").single()
                guard try before.get(0, as: Int64.self) == after.get(0, as: Int64.self) else {
                    throw MigrationRefusal.endsTransaction(file: migration.file)
                }
                try await transaction.query(
                    """
                    INSERT INTO public.schema_migration (number, file, checksum)
                    VALUES (\(migration.number), \(migration.file), \(migration.checksum))
                    """)
            }
        } catch var error as PostgresError {
            error.context = "in migration \(migration.file)" + (error.context.map { "; \($0)" } ?? "")
            // The whole file would drown the message; the position tells where in it.
            if error.statement == migration.text { error.statement = line(of: error.position, in: migration.text) }
            throw error
        }
    }

    private func line(of position: Int?, in text: String) -> String? {
        guard let position, position > 0 else { return nil }
        let before = text.unicodeScalars.prefix(position - 1)
        let number = before.count { $0 == "\n" } + 1
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return "line \(number): \(lines.indices.contains(number - 1) ? String(lines[number - 1]).trimmed : "")"
    }
}
