public import Postgres

extension PostgresConfiguration {
    /// The same server, every session in the role that the service has: it may append, read and project, nothing else,
    /// whoever logged in, and wait until what it commits is as durable as the server can make it.
    public var asLedgerService: PostgresConfiguration {
        var copy = self
        copy.sessionSettings["role"] = "rollbook_service"
        copy.sessionSettings["synchronous_commit"] = "on"
        // The statements are short; to compile one costs more than it gives.
        copy.sessionSettings["jit"] = "off"
        // Who was stopped in the middle of a transaction keeps its locks from those who go on: not for longer than this.
        // Between two statements lies no more than the folding of what was read, and a quarter of a second of courtesy.
        copy.sessionSettings["idle_in_transaction_session_timeout"] = "10s"
        return copy
    }

    /// Sessions of an appender: one plan for all calls, durable, and never waiting without end.
    var asLedgerAppender: PostgresConfiguration {
        var copy = self
        copy.sessionSettings["plan_cache_mode"] = "force_generic_plan"
        copy.sessionSettings["synchronous_commit"] = "on"
        // Who appends one event after the other has the next one ready about as soon as the last is answered.
        copy.attention = .microseconds(100)
        // Appends take milliseconds: who waits longer waits for somebody who does not go on.
        copy.sessionSettings["lock_timeout"] = "2s"
        copy.sessionSettings["statement_timeout"] = "15s"
        return copy
    }
}
