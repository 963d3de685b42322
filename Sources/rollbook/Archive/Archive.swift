import ArgumentParser
import EventSourcing
import Foundation
import Ledger
import Logging

/// Moves the past into files, and back.
struct Archive: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Move whole partitions of the past from the log into compressed, verified files, and back.",
        discussion: """
            Each partition below the mark is written into one file, read back, compared with the rows and with the sealed \
            tree, and only then put beside the log. The last event of each stream stays in the log, and so does every \
            event of a stream that is folded (rollouts, templates, the log's own stream). Appends go on meanwhile; a \
            reader with a long transaction is waited for. Nothing is deleted, unless --drop asks for it after the file was verified. `rollbook verify` passes as before, and with \
            --archive FOLDER looks at the files as well. Needs the rights of who migrates. Exit codes: 0 done; 1 not \
            done, and why; 4 a value is wrong; 5 the ledger cannot be reached.
            """)

    @OptionGroup var ledger: LedgerOptions

    @Option(
        help: "The mark: a position, or a time such as 2026-11-24T09:30:00Z; what was recorded before it is archived.")
    var before: String?

    @Option(help: "The folder of the files; archive below the data directory if not given.")
    var out: String?

    @Flag(help: "Drop the partitions whose files are verified.")
    var drop = false

    @Option(
        name: .customLong("bring-back"),
        help: ArgumentHelp("Put the events of this file back into the log instead.", valueName: "file"))
    var bringBack: String?

    @Option(help: "How long to wait for who reads the log in a long transaction, or vacuums it, in seconds.")
    var wait = 60.0

    func validate() throws {
        guard (before == nil) != (bringBack == nil) else {
            throw ValidationError("give --before TIME or POSITION, or --bring-back FILE")
        }
        if bringBack != nil, drop || out != nil {
            throw ValidationError("--bring-back goes neither with --out nor with --drop")
        }
        guard wait >= 0, wait <= 86_400 else {
            throw ValidationError("--wait is \(wait): give seconds, from 0 to 86400")
        }
        if let before, Int64(before) == nil, Instant(before) == nil {
            throw ValidationError(
                "--before is \"\(before)\": give a position (a whole number), or a time such as 2026-11-24T09:30:00Z")
        }
    }

    func run() async throws {
        try await LedgerVerbFailure.saying {
            try await ledger.withStore("rollbook.archive", asService: false) { store in
                var logger = Logger(label: "rollbook.archive")
                logger.logLevel = .warning
                let archive = LedgerArchive(store: store, patience: .seconds(wait), logger: logger)
                if let bringBack {
                    let manifest = try await archive.bringBack(bringBack)
                    Output.line(
                        "brought back \(manifest.events) events, positions \(manifest.firstPosition) to "
                            + "\(manifest.lastPosition); the file stays where it is")
                } else if let before {
                    try await move(archive, before)
                }
            }
        }
    }

    private func move(_ archive: LedgerArchive, _ before: String) async throws {
        let through: GlobalPosition
        if let position = Int64(before) {
            through = GlobalPosition(max(0, position - 1))
        } else if let time = Instant(before) {
            through = try await archive.position(before: time)
        } else {
            return
        }
        let folder = out ?? DataDirectory(ledger.data).path + "/archive"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let held = try await archive.held(through: through)
        let user = EventActor(
            subject: "\(NSUserName())@\(ProcessInfo.processInfo.hostName)", issuer: "operating-system",
            method: .unauthenticated)
        let outcome = try await archive.archive(
            through: through, into: folder, dropping: drop
        ) { (Mint.identifier(), user) }
        for archived in outcome.archived {
            let manifest = archived.manifest
            Output.line(
                "archived positions \(manifest.firstPosition) to \(manifest.lastPosition) in \(archived.path): "
                    + "\(manifest.events) events, \(archived.kept) of which stay in the log")
        }
        for positions in outcome.dropped {
            Output.line("dropped positions \(positions.lowerBound) to \(positions.upperBound): their file was verified")
        }
        for partition in held {
            Output.line(
                "positions \(partition.positions.lowerBound) to \(partition.positions.upperBound) stay: \(partition.reason)"
            )
        }
        if outcome.archived.isEmpty, outcome.dropped.isEmpty, held.isEmpty {
            Output.line("no whole partition ends at or before position \(through)")
        }
    }
}
