import API
import ArgumentParser
import Delivery
import EventSourcing
import Foundation

/// Reads manifests from files, folders and standard input.
enum ManifestFiles {
    /// The documents of all `paths`: files, folders (their .yaml, .yml and .json, by name), `-` for standard input.
    ///
    /// - Throws: `.file` for what cannot be read, `.manifests` for what is no YAML.
    static func documents(_ paths: [String]) throws(ClientFailure) -> [ManifestDocument] {
        var documents: [ManifestDocument] = []
        var all: [String] = []
        for path in paths { all += try files(path) }
        for path in all {
            do {
                documents += try ManifestReader.documents(yaml: try text(path), file: path == "-" ? "stdin" : path)
            } catch let problems as ManifestProblems {
                throw .manifests(problems.problems)
            } catch let failure as ClientFailure {
                throw failure
            } catch {
                throw .file(path, reason: "\(error)")
            }
        }
        if documents.isEmpty { throw .argument("there is no document in \(paths.joined(separator: ", "))") }
        return documents
    }

    private static func files(_ path: String) throws(ClientFailure) -> [String] {
        var isFolder: ObjCBool = false
        guard path != "-", FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue
        else {
            return [path]
        }
        do {
            let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted().filter { name in
                [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
            }
            if names.isEmpty { throw ClientFailure.file(path, reason: "the folder holds no .yaml, .yml or .json file") }
            return names.map { (path.hasSuffix("/") ? path : path + "/") + $0 }
        } catch let failure as ClientFailure {
            throw failure
        } catch { throw .file(path, reason: error.localizedDescription) }
    }

    private static func text(_ path: String) throws(ClientFailure) -> String {
        do {
            // A handle reads pipes and devices as well, such as those of `-f <(kustomize build)`.
            let handle =
                path == "-"
                ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            let data = try handle.readToEnd() ?? Data()
            guard let text = String(validating: data, as: UTF8.self) else {
                throw ClientFailure.file(path, reason: "it is not UTF-8 text")
            }
            return text
        } catch let failure as ClientFailure {
            throw failure
        } catch {
            throw .file(
                path, reason: FileManager.default.fileExists(atPath: path) ? error.localizedDescription : "no such file"
            )
        }
    }
}

/// `-f` and what goes with it.
struct ManifestOptions: ParsableArguments {
    @Option(name: [.customShort("f"), .long], help: "A file, a folder, or - for standard input; may be repeated.")
    var filename: [String] = []

    @Flag(help: "Refuse fields that nobody knows.")
    var strict = false

    func validate() throws {
        if filename.isEmpty { throw ValidationError("Give a manifest with -f FILE.") }
    }
}

/// Sends manifests to the server.
struct Apply: ClientCommand {
    static let configuration = CommandConfiguration(
        abstract: "Apply manifests: a changed pod template starts a release.",
        discussion: "Every document is checked first; if one is bad, nothing is recorded.")

    @OptionGroup var manifests: ManifestOptions
    @Option(name: .shortAndLong, help: "The namespace of documents that name none.")
    var namespace: String?
    @OptionGroup var format: FormatOption
    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: ServerClient) async throws {
        let documents = try ManifestFiles.documents(manifests.filename)
        let problems = ManifestLint.lint(documents, strict: manifests.strict)
        let errors = problems.filter { $0.severity == .error }
        if !errors.isEmpty { throw ClientFailure.manifests(errors) }
        for warning in problems { Output.error("Warning: \(warning)") }
        let list: JSONValue = [
            "apiVersion": "v1", "kind": "List", "items": .array(documents.map { placed($0.value) }),
        ]
        let reply: ApplyReply = try await client.post(
            "/api/v1/apply",
            query: [("cluster", client.cluster), ("strict", manifests.strict ? "true" : nil)], list)
        if let output = format.output, output == .json || output == .yaml {
            try OutputFormat.print(CanonicalJSON.text(reply), output)
            return
        }
        for applied in reply.applied {
            Output.line("\(applied.kind.lowercased()).argoproj.io/\(applied.name) \(applied.result.rawValue)")
        }
    }

    /// The document in the wanted namespace, if it names none.
    private func placed(_ document: JSONValue) -> JSONValue {
        guard let namespace, document["kind"]?.stringValue != "ClusterAnalysisTemplate",
            document["metadata"]?["namespace"]?.stringValue == nil, case .object(var members) = document,
            case .object(var metadata) = members["metadata"]
        else { return document }
        metadata["namespace"] = .string(namespace)
        members["metadata"] = .object(metadata)
        return .object(members)
    }
}

/// Says what is wrong with manifests, without a server.
struct Lint: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check manifests without a server.",
        discussion: "Prints each problem with its place; exit code 4 if one is an error.")

    @OptionGroup var manifests: ManifestOptions

    func run() async throws {
        try await ExitMessage.saying {
            let documents = try ManifestFiles.documents(manifests.filename)
            let problems = ManifestLint.lint(documents, strict: manifests.strict)
            for problem in problems { Output.line("\(problem)") }
            if problems.contains(where: { $0.severity == .error }) { throw ExitCode(Exit.badInput) }
        }
    }
}
