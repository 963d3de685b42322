import ArgumentParser
import EventSourcing

/// How something is printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case wide
    case json
    case yaml
    case name

    /// Prints `text`, which is JSON, as JSON or YAML.
    static func print(_ text: String, _ format: OutputFormat) throws(ClientFailure) {
        let value: JSONValue
        do { value = try CanonicalJSON.read(from: text) } catch {
            throw .argument("the server's answer is no JSON: \(error)")
        }
        if format == .yaml { Output.raw(YAMLText.of(value)) } else { Output.line(Output.pretty(value)) }
    }
}

/// `-o` of commands that print one thing.
struct FormatOption: ParsableArguments {
    @Option(name: .shortAndLong, help: "wide, json, yaml or name instead of the usual text.")
    var output: OutputFormat?
}
