import ArgumentParser
import EventSourcing
import Foundation
import Ledger
import Postgres

/// One instance that appends, by several callers at once, to streams that other instances append to as well.
struct WriterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "writer",
        abstract: "Append to streams that others append to, and write down what each append was answered.",
        discussion: """
            Its journal has, for each append, first what is sent and then what came of it, under the append's own id:

              sent ID STREAM EXPECTED|any COMMAND|- FENCE|- EVENT,EVENT…
              unknown ID WORDS                      it may have been made; it is sent again as it was
              made ID POSITION VERSION first|repeat UNKNOWNS BEGAN SENT ENDED    acknowledged; on the disk first
              none ID WORDS                         refused, or not reached: nothing of it may ever be in the log

            BEGAN, SENT (for the last time) and ENDED are microseconds since 1970. A third of the appends expect no \
            version; those carry a command.
            """)

    @OptionGroup var options: ChaosOptions

    @Option(help: "How many streams there are; their names are the same for all instances.")
    var streams = 40

    @Option(help: "How many appends are under way at a time.")
    var callers = 4

    @Option(help: "How long a caller rests after each append, in milliseconds at the most.")
    var rest = 5

    @Option(help: "How many bytes an event has besides, at the most: large batches are sent in pieces.")
    var padding = 0

    @Option(help: "Of the choices.")
    var seed: UInt64 = 1

    @Option(
        help: "A lease that is taken from the others every so often, and that a third of the appends are made under.")
    var lease: String?

    func run() async throws {
        let journal = try Journal(options.journal)
        let pool = PostgresPool(
            options.owner.asLedgerService, options: PoolOptions(maximumConnections: 2), logger: options.logger)
        let store = PostgresEventStore(pool: pool, logger: options.logger)
        let grab = lease.map { LeaseGrab($0, by: options.name, options.owner) }
        let versions = KnownVersions()
        let (seed, callers) = (seed, callers)
        var dice = Dice(seed: seed)
        let ballast = (0..<padding).map { _ in UInt8.random(in: UInt8(ascii: "a")...UInt8(ascii: "z"), using: &dice) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let grab {
                group.addTask { try await grab.run(every: 0.05...0.5, dice: Dice(seed: seed ^ 0xA5A5)) }
            }
            for caller in 0..<callers {
                let writer = Caller(
                    name: options.name, store: store, journal: journal, versions: versions, grab: grab,
                    streams: streams, rest: .milliseconds(rest), ballast: ballast)
                group.addTask { try await writer.run(Dice(seed: seed &* 1009 &+ UInt64(caller))) }
            }
            try await group.waitForAll()
        }
    }
}
