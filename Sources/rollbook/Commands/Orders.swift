import API
import ArgumentParser
import Delivery
import EventSourcing

/// A rollout to give an order to, and why.
struct OrderOptions: ParsableArguments {
    @OptionGroup var place: NamespaceOption
    @OptionGroup var format: FormatOption
}

extension ClientCommand {
    /// Gives the order and says that it was carried out.
    func order(
        _ verb: String, _ name: String, _ options: OrderOptions, _ body: [String: JSONValue], said: String,
        _ client: ServerClient
    ) async throws(ClientFailure) {
        let reply: ActionReply = try await client.post(
            client.path(options.place.namespace, name, verb), .object(body))
        switch options.format.output {
        case .json, .yaml: try OutputFormat.print(CanonicalJSON.text(reply), options.format.output ?? .json)
        case .name: Output.line("rollout.argoproj.io/\(reply.name)")
        case .wide, nil: Output.line(reply.changed || reply.duplicate ? said : "\(said) (nothing to change)")
        }
    }
}

/// The member `reason`, if one is given.
private func because(_ reason: String?) -> [String: JSONValue] {
    reason.map { ["reason": .string($0)] } ?? [:]
}

/// Moves a release on.
struct Promote: ClientCommand {
    static let configuration = CommandConfiguration(
        abstract: "Move a release on: out of its pause, past its step, or past all that is left.")
    @Argument(help: "The rollout's name.") var name: String
    @Flag(help: "Past all steps, pauses and analyses.") var full = false
    @Option(help: "Why; kept in the ledger.") var reason: String?
    @OptionGroup var options: OrderOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: ServerClient) async throws {
        var body = because(reason)
        if full { body["full"] = true }
        try await order(
            "promote", name, options, body, said: "rollout '\(name)' \(full ? "fully " : "")promoted", client)
    }
}

/// Stops a release.
struct Abort: ClientCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop a release and send all traffic to the stable revision.")
    @Argument(help: "The rollout's name.") var name: String
    @Option(help: "Why; kept in the ledger.") var reason: String?
    @OptionGroup var options: OrderOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: ServerClient) async throws {
        try await order("abort", name, options, because(reason), said: "rollout '\(name)' aborted", client)
    }
}

/// Tries an aborted release again.
struct Retry: ClientCommand {
    static let configuration = CommandConfiguration(
        abstract: "Try an aborted release again, from its first step.",
        usage: "rollbook retry [rollout] <name> [--namespace <namespace>]")
    @Argument(help: "The rollout's name; the word rollout may stand before it.") var names: [String]
    @OptionGroup var options: OrderOptions
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if names.count > 2 || (names.count == 2 && !["rollout", "rollouts", "ro"].contains(names[0])) {
            throw ValidationError("Give the name of one rollout.")
        }
    }

    func perform(_ client: ServerClient) async throws {
        let name = names[names.count - 1]
        try await order("retry", name, options, [:], said: "rollout '\(name)' retried", client)
    }
}

/// Goes back to an earlier revision.
struct Undo: ClientCommand {
    static let configuration = CommandConfiguration(abstract: "Go back to an earlier revision, by a new release.")
    @Argument(help: "The rollout's name.") var name: String
    @Option(help: "The revision; 0 is the one before the newest.") var toRevision = 0
    @OptionGroup var options: OrderOptions
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if toRevision < 0 { throw ValidationError("--to-revision is \(toRevision): give a number of at least 0.") }
    }

    func perform(_ client: ServerClient) async throws {
        let body: [String: JSONValue] = toRevision == 0 ? [:] : ["toRevision": .int(Int64(toRevision))]
        try await order("undo", name, options, body, said: "rollout '\(name)' undo", client)
    }
}

/// Holds a release where it is.
struct Pause: ClientCommand {
    static let configuration = CommandConfiguration(abstract: "Hold a release where it is; traffic stays as it is.")
    @Argument(help: "The rollout's name.") var name: String
    @Option(help: "Why; kept in the ledger.") var reason: String?
    @OptionGroup var options: OrderOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: ServerClient) async throws {
        try await order("pause", name, options, because(reason), said: "rollout '\(name)' paused", client)
    }
}

/// Lets a held release go on.
struct Resume: ClientCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a held release go on; after an inconclusive analysis, measure again.")
    @Argument(help: "The rollout's name.") var name: String
    @Option(help: "Why; kept in the ledger.") var reason: String?
    @OptionGroup var options: OrderOptions
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: ServerClient) async throws {
        try await order("resume", name, options, because(reason), said: "rollout '\(name)' resumed", client)
    }
}

/// Changes one thing of a rollout.
struct SetVerb: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Change the image of a rollout.", subcommands: [SetImage.self])
}

/// Changes images, which starts a release.
struct SetImage: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "Put other images into a rollout, which starts a release.")
    @Argument(help: "The rollout's name.") var name: String
    @Argument(help: "container=image, as often as there are containers; * stands for all.") var images: [String]
    @OptionGroup var options: OrderOptions
    @OptionGroup var connection: ConnectionOptions

    func validate() throws { _ = try parsed() }

    func perform(_ client: ServerClient) async throws {
        try await order(
            "set-image", name, options, ["images": .object(try parsed())],
            said: "rollout \"\(name)\" image updated", client)
    }

    private func parsed() throws -> [String: JSONValue] {
        var images: [String: JSONValue] = [:]
        for text in self.images {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
                throw ValidationError("\"\(text)\" is no image: write container=image.")
            }
            guard images[String(parts[0])] == nil else {
                throw ValidationError("\"\(parts[0])\" is given two images: give one of them.")
            }
            images[String(parts[0])] = .string(String(parts[1]))
        }
        return images
    }
}
