internal import EventSourcing

/// The templates that a Rollout's analyses can name.
struct TemplateShelf {
    private var namespaced: [String: JSONValue] = [:]
    private var cluster: [String: JSONValue] = [:]

    /// Takes the templates among `documents` that a Rollout in `namespace` can see.
    init(_ documents: some Sequence<JSONValue>, namespace: String) {
        for document in documents {
            guard let name = document["metadata"]?["name"]?.stringValue else { continue }
            switch document["kind"]?.stringValue {
            case "AnalysisTemplate" where DocumentIdentity(document).namespace == namespace:
                namespaced[name] = document
            case "ClusterAnalysisTemplate": cluster[name] = document
            default: continue
            }
        }
    }

    func template(_ reference: TemplateName) -> JSONValue? {
        reference.clusterScope ? cluster[reference.name] : namespaced[reference.name]
    }

    /// The templates that `references` name, each followed by those that it names itself, each once;
    /// namespaced ones before cluster-wide ones.
    ///
    /// - Source: Argo Rollouts, `getAnalysisTemplatesFromRefs`, utils/analysis `FilterUniqueTemplates`. Unlike there, a
    ///   template that leads back to itself is an error and not a recursion without end.
    func collect(_ references: [TemplateName]) throws(TemplateProblem) -> [NamedTemplate] {
        var found: [NamedTemplate] = []
        for reference in references { try follow(reference, above: [], into: &found) }
        return found.filter { !$0.name.clusterScope } + found.filter(\.name.clusterScope)
    }

    private func follow(
        _ reference: TemplateName, above: [TemplateName], into found: inout [NamedTemplate]
    ) throws(TemplateProblem) {
        guard !above.contains(reference) else { throw .cycle(above + [reference]) }
        guard let value = template(reference) else { throw .notFound(reference, isNested: !above.isEmpty) }
        guard !found.contains(where: { $0.name == reference }) else { return }
        found.append(NamedTemplate(name: reference, value: value))
        for nested in TemplateName.list(value["spec"]?["templates"]) {
            try follow(nested, above: above + [reference], into: &found)
        }
    }
}

/// Which template is meant.
struct TemplateName: Sendable, Hashable {
    let name: String
    let clusterScope: Bool

    /// The names in a list of `{templateName, clusterScope}`.
    static func list(_ value: JSONValue?) -> [TemplateName] {
        (value?.arrayValue ?? []).compactMap { reference in
            reference["templateName"]?.nonEmptyString.map {
                TemplateName(name: $0, clusterScope: reference["clusterScope"]?.boolValue ?? false)
            }
        }
    }

    var kind: String { clusterScope ? "ClusterAnalysisTemplate" : "AnalysisTemplate" }
}

/// A template and what it is called.
struct NamedTemplate: Sendable, Equatable {
    let name: TemplateName
    let value: JSONValue

    var spec: JSONValue { value["spec"] ?? .object([:]) }
}

/// Why templates cannot be used together, in Argo's words.
enum TemplateProblem: Error, Equatable {
    /// The template is not among the documents.
    case notFound(TemplateName, isNested: Bool)
    /// A template includes itself, over these.
    case cycle([TemplateName])
    /// Two metrics, rules or arguments do not go together.
    case clash(String)
    /// The argument has no value.
    case unresolved(String)

    var message: String {
        switch self {
        case .notFound(let template, _): "\(template.kind) '\(template.name)' not found"
        case .cycle(let templates):
            "the template includes itself: " + templates.map(\.name).joined(separator: " → ")
        case .clash(let message): message
        case .unresolved(let name): "args.\(name) was not resolved"
        }
    }

    var fix: String {
        switch self {
        case .notFound(let template, _): "apply the \(template.kind) together with the Rollout, or mend its name"
        case .cycle: "remove one of the references"
        case .clash: "rename one of them, or make the two equal"
        case .unresolved(let name): "give the argument \(name) a value"
        }
    }
}
