import API
import Analysis
import ArgumentParser
import Delivery
import EventSourcing

/// What `--from` and `--to` take.
struct SpanOptions: ParsableArguments {
    @Option(help: "From this moment on: a time, a position (1042) or a version (v17).") var from: String?
    @Option(help: "Up to this moment.") var to: String?

    func validate() throws {
        for (name, text) in [("--from", from), ("--to", to)] {
            if let text, PointInTime(text) == nil {
                throw ValidationError(
                    "\(name) is \"\(text)\": give a time (2026-11-24T09:30:00Z), a position or a version (v17).")
            }
        }
    }

    var query: [(String, String?)] { [("from", from), ("to", to)] }
}

/// Tells what happened to a rollout.
struct History: ClientCommand {
    static let configuration = CommandConfiguration(abstract: "Tell what happened to a rollout, a line for each event.")
    @Argument(help: "The rollout's name.") var name: String
    @OptionGroup var place: NamespaceOption
    @OptionGroup var span: SpanOptions
    @Option(help: "Only the last so many events of that time, at most 1000.") var last: Int?
    @Flag(help: "A line for each release instead.") var releases = false
    @OptionGroup var format: TableFormatOption
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if let last, !(1...1000).contains(last) {
            throw ValidationError("--last is \(last): give a number from 1 to 1000.")
        }
        if releases, last != nil {
            throw ValidationError("--last counts events, and --releases prints none: leave one of them out.")
        }
        if releases, let output = format.output {
            throw ValidationError(
                output == .wide
                    ? "--releases prints one table, which -o wide does not widen: leave one of them out."
                    : "-o \(output) prints events and releases both: leave --releases out.")
        }
    }

    func perform(_ client: ServerClient) async throws {
        let path = try client.path(place.namespace, name, "history")
        let query = span.query + [("last", last.map { "\($0)" })]
        if let output = format.output, output == .json || output == .yaml {
            try OutputFormat.print(try await client.text(path, query: query), output)
            return
        }
        let table: Table
        if releases {
            let reply: HistoryReply = try await client.get(path, query: query)
            if reply.events.isEmpty { Output.error("There was no event in that time.") }
            table = Self.releases(reply.releases)
        } else {
            let reply: HistoryTail = try await client.get(path, query: query)
            if reply.events.isEmpty { Output.error("There was no event in that time.") }
            table = Self.events(reply.events, isWide: format.output == .wide)
        }
        for line in table.lines(Paint(isOn: Output.wantsColour)) { Output.line(line) }
    }

    static func events(_ entries: [HistoryEntry], isWide: Bool) -> Table {
        var table = Table(
            ["POSITION", "VERSION", "AT", "ACTOR"] + (isWide ? ["TYPE", "ID"] : []) + ["WHAT"])
        for entry in entries {
            table.add(
                ["\(entry.position)", "\(entry.version)", "\(entry.at)", entry.actor.subject]
                    + (isWide ? [entry.type, "\(entry.id)"] : []) + [entry.text])
        }
        return table
    }

    static func releases(_ rows: [ReleaseRow]) -> Table {
        var table = Table(["REVISION", "TRIGGER", "STARTED", "ENDED", "OUTCOME", "ACTOR", "IMAGES", "MESSAGE"])
        for row in rows {
            table.add([
                "\(row.revision)", row.trigger.rawValue, "\(row.startedAt)", row.endedAt.map { "\($0)" } ?? "-",
                row.outcome.rawValue, row.actor.subject, row.images.values.sorted().joined(separator: ","),
                row.message ?? "",
            ])
        }
        return table
    }
}

/// Tells why releases were stopped.
struct Audit: ClientCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell why releases were stopped: who, which measurements, which rule, and what followed.")
    @Argument(help: "The rollout's name.") var name: String
    @OptionGroup var place: NamespaceOption
    @OptionGroup var format: DocumentFormatOption
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: ServerClient) async throws {
        let path = try client.path(place.namespace, name, "audit")
        if let output = format.output, output == .json || output == .yaml {
            try OutputFormat.print(try await client.text(path), output)
            return
        }
        let reply: AuditReply = try await client.get(path)
        if reply.aborts.isEmpty { Output.error("No release of rollout '\(name)' was aborted.") }
        for (index, abort) in reply.aborts.enumerated() {
            if index > 0 { Output.line("") }
            for line in Self.lines(abort, Paint(isOn: Output.wantsColour)) { Output.line(line) }
        }
    }

    static func lines(_ abort: AbortAudit, _ paint: Paint) -> [String] {
        var lines = [
            "Release of revision \(abort.revision) aborted at \(abort.event.at) (position \(abort.event.position))",
            "  Release:   \(abort.release)", "  Images:    \(abort.images.values.sorted().joined(separator: ", "))",
            "  By:        \(abort.by.rawValue), recorded for \(abort.actor.subject) (\(abort.actor.method.rawValue))",
        ]
        if let reason = abort.reason { lines.append("  Reason:    \(reason)") }
        lines.append("  Message:   \(abort.message)")
        if let run = abort.analysisRun { lines.append("  Analysis:  \(run)") }
        lines = lines.map(\.printable)
        for metric in abort.metrics {
            let condition = metric.successCondition.map { "success if \($0)" }
            let failure = metric.failureCondition.map { "failure if \($0)" }
            lines.append(
                "  Metric:    \(metric.metric) \(metric.phase.rawValue)\(metric.rule.map { ": \($0)" } ?? "")"
                    + ([condition, failure].compactMap(\.self).map { "; \($0)" }.joined()).printable)
        }
        if !abort.measurements.isEmpty {
            var table = Table(["  METRIC", "NUMBER", "VALUE", "PHASE", "CONDITION", "FINISHED", "EVENT", "POSITION"])
            for taken in abort.measurements {
                table.add([
                    .init((taken.isEvidence ? "* " : "  ") + taken.metric), .init("\(taken.number)"),
                    .init(taken.value?.text ?? taken.message ?? "-"), .init(taken.phase.shown, taken.phase.colour),
                    .init(taken.condition ?? "-"), .init("\(taken.finishedAt)"), .init("\(taken.event.id)"),
                    .init("\(taken.event.position)"),
                ])
            }
            lines += table.lines(paint)
        }
        if let decided = abort.weightZeroDecided {
            lines.append(
                "  Weight:    \(abort.weightBefore) → 0 decided at \(decided.at) (position \(decided.position))")
        }
        if let applied = abort.weightZeroApplied {
            lines.append(
                "             obeyed by \(abort.router ?? "the router"), seen at \(applied.at) (position \(applied.position))"
            )
        }
        return lines
    }
}

/// Plays a part of a rollout's past again.
struct Replay: ClientCommand {
    static let configuration = CommandConfiguration(
        abstract: "Play the past again: each event with the state right after it.")
    @Argument(help: "The rollout's name.") var name: String
    @OptionGroup var place: NamespaceOption
    @OptionGroup var span: SpanOptions
    @OptionGroup var format: DocumentFormatOption
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: ServerClient) async throws {
        let path = try client.path(place.namespace, name, "replay")
        if let output = format.output, output == .json || output == .yaml {
            try OutputFormat.print(try await client.text(path, query: span.query), output)
            return
        }
        let reply: ReplayReply = try await client.get(path, query: span.query)
        if reply.frames.isEmpty { Output.error("There was no event in that time.") }
        for line in Self.table(reply.frames).lines(Paint(isOn: Output.wantsColour)) { Output.line(line) }
    }

    static func table(_ frames: [ReplayFrame]) -> Table {
        var table = Table(["TIME", "POSITION", "STATUS", "STEP", "SET", "ACTUAL", "WHAT"])
        let start = frames.first?.event.at
        for frame in frames {
            table.add([
                .init(offset(frame.event.at.since(start ?? frame.event.at))), .init("\(frame.event.position)"),
                .init(frame.phase.shown, frame.phase.colour), .init(frame.step ?? "-"), .init("\(frame.setWeight)"),
                .init("\(frame.actualWeight)"), .init(frame.event.text),
            ])
        }
        return table
    }

    /// `+12.345s`.
    private static func offset(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMicroseconds / 1000
        let fraction = String(abs(milliseconds % 1000))
        return "\(milliseconds < 0 ? "-" : "+")\(abs(milliseconds / 1000))."
            + String(repeating: "0", count: 3 - fraction.count) + fraction + "s"
    }
}
