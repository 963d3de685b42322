import Delivery
import EventSourcing

/// What `get rollout` prints: head lines, a bar of the traffic, a tree of revisions.
///
/// - Source: Argo Rollouts, kubectl plugin `get rollout`, whose layout people are used to; the bar is ours.
struct RolloutTree {
    let view: RolloutView
    /// What ages count to.
    let now: Instant
    let paint: Paint
    /// Whether metrics and measurements are shown as well.
    var isWide = false

    var lines: [String] { head + [""] + tree }

    private var head: [String] {
        var lines = [
            labelled("Name:", view.name), labelled("Namespace:", view.namespace),
            labelled("Status:", paint(view.phase.shown, view.phase.colour)),
        ]
        if view.cluster != "default" { lines.insert(labelled("Cluster:", view.cluster), at: 2) }
        if !view.message.isEmpty { lines.append(labelled("Message:", view.message.printable)) }
        if let pause = view.pause, let until = pause.until {
            lines.append(labelled("Pause:", "ends in \(until.since(now).age)"))
        }
        lines += [
            labelled("Strategy:", view.strategy), labelled("  Step:", view.step ?? ""),
            labelled("  SetWeight:", "\(view.setWeight)"), labelled("  ActualWeight:", "\(view.actualWeight)"),
            labelled("  Traffic:", bar),
        ]
        for (index, image) in view.images.enumerated() {
            let roles = image.roles.isEmpty ? "" : " (\(image.roles.map(\.rawValue).joined(separator: ", ")))"
            lines.append(
                labelled(index == 0 ? "Images:" : "", image.image.printable + paint(roles, image.roles.first?.colour)))
        }
        lines += [
            "Replicas:", labelled("  Desired:", "\(view.replicas.desired)"),
            labelled("  Current:", "\(view.replicas.current)"), labelled("  Updated:", "\(view.replicas.updated)"),
            labelled("  Ready:", "\(view.replicas.ready)"), labelled("  Available:", "\(view.replicas.available)"),
        ]
        return lines
    }

    private func labelled(_ label: String, _ text: String) -> String {
        text.isEmpty ? label : label + String(repeating: " ", count: max(1, 17 - label.count)) + text
    }

    /// Which part of the traffic the newest revision has, in 40 cells.
    private var bar: String {
        let whole = max(1, view.maxWeight)
        let isStable = view.images.isEmpty || view.revisions.first?.set?.role == .stable
        let weight = min(max(0, view.actualWeight), whole)
        var cells = weight * 40 / whole
        if weight > 0, cells == 0 { cells = 1 }
        let mine = String(repeating: "█", count: cells)
        let others = String(repeating: "░", count: 40 - cells)
        if isStable { return paint(mine, .green) + paint(others, .dim) + " \(weight) stable" }
        return paint(mine, .yellow) + paint(others, .green) + " \(weight) canary, \(whole - weight) stable"
    }

    // MARK: Tree

    private var tree: [String] {
        var table = Table(["NAME", "KIND", "STATUS", "AGE", "INFO"])
        table.add([
            .init("⟳ \(view.name)"), .init("Rollout"), .init(view.phase.shown, view.phase.colour),
            .init(now.since(view.createdAt).age),
        ])
        for (index, revision) in view.revisions.enumerated() {
            let isLast = index == view.revisions.count - 1
            table.add([.init((isLast ? "└──" : "├──") + "# revision:\(revision.number)")])
            add(revision, below: isLast ? "   " : "│  ", to: &table)
        }
        return table.lines(paint)
    }

    private func add(_ revision: RevisionView, below prefix: String, to table: inout Table) {
        let runs = revision.analysisRuns
        if let set = revision.set {
            table.add([
                .init(prefix + (runs.isEmpty ? "└──" : "├──") + "⧉ \(view.name)-\(set.podTemplateHash)"),
                .init("ReplicaSet"), .init(set.phase.shown, set.phase.colour),
                .init(revision.startedAt.map { now.since($0).age } ?? ""), .init(info(set), set.role.colour),
            ])
        } else if runs.isEmpty {
            table.add([
                .init(prefix + "└──⧉ \(view.name)-\(revision.podTemplateHash)"), .init("ReplicaSet"),
                .init(SetView.Phase.scaledDown.shown), .init(revision.startedAt.map { now.since($0).age } ?? ""),
            ])
        }
        for (index, run) in runs.enumerated() {
            let isLast = index == runs.count - 1
            table.add([
                .init(prefix + (isLast ? "└──" : "├──") + "α \(run.name)"), .init("AnalysisRun"),
                .init(run.phase.shown, run.phase.colour), .init(now.since(run.startedAt).age),
                .init(info(run), run.phase.colour),
            ])
            if isWide { add(run.metrics, below: prefix + (isLast ? "   " : "│  "), to: &table) }
        }
    }

    private func add(_ metrics: [MetricView], below prefix: String, to table: inout Table) {
        for (index, metric) in metrics.enumerated() {
            let isLast = index == metrics.count - 1
            table.add([
                .init(prefix + (isLast ? "└──" : "├──") + "∿ \(metric.name)"), .init("Metric"),
                .init(metric.phase.shown, metric.phase.colour), .init(""), .init(metric.message ?? ""),
            ])
            let inner = prefix + (isLast ? "   " : "│  ")
            for (number, taken) in metric.measurements.enumerated() {
                table.add([
                    .init(inner + (number == metric.measurements.count - 1 ? "└──" : "├──") + "\(taken.number)"),
                    .init("Measurement"), .init(taken.phase.shown, taken.phase.colour),
                    .init(now.since(taken.finishedAt).age),
                    .init((taken.value?.text ?? taken.message ?? "") + (taken.condition.map { "  \($0)" } ?? "")),
                ])
            }
        }
    }

    private func info(_ set: SetView) -> String {
        var tags = set.role == .old ? [] : [set.role.rawValue]
        if set.wanted > 0 || set.replicas > 0 { tags.append("ready:\(set.ready)/\(max(set.wanted, set.replicas))") }
        if let retireAt = set.retireAt {
            tags.append(retireAt > now ? "delay:\(retireAt.since(now).age)" : "delay:passed")
        }
        return tags.joined(separator: ",")
    }

    private func info(_ run: AnalysisRunView) -> String {
        let counts = [
            ("✔", run.counts.successful), ("✖", run.counts.failed), ("?", run.counts.inconclusive),
            ("⚠", run.counts.error),
        ]
        return counts.filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ",")
    }
}
