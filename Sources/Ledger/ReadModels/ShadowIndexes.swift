import Postgres

/// The indexes of a new generation's tables: those of the live one, made once the rows are there.
struct ShadowIndexes {
    private let model: any ReadModel
    private let generation: Int
    private let pool: PostgresPool

    init(_ model: any ReadModel, generation: Int, pool: PostgresPool) {
        self.model = model
        self.generation = generation
        self.pool = pool
    }

    /// Makes those that are missing, and gathers the planner's figures.
    func make() async throws {
        for table in model.tables {
            let made = ReadModelTable.name(table.name, generation)
            for index in try await missing(table, made) {
                try await pool.transaction { connection in
                    try await connection.query("SELECT set_config('maintenance_work_mem', '256MB', true)")
                    try await connection.query(
                        """
                        CREATE \(index.isUnique ? "UNIQUE INDEX" as SQL : "INDEX") \(identifier: index.name)
                        ON \(table.of(generation)) \(unsafeRaw: index.definition)
                        """)
                    if index.isPrimary {
                        try await connection.query(
                            """
                            ALTER TABLE \(table.of(generation))
                            ADD CONSTRAINT \(identifier: index.name) PRIMARY KEY USING INDEX \(identifier: index.name)
                            """)
                    }
                }
            }
            try await pool.query("ANALYZE \(table.of(generation))")
        }
    }

    private struct Index: Sendable {
        var name: String
        /// From the word USING.
        var definition: String
        var isUnique: Bool
        var isPrimary: Bool
    }

    private func missing(_ table: ReadModelTable, _ made: String) async throws -> [Index] {
        let live = try await CheckpointRow.read(model.name, through: pool).generation
        let old = ReadModelTable.name(table.name, live)
        let there = try await pool.query(
            "SELECT indexname FROM pg_indexes WHERE schemaname = 'views' AND tablename = \(made)"
        ).map { try $0.get(0, as: String.self) }
        return try await pool.query(
            """
            SELECT c.relname::text, i.indisunique, i.indisprimary,
                   substr(pg_get_indexdef(i.indexrelid), strpos(pg_get_indexdef(i.indexrelid), ' USING ') + 1)
            FROM pg_index i
            JOIN pg_class c ON c.oid = i.indexrelid
            WHERE i.indrelid = \("views." + old)::regclass
            ORDER BY c.relname
            """
        ).map { row in
            let name = try row.get(0, as: String.self)
            guard name.hasPrefix(old + "_") else {
                throw RebuildFailure("index views.\(name) does not begin with \(old)_: rename it so, or drop it")
            }
            return Index(
                name: made + name.dropFirst(old.count), definition: try row.get(3), isUnique: try row.get(1),
                isPrimary: try row.get(2))
        }.filter { !there.contains($0.name) }
    }
}
