import ArgumentParser
import Postgres

/// Ships canaries, catches bad ones, and remembers why.
@main
struct Rollbook: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollbook",
        abstract: "A progressive-delivery controller whose only source of truth is an append-only release ledger.",
        discussion: """
            Exit codes: 0 done; 1 refused, failed or degraded; 2 no such rollout; 3 somebody else was first; \
            4 a manifest or a value is wrong; 5 the server or its ledger cannot be reached; 64 wrong usage.
            """,
        subcommands: [
            Apply.self, Lint.self, Get.self, List.self, SetVerb.self, Promote.self, Abort.self, Retry.self, Undo.self,
            Pause.self, Resume.self, Status.self, History.self, Audit.self, Replay.self, Serve.self, Migrate.self,
            Down.self, Rebuild.self, Verify.self, Prove.self, VerifyProof.self, Keygen.self, RotateKey.self,
            BeginEpoch.self, Export.self, Import.self, Archive.self, Subject.self, Erase.self,
        ])

    static func main() async {
        MemoryArenas.bound()
        await main(nil)
    }
}
