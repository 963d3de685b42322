import EventSourcing
import Ledger
import Transparency

/// The whole log sealed and verified: every content hash, leaf, tile and head; against COPY of the same rows.
struct VerifyScenario {
    let bed: BenchBed
    let plan: BenchPlan

    func run() async throws {
        let raw = try RawDrain(bed.owner)
        guard let key = SigningKey(generatedFor: "bench.example.com/log") else {
            throw BenchFailure("no key could be made")
        }
        try await bed.withStore { store in
            let head = try await store.head()
            let sealer = Sealer(
                store: store, signer: key, settings: .init(interval: .zero), logger: BenchBed.logger)
            let begun = ContinuousClock.now
            while try await sealer.seal() > 0 {}
            let sealing = Double(head.value) / (ContinuousClock.now - begun).seconds
            Progress.say("  sealed \(Int(sealing)) events/s")
            try ResidentMemory.resetPeak()
            let comparison = try await Comparison.run("verify", rounds: plan.rounds) {
                try await raw.run()
            } measuring: {
                let begun = ContinuousClock.now
                let report = try await LedgerVerifier(store: store).verify(trusting: [key.verifier])
                guard report.intact, report.events == head.value else {
                    throw BenchFailure("the filled log does not verify: \(report.findings.prefix(3))")
                }
                return Double(head.value) / (ContinuousClock.now - begun).seconds
            }
            try Figures(
                scenario: "verify", rate: comparison.rate, against: RawDrain.name, baseline: comparison.baseline,
                ratio: comparison.ratio, events: Int(head.value),
                seconds: (Double(head.value) / comparison.rate).rounded(toPlaces: 2),
                peak_mib: try ResidentMemory.peak(), settings: bed.settings
            ).say()
        }
    }
}
