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

/// `-o` of commands that print a table about one thing.
struct TableFormatOption: ParsableArguments {
    @Option(name: .shortAndLong, help: "wide, json or yaml instead of the usual text.")
    var output: OutputFormat?

    func validate() throws {
        if output == .name { throw ValidationError("-o name has no meaning here: give wide, json or yaml.") }
    }
}

/// `-o` of commands that print a text about one thing, which there is no wider one of.
struct DocumentFormatOption: ParsableArguments {
    @Option(name: .shortAndLong, help: "json or yaml instead of the usual text.")
    var output: OutputFormat?

    func validate() throws {
        if let output, output != .json, output != .yaml {
            throw ValidationError("-o \(output) has no meaning here: give json or yaml.")
        }
    }
}

/// `-o` of commands that print one thing, or a list.
struct FormatOption: ParsableArguments {
    @Option(name: .shortAndLong, help: "wide, json, yaml or name instead of the usual text.")
    var output: OutputFormat?
}
