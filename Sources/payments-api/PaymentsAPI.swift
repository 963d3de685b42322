import ArgumentParser

/// The demo service, and the steady traffic that watches it.
@main
struct PaymentsAPI: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "payments-api",
        abstract: "A small payment service to ship canaries of, and a load generator that counts every answer.",
        subcommands: [ServeCommand.self, LoadCommand.self],
        defaultSubcommand: ServeCommand.self)
}
