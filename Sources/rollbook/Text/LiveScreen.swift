import Analysis
import Delivery
import EventSourcing

/// Shows a rollout as it moves: redrawn in place on a terminal, a line for each change elsewhere.
actor LiveScreen {
    private let isTerminal: Bool
    private let isWide: Bool
    private let paint: Paint
    private var view: RolloutView?
    private var note: String?
    private var hasDrawn = false
    private var lastLine: String?

    init(isTerminal: Bool, isWide: Bool, paint: Paint) {
        self.isTerminal = isTerminal
        self.isWide = isWide
        self.paint = paint
    }

    /// Shows the rollout as it is now.
    func show(_ view: RolloutView) {
        self.view = view
        note = nil
        if isTerminal { redraw() } else { append(view) }
    }

    /// Says that the connection is lost; what was seen last stays.
    func lost(_ why: String) {
        note = "the server cannot be reached, trying again: \(why)".printable
        if isTerminal { redraw() } else { Output.error(note ?? why) }
    }

    /// Draws again, since ages and delays go on.
    func redraw() {
        guard isTerminal, let view else { return }
        var lines = RolloutTree(view: view, now: Output.now, paint: paint, isWide: isWide).lines
        if let note { lines += ["", paint("⚠ \(note)", .yellow)] }
        let start = hasDrawn ? "\u{1B}[H" : "\u{1B}[2J\u{1B}[H"
        hasDrawn = true
        Output.raw(start + lines.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J")
    }

    private func append(_ view: RolloutView) {
        let line = Self.line(view)
        if line == lastLine { return }
        lastLine = line
        Output.line("\(view.recordedAt) \(line)")
    }

    /// What a change must change to be worth a line.
    static func line(_ view: RolloutView) -> String {
        var parts = [view.phase.shown]
        if let step = view.step { parts.append("step \(step)") }
        parts.append(
            "weight \(view.actualWeight)" + (view.setWeight == view.actualWeight ? "" : " (set \(view.setWeight))"))
        parts.append("ready \(view.replicas.ready)/\(view.replicas.desired) updated \(view.replicas.updated)")
        for run in view.revisions.first?.analysisRuns ?? [] {
            let counts = run.counts
            parts.append(
                "\(run.name) \(run.phase.rawValue) ✔ \(counts.successful) ✖ \(counts.failed) ⚠ \(counts.error)")
        }
        if !view.message.isEmpty { parts.append(view.message) }
        return parts.joined(separator: "  ").printable
    }
}
