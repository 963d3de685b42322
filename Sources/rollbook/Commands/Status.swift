import ArgumentParser
import Delivery
import EventSourcing

/// Says how a rollout stands, for scripts.
struct Status: ClientCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say how a rollout stands; exit code 0 unless it is Degraded (1).",
        discussion: "With --watch it waits until the rollout is Healthy (0) or Degraded (1), or the time is over (1).")

    @Argument(help: "The rollout's name.") var name: String
    @OptionGroup var place: NamespaceOption
    @Flag(name: .shortAndLong, help: "Wait until it is Healthy or Degraded.") var watch = false
    @Option(name: .shortAndLong, help: "With --watch: give up after so many seconds; 0 never does.") var timeout = 0
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if timeout < 0 { throw ValidationError("--timeout is \(timeout): give a number of seconds, or 0.") }
        if timeout > 0, !watch { throw ValidationError("--timeout needs --watch, which is what it ends.") }
    }

    func perform(_ client: ServerClient) async throws {
        guard watch else {
            let view: RolloutView = try await client.get(client.path(place.namespace, name))
            Output.line(Self.line(view))
            if view.phase == .degraded { throw ClientFailure.degraded(view.message) }
            return
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var last = ""
                try await client.watch(place.namespace, name, lost: { Output.error("connection lost: \($0)") }) {
                    view in
                    let line = Self.line(view)
                    if line != last { Output.line(line) }
                    last = line
                    if view.phase == .degraded { throw ClientFailure.degraded(view.message) }
                    return view.phase != .healthy
                }
            }
            if timeout > 0 {
                group.addTask {
                    try await Task.sleep(for: .seconds(timeout))
                    throw ClientFailure.timeout
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private static func line(_ view: RolloutView) -> String {
        switch view.phase {
        case .healthy, .degraded: view.phase.rawValue
        case .progressing, .paused: "\(view.phase.rawValue) - \(view.message)".printable
        }
    }
}
