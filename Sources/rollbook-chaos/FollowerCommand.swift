import ArgumentParser
import EventSourcing
import Foundation
import Ledger
import Postgres

/// Follows the log from where its journal ends, and notes each event before it asks for the next ones.
struct FollowerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "follower", abstract: "Follow the log and write down every position, each with its event.")

    @OptionGroup var options: ChaosOptions

    @Option(help: "How many events it takes at a time.")
    var batch = 200

    func run() async throws {
        let batch = batch
        let journal = try Journal(options.journal)
        let place = try Self.place(in: options.journal)
        let pool = PostgresPool(
            options.owner.asLedgerService, options: PoolOptions(maximumConnections: 2), logger: options.logger)
        let store = PostgresEventStore(pool: pool, logger: options.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await store.run() }
            group.addTask {
                // What is in the way is thrown; who is not ended ends by that.
                for try await events in store.follow(after: place, batchSize: batch) {
                    journal.note(events.map { "\($0.position.value) \($0.event.id)" }, durably: true)
                }
            }
            try await group.next()
        }
    }

    /// Where the journal ends.
    private static func place(in journal: String) throws -> GlobalPosition {
        guard let last = try Journal.lastLine(of: journal) else { return .start }
        guard let position = last.split(separator: " ").first.flatMap({ Int64($0) }) else {
            throw ValidationError("\(journal) does not end with a position: \(last)")
        }
        return GlobalPosition(position)
    }
}
