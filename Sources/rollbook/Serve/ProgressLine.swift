import EventSourcing
import Foundation
import Glibc
import Ledger
import Synchronization

/// Shows on standard error how far a rebuild is: a bar on a terminal, a line now and then elsewhere.
final class ProgressLine: Sendable {
    private struct State {
        var shown: String?
        var since = ContinuousClock.now
        var isOpen = false
    }

    private let state = Mutex(State())
    private let isTerminal = isatty(2) == 1

    func show(_ progress: RebuildProgress) {
        let text = isTerminal ? Self.bar(progress) : Self.words(progress)
        state.withLock { state in
            guard state.shown != text else { return }
            let stage = "\(progress.projection) \(progress.stage.rawValue)"
            let isNew = !(state.shown?.hasPrefix(stage) ?? false)
            let pause: Duration = isTerminal ? .milliseconds(100) : .seconds(5)
            guard isNew || ContinuousClock.now - state.since > pause else { return }
            (state.shown, state.since) = (text, .now)
            if isTerminal {
                state.isOpen = true
                FileHandle.standardError.write(Data("\r\(text)\u{1B}[K".utf8))
            } else {
                StandardError.say(text)
            }
        }
    }

    /// Ends the bar's line.
    func end() {
        let isOpen = state.withLock { state in
            defer { state.isOpen = false }
            return state.isOpen
        }
        if isOpen { FileHandle.standardError.write(Data("\n".utf8)) }
    }

    static func words(_ progress: RebuildProgress) -> String {
        "\(progress.projection) \(progress.stage.rawValue): \(share(progress)) % "
            + "(\(progress.position) of \(progress.target) events)"
    }

    static func bar(_ progress: RebuildProgress) -> String {
        let full = share(progress) / 4
        let bar = String(repeating: "█", count: full) + String(repeating: "░", count: 25 - full)
        return "\(progress.projection) \(progress.stage.rawValue)  \(bar) \(share(progress)) %  \(progress.position)"
    }

    private static func share(_ progress: RebuildProgress) -> Int {
        progress.target.value == 0 ? 100 : min(100, Int(progress.position.value * 100 / progress.target.value))
    }
}
