import CLibpq

/// Where the server is and how to talk to it.
public struct PostgresConfiguration: Sendable, Hashable, CustomStringConvertible {
    /// A libpq connection string.
    ///
    /// `key=value` pairs or a `postgresql://` URI. Everything libpq knows is allowed: service files,
    /// several hosts, `target_session_attrs`, TLS. What is not given comes from the environment, as with `psql`.
    public var connectionString: String
    /// Added to the connection string and winning over it, such as `dbname`.
    public var overrides: [String: String]
    /// Shown in `pg_stat_activity` unless the connection string says otherwise.
    public var applicationName: String
    /// Set on every new connection, such as `["lock_timeout": "5s"]`.
    public var sessionSettings: [String: String]
    /// How many prepared statements a connection keeps; 0 prepares none (for a pooler that cannot).
    public var preparedStatementLimit: Int
    /// How long a connection's thread looks for its next statement before it sleeps.
    ///
    /// Zero, unless a few tens of microseconds are worth more than the processor time that the looking takes. It sleeps as
    /// soon as anybody else had that core meanwhile.
    public var attention: Duration = .zero

    /// Takes a connection string; nothing is checked before ``validate()`` or the first connection.
    public init(
        _ connectionString: String, overrides: [String: String] = [:], applicationName: String = "rollbook",
        sessionSettings: [String: String] = [:], preparedStatementLimit: Int = 128
    ) {
        self.connectionString = connectionString
        self.overrides = overrides
        self.applicationName = applicationName
        self.sessionSettings = sessionSettings
        self.preparedStatementLimit = preparedStatementLimit
    }

    /// The same server, another database.
    public func database(_ name: String) -> PostgresConfiguration {
        var copy = self
        copy.overrides["dbname"] = name
        return copy
    }

    /// Checks the connection string without connecting.
    ///
    /// - Throws: ``PostgresError/Code/invalidConfiguration`` with libpq's words.
    public func validate() throws { _ = try parsed() }

    /// One `key='value'` connection string with the overrides in it, secrets included, for another user of libpq.
    ///
    /// - Throws: ``PostgresError/Code/invalidConfiguration`` with libpq's words.
    public func libpqText() throws -> String {
        try parsed().sorted { $0.key < $1.key }.map { key, value in
            let escaped = value.flatMap { $0 == "\\" || $0 == "'" ? ["\\", $0] : [$0] }
            return "\(key)='\(String(escaped))'"
        }.joined(separator: " ")
    }

    /// The connection string with secrets hidden.
    public var description: String {
        guard let options = try? parsed() else { return "<invalid connection string>" }
        return options.map { "\($0.key)=\(Self.secrets.contains($0.key) ? "<redacted>" : $0.value)" }
            .sorted().joined(separator: " ")
    }

    private static let secrets: Set<String> = ["password", "sslpassword"]

    /// The options that are set, by libpq's keyword.
    func parsed() throws -> [String: String] {
        guard !connectionString.utf8.contains(0) else {
            throw PostgresError(.invalidConfiguration, "the connection string contains U+0000; remove it")
        }
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(connectionString, &message) else {
            let reason = message.map { String(cString: $0) } ?? "out of memory"
            PQfreemem(message)
            throw PostgresError(
                .invalidConfiguration,
                "the connection string is wrong: \(reason.trimmed); "
                    + "give key=value pairs (host=… dbname=…) or a postgresql:// URI")
        }
        defer { PQconninfoFree(options) }
        var found: [String: String] = [:]
        var known: Set<String> = []
        var option = options
        while let keyword = option.pointee.keyword {
            let name = String(cString: keyword)
            known.insert(name)
            if let value = option.pointee.val { found[name] = String(cString: value) }
            option += 1
        }
        for (key, value) in overrides {
            guard known.contains(key) else {
                throw PostgresError(.invalidConfiguration, "libpq has no connection option \"\(key)\"")
            }
            found[key] = value
        }
        return found
    }
}

extension String {
    /// Without white space at both ends.
    var trimmed: String {
        var view = self[...]
        while view.first?.isWhitespace == true { view.removeFirst() }
        while view.last?.isWhitespace == true { view.removeLast() }
        return String(view)
    }
}
