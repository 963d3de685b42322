import API
import ArgumentParser
import Delivery
import EventSourcing

/// Lists many things.
struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List rollouts.", subcommands: [ListRollouts.self])
}

/// Lists rollouts.
struct ListRollouts: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollouts", abstract: "List rollouts, a line each.", aliases: ["ro", "rollout"])

    @OptionGroup var place: NamespaceOption
    @Flag(name: [.customShort("A"), .long], help: "Those of all namespaces.")
    var allNamespaces = false
    @Option(help: "Only the one of this name.")
    var name: String?
    @OptionGroup var format: FormatOption
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: ServerClient) async throws {
        var list: RolloutList = try await client.get(
            client.rollouts, query: [("namespace", allNamespaces ? nil : place.namespace)])
        if let name { list.rollouts.removeAll { $0.name != name } }
        switch format.output {
        case .json, .yaml: try OutputFormat.print(CanonicalJSON.text(list), format.output ?? .json)
        case .name: for row in list.rollouts { Output.line("rollout.argoproj.io/\(row.name)") }
        case .wide, nil:
            guard !list.rollouts.isEmpty else {
                Output.error("No resources found.")
                return
            }
            for line in Self.table(list.rollouts, namespaces: allNamespaces, isWide: format.output == .wide)
                .lines(Paint(isOn: Output.wantsColour))
            {
                Output.line(line)
            }
        }
    }

    /// The columns of the plugin that people are used to.
    static func table(_ rows: [RolloutSummaryRow], namespaces: Bool, isWide: Bool) -> Table {
        var table = Table(
            (namespaces ? ["NAMESPACE"] : [])
                + ["NAME", "STRATEGY", "STATUS", "STEP", "SET-WEIGHT", "READY", "DESIRED", "UP-TO-DATE", "AVAILABLE"]
                + (isWide ? ["ACTUAL-WEIGHT", "REVISION", "VERSION", "MESSAGE"] : []))
        for row in rows {
            var cells: [Table.Cell] = namespaces ? [.init(row.namespace)] : []
            cells += [
                .init(row.name), .init(row.strategy), .init(row.phase.rawValue, row.phase.colour),
                .init(row.step ?? "-"), .init("\(row.setWeight)"),
                .init("\(row.replicas.ready)/\(row.replicas.current)"), .init("\(row.replicas.desired)"),
                .init("\(row.replicas.updated)"), .init("\(row.replicas.available)"),
            ]
            if isWide {
                cells += [
                    .init("\(row.actualWeight)"), .init(row.revision.map { "\($0)" } ?? "-"), .init("\(row.version)"),
                    .init(row.message),
                ]
            }
            table.add(cells)
        }
        return table
    }
}
