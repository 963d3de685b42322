import ArgumentParser
import Delivery
import EventSourcing

/// Shows one thing.
struct Get: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show a rollout.", subcommands: [GetRollout.self])
}

/// Shows a rollout as it is, as it was, or as it moves.
struct GetRollout: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollout", abstract: "Show a rollout: now, at any past moment, or live.",
        aliases: ["ro", "rollouts"])

    @Argument(help: "The rollout's name.")
    var name: String
    @OptionGroup var place: NamespaceOption
    @Option(help: "A past moment: a time (2026-11-24T09:30:00Z), a position (1042) or a version (v17).")
    var at: String?
    @Flag(name: .shortAndLong, help: "Go on showing it until Ctrl-C.")
    var watch = false
    @Flag(help: "No colour.")
    var noColor = false
    @OptionGroup var format: FormatOption
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if watch, at != nil { throw ValidationError("--watch shows the present, --at the past: give one of them.") }
        if watch, format.output == .name {
            throw ValidationError("-o name does not change while --watch goes on: give one of them.")
        }
        if let at, PointInTime(at) == nil {
            throw ValidationError(
                "--at is \"\(at)\": give a time (2026-11-24T09:30:00Z), a position (1042) or a version (v17).")
        }
    }

    func perform(_ client: ServerClient) async throws {
        if watch {
            try await live(client)
            return
        }
        let text = try await client.text(client.path(place.namespace, name), query: [("at", at)])
        switch format.output {
        case .json, .yaml: try OutputFormat.print(text, format.output ?? .json)
        case .name: Output.line("rollout.argoproj.io/\(name)")
        case .wide, nil:
            let view: RolloutView
            do { view = try CanonicalJSON.read(from: text) } catch {
                throw ClientFailure.strange(server: client.server, status: 200, text: "\(error)")
            }
            let tree = RolloutTree(view: view, now: moment(view), paint: paint, isWide: format.output == .wide)
            for line in tree.lines { Output.line(line) }
        }
    }

    private var paint: Paint { Paint(isOn: Output.wantsColour && !noColor) }

    /// What ages count to: the moment that was asked for.
    private func moment(_ view: RolloutView) -> Instant {
        switch at.flatMap({ PointInTime($0) }) {
        case nil: Output.now
        case .time(let instant): instant
        case .position, .version: view.recordedAt
        }
    }

    private func live(_ client: ServerClient) async throws {
        let isText = format.output == nil || format.output == .wide
        let screen = LiveScreen(
            isTerminal: Output.isTerminal && isText, isWide: format.output == .wide, paint: paint)
        let format = format.output ?? .wide
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await client.watch(place.namespace, name, lost: { await screen.lost($0) }) { view in
                    switch format {
                    case .json: Output.line(CanonicalJSON.text(view))
                    case .yaml:
                        Output.line("---")
                        try OutputFormat.print(CanonicalJSON.text(view), .yaml)
                    case .wide, .name: await screen.show(view)
                    }
                    return true
                }
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: .seconds(1))
                    await screen.redraw()
                }
            }
            try await group.next()
            group.cancelAll()
        }
    }
}
