import EventSourcing
import Foundation
import Ledger
import Synchronization

/// What one instance knows of the streams' versions: old, as soon as another appends.
final class KnownVersions: Sendable {
    private let versions = Mutex<[StreamName: StreamVersion]>([:])

    subscript(stream: StreamName) -> StreamVersion { versions.withLock { $0[stream] ?? .none } }

    func learn(_ version: StreamVersion, of stream: StreamName) {
        versions.withLock { $0[stream] = max($0[stream] ?? .none, version) }
    }
}

/// Appends one after the other, each until it is known what came of it.
struct Caller: Sendable {
    let name: String
    let store: PostgresEventStore
    let journal: Journal
    let versions: KnownVersions
    let grab: LeaseGrab?
    let streams: Int
    let rest: Duration
    /// Of which each event takes a piece of random length along; text that repeats itself would be compressed to nothing.
    let ballast: [UInt8]

    /// Goes on until the task is cancelled.
    func run(_ dice: Dice) async throws {
        var dice = dice
        var turn = 0
        while !Task.isCancelled {
            turn += 1
            let made = try await carryOut(next(turn, &dice))
            // After a refusal there is nothing to wait for, unless the ledger is out of reach.
            let pause = made ? rest : .milliseconds(5)
            // The pace of the load, by the dice.
            try await Task.sleep(for: pause * Double.random(in: 0...1, using: &dice))
        }
    }

    /// An append by chance: one to three events, after the version that is known, or after any for a command.
    private func next(_ turn: Int, _ dice: inout Dice) -> Append {
        let stream = StreamName(category: "chaos", identity: "\(Int.random(in: 0..<streams, using: &dice))")
        let isExpecting = Int.random(in: 0..<3, using: &dice) > 0
        let fence = Int.random(in: 0..<3, using: &dice) == 0 ? grab?.fence : nil
        let correlation = Dice.identifier()
        let padding = String(decoding: ballast.prefix(Int.random(in: 0...ballast.count, using: &dice)), as: UTF8.self)
        let events = (0..<Int.random(in: 1...3, using: &dice)).map { index in
            NewEvent(
                id: Dice.identifier(), type: "chaos.happened.v1", occurredAt: WallClock.now(), actor: .controller(name),
                causation: nil, correlation: correlation,
                data:
                    #"{"fence":\#(fence?.epoch ?? 0),"index":\#(index),"padding":"\#(padding)","turn":\#(turn),"writer":"\#(name)"}"#
            )
        }
        return Append(
            stream: stream, expecting: isExpecting ? .exactly(versions[stream]) : .any, events: events,
            command: isExpecting ? nil : correlation, fence: fence)
    }

    /// Appends; one whose outcome is unknown is sent again as it was, until it is known.
    ///
    /// - Returns: Whether it was made.
    private func carryOut(_ append: Append) async throws -> Bool {
        let id = append.events[0].id
        let expected = if case .exactly(let version) = append.expecting { "\(version.value)" } else { "any" }
        journal.note(
            "sent \(id) \(append.stream) \(expected) \(append.command?.description ?? "-") "
                + "\(append.fence.map { "\($0.epoch)" } ?? "-") "
                + append.events.map(\.id.description).joined(separator: ","), durably: false)
        let began = WallClock.now()
        var unknowns = 0
        while true {
            let sent = WallClock.now()
            do {
                let appended = try await store.append(append)
                versions.learn(appended.version, of: append.stream)
                journal.note(
                    "made \(id) \(appended.position.value) \(appended.version.value) \(appended.isDuplicate ? "repeat" : "first") "
                        + "\(unknowns) \(began.microseconds) \(sent.microseconds) \(WallClock.now().microseconds)",
                    durably: true)
                return true
            } catch {
                switch error {
                case .outcomeUnknown(let words):
                    unknowns += 1
                    journal.note("unknown \(id) \(words.oneLine)", durably: false)
                    // A server that is away is asked a hundred times a second, not as fast as it refuses.
                    try await Task.sleep(for: .milliseconds(10))
                case .unavailable where unknowns > 0:
                    try await Task.sleep(for: .milliseconds(10))
                case .wrongExpectedVersion(_, _, let actual):
                    versions.learn(actual, of: append.stream)
                    return refused(id, "conflict")
                case .fenced: return refused(id, "fenced")
                case .unavailable(let words): return refused(id, "unavailable: \(words.oneLine)")
                case .rejected(let words): return refused(id, "rejected: \(words.oneLine)")
                case .archived(let words): return refused(id, "archived: \(words.oneLine)")
                case .damaged(let words): return refused(id, "damaged: \(words.oneLine)")
                case .commandReused: return refused(id, "reused")
                }
            }
        }
    }

    private func refused(_ id: Identifier, _ words: String) -> Bool {
        journal.note("none \(id) \(words)", durably: false)
        return false
    }
}

extension String {
    /// Without line ends, and not longer than a line of a journal needs.
    fileprivate var oneLine: String { String(split(whereSeparator: \.isNewline).joined(separator: " ").prefix(400)) }
}
