internal import Transparency

/// The tree heads, and who signed them.
extension LedgerVerifier {
    /// Compares the stored heads, and those that were held outside, with what the events came to.
    func compare(
        _ frame: Frame, _ outside: [SignedTreeHead], _ keys: [VerifierKey], _ fold: VerificationFold,
        _ report: inout VerifyReport
    ) async throws {
        let history = try await KeyHistory.readWhatIsThere(store)
        report.remarks += history.unreadable.map(\.reason)
        var trusted = keys
        if keys.isEmpty {
            report.remarks.append(
                "no key was given: signatures were checked with the key that the database itself names; give --key")
            if let first = frame.heads.first.flatMap({ VerifierKey($0.signer) }) { trusted = [first] }
        }
        var lastGood: Int64 = 0
        for stored in frame.heads {
            let size = stored.size
            if size <= fold.through {
                report.storedHeads += 1
                if fold.root(at: size) == stored.root {
                    lastGood = size
                } else if report.findings.allSatisfy({ $0.position > size }) {
                    // If something below it is wrong, that is the news; the head is right.
                    report.findings.append(
                        .init(
                            .head, at: lastGood + 1, through: size,
                            "the stored tree head of \(size) events has another root"))
                }
            }
            if let problem = problem(stored, history.chain(from: trusted, size: size)) {
                report.findings.append(
                    .init(.signature, at: size, "the stored tree head of \(size) events: \(problem)"))
            }
        }
        if frame.heads.last?.size ?? 0 < min(frame.sealed, fold.through), outside.isEmpty {
            report.findings.append(
                .init(
                    .head, at: (frame.heads.last?.size ?? 0) + 1, through: frame.sealed,
                    "no tree head is stored of the \(frame.sealed) events that are sealed"))
        }
        lastGood = 0
        for signed in outside.sorted(by: { $0.head.size < $1.head.size }) {
            let head = signed.head
            report.outsideHeads += 1
            do {
                try signed.verified(by: history.chain(from: trusted, size: head.size).keys)
            } catch {
                report.findings.append(
                    .init(.signature, at: head.size, "the given tree head of \(head.size) events: \(error)"))
                continue
            }
            if let cut = cut(head, trusted, frame) {
                report.findings.append(
                    .init(.cut, at: cut, through: head.size, "the log was cut short here, and goes on in a later epoch")
                )
            } else if head.size > fold.through {
                report.findings.append(
                    .init(
                        .cut, at: frame.length + 1, through: head.size,
                        "the given tree head is of \(head.size) events, and the log has \(frame.length)"))
            } else if head.size == 0 ? head.root == .empty : fold.root(at: head.size) == head.root {
                lastGood = head.size
            } else {
                report.findings.append(try await fork(head, after: lastGood, report.findings))
            }
        }
    }

    /// That the log is not the one of a head that was held outside, as exactly as can be said.
    private func fork(
        _ head: TreeHead, after lastGood: Int64, _ findings: [VerifyReport.Finding]
    ) async throws -> VerifyReport.Finding {
        let words = "the log up to here is not the one of the given tree head"
        // The first event that contradicts a tile is the first that is wrong, if the tiles are those of that head.
        if try await storedRoot(head.size) == head.root,
            let first = findings.filter({ $0.kind == .leaf || $0.kind == .missing || $0.kind == .name }).map(\.position)
                .min()
        {
            return .init(.fork, at: first, through: head.size, words)
        }
        // Tiles were rewritten as well: it lies before whatever else is wrong.
        let known = findings.filter { $0.kind != .signature && $0.position > lastGood }.map(\.position).min()
        return .init(.fork, at: lastGood + 1, through: min(head.size, known ?? head.size), words)
    }

    /// The root of the log of `size` events as the stored tiles of level 0 have it; nil if one is missing.
    private func storedRoot(_ size: Int64) async throws -> MerkleHash? {
        var frontier = MerkleFrontier()
        let tiles = (size + 255) >> 8
        for first in stride(from: Int64(0), to: tiles, by: 256) {
            let stored = try await TreeTables.tiles(level: 0, first..<min(first + 256, tiles), store.pool)
            for index in first..<min(first + 256, tiles) {
                let width = Int(min(256, size - index << 8))
                var hashes = stored[index]
                if hashes == nil { hashes = try await TreeTables.edges(store.pool).first }
                guard let hashes, hashes.count >= width else { return nil }
                for hash in hashes.prefix(width) { frontier.append(hash) }
            }
        }
        return frontier.root
    }

    /// Where a log went on in a later epoch below a head; nil if it did not.
    private func cut(_ head: TreeHead, _ keys: [VerifierKey], _ frame: Frame) -> Int64? {
        guard let epoch = keys.lazy.compactMap({ TreeHead.epoch(ofOrigin: head.origin, name: $0.name) }).first else {
            return nil
        }
        return frame.epochs.first { $0.epoch > epoch && $0.first <= head.size }?.first
    }

    /// What is wrong with a stored head by itself.
    private func problem(_ stored: TreeTables.StoredHead, _ chain: KeyChain) -> String? {
        do {
            let signed = try SignedTreeHead(stored.note)
            guard signed.head.size == stored.size, signed.head.root == stored.root else {
                return "its note says something else than its row"
            }
            let key = try signed.verified(by: chain.keys)
            guard signed.head.origin == TreeHead.origin(of: key.name, epoch: stored.epoch) else {
                return "its origin is \(signed.head.origin), its epoch \(stored.epoch)"
            }
            return nil
        } catch {
            return "\(error)"
        }
    }
}
