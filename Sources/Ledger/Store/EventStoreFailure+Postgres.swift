internal import EventSourcing
internal import Postgres

extension EventStoreFailure {
    /// What a failed read comes to.
    init(reading error: any Error) {
        switch error {
        case let failure as EventStoreFailure: self = failure
        case let halt as SealHalt: self = .damaged(halt.reason)
        case let error as PostgresError: self = .unavailable("the ledger could not be read: \(error)")
        default: self = .unavailable("the ledger could not be read: \(error)")
        }
    }

    /// What a failed append comes to: unless it is certain that nothing was committed, the outcome is unknown.
    init(appending error: any Error) {
        guard let error = error as? PostgresError else {
            self = .outcomeUnknown("the append ended with: \(error)")
            return
        }
        switch error.code {
        case .connectionFailed, .poolClosed, .invalidConfiguration, .invalidUse:
            self = .unavailable("the ledger could not be reached: \(error)")
        case .invalidParameter:
            self = .rejected("the ledger cannot keep the event: \(error)")
        case .server where !error.outcomeUnknown:
            self = Self(refusal: error)
        case .server, .connectionLost, .timeout, .cancelled, .durabilityUnknown, .decoding, .protocolViolation:
            self = .outcomeUnknown("it is not known whether the append was made: \(error)")
        }
    }

    /// The server rolled the append back and said why.
    private init(refusal error: PostgresError) {
        switch error.sqlState?.classCode {
        // Of no constraint: there is no partition for it yet, which the keeper makes.
        case "23" where error.sqlState == .checkViolation && error.constraint == nil:
            self = .unavailable("the log has no room for the append yet: \(error)")
        // Data exceptions, broken constraints, limits such as nesting: the same bytes fail again.
        case "22", "23", "54": self = .rejected("the ledger cannot keep the event: \(error)")
        // Ends of connections, which may come after the commit.
        case "08": self = .outcomeUnknown("it is not known whether the append was made: \(error)")
        case "57" where error.sqlState != .queryCanceled && error.sqlState != .cannotConnectNow:
            self = .outcomeUnknown("it is not known whether the append was made: \(error)")
        default: self = .unavailable("the ledger did not append: \(error)")
        }
    }
}
