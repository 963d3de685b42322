import EventSourcing
import Postgres
import Synchronization

/// A lease that every writer takes from the others, again and again and without asking, as after their end.
///
/// What is under test is the fence: whoever had it before, and does not know yet, must not append under it any more.
final class LeaseGrab: Sendable {
    let name: String
    private let owner: PostgresConfiguration
    private let holder: String
    private let held = Mutex<Fence?>(nil)

    init(_ name: String, by holder: String, _ owner: PostgresConfiguration) {
        self.name = name
        self.holder = holder
        self.owner = owner
    }

    /// What the writer believes to hold; nil before it was first taken.
    var fence: Fence? { held.withLock { $0 } }

    /// Takes the lease every so often, until the task is cancelled; an interruption of the database only delays it.
    func run(every pause: ClosedRange<Double>, dice: Dice) async throws {
        var dice = dice
        while !Task.isCancelled {
            do {
                let connection = try await PostgresConnection.connect(owner)
                while true {
                    let epoch = try await connection.query(
                        """
                        INSERT INTO ledger.lease AS l (name, holder, epoch, expires_at)
                        VALUES (\(name), \(holder), 1, clock_timestamp() + interval '1 hour')
                            ON CONFLICT (name) DO UPDATE
                           SET holder = excluded.holder, epoch = l.epoch + 1, expires_at = excluded.expires_at
                        RETURNING epoch
                        """
                    ).single().get(0, as: Int64.self)
                    held.withLock { $0 = Fence(lease: name, epoch: epoch) }
                    // How long it keeps the lease, by the dice.
                    try await Task.sleep(for: .seconds(Double.random(in: pause, using: &dice)))
                }
            } catch is PostgresError {
                // Until the server is back; what is wrong with it is the scenario's.
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
