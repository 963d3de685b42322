internal import Crypto
public import EventSourcing

/// A Rollout and the documents that it refers to, every field as it was given.
///
/// Held together are the Services, Ingresses, AnalysisTemplates and ClusterAnalysisTemplates (those that templates
/// include as well) and the workload that the Rollout names; nothing else. This is what `manifest-recorded` keeps.
public struct ManifestBundle: Sendable, Equatable {
    /// The Rollout.
    public let rollout: JSONValue
    /// What it refers to: sorted by kind, namespace and name, each once.
    public let related: [JSONValue]

    /// Keeps the Rollout and, of `related`, what it refers to; of two documents with one identity the later one.
    public init(rollout: JSONValue, related: some Sequence<JSONValue>) {
        self.rollout = rollout
        let wanted = ManifestReferences(of: rollout)
        var chosen: [DocumentIdentity: JSONValue] = [:]
        for document in related { chosen[DocumentIdentity(document)] = document }
        let reachable = wanted.closure(in: chosen)
        self.related = chosen.filter { reachable.contains($0.key) }.sorted { $0.key < $1.key }.map(\.value)
    }

    /// One bundle for each Rollout among `documents`, in their order.
    public static func bundles(in documents: [JSONValue]) -> [ManifestBundle] {
        documents.filter { $0["kind"]?.stringValue == "Rollout" }.map {
            ManifestBundle(rollout: $0, related: documents)
        }
    }

    /// All documents: sorted by kind, namespace and name.
    public var documents: [JSONValue] {
        (related + [rollout]).sorted { DocumentIdentity($0) < DocumentIdentity($1) }
    }

    /// `metadata.name` of the Rollout.
    public var name: String { rollout["metadata"]?["name"]?.stringValue ?? "" }

    /// `metadata.namespace` of the Rollout; `default` if it has none.
    public var namespace: String { DocumentIdentity(rollout).namespace }

    /// `sha256:` and 64 hexadecimal digits of the canonical JSON of `documents`.
    public var digest: String { Self.digest(of: documents) }

    static func digest(of value: some Encodable) -> String {
        let bytes = SHA256.hash(data: Array(CanonicalJSON.text(value).utf8))
        return "sha256:"
            + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The bundle with `documents` put in: each replaces the one of its kind, namespace and name, or is added.
    ///
    /// What the Rollout does not refer to (any more) is left out.
    public func merging(_ documents: some Sequence<JSONValue>) -> ManifestBundle {
        let documents = Array(documents)
        let own = DocumentIdentity(rollout)
        let new = documents.last { DocumentIdentity($0) == own }
        return ManifestBundle(rollout: new ?? rollout, related: related + documents)
    }
}

extension ManifestBundle: Codable {
    private enum CodingKeys: String, CodingKey { case documents }

    /// Reads the documents; exactly one must be a Rollout.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let documents = try container.decode([JSONValue].self, forKey: .documents)
        let rollouts = documents.filter { $0["kind"]?.stringValue == "Rollout" }
        guard rollouts.count == 1, let rollout = rollouts.first else {
            throw DecodingError.dataCorruptedError(
                forKey: .documents, in: container, debugDescription: "\(rollouts.count) Rollouts instead of one")
        }
        self.rollout = rollout
        // As written, so that the digest of what was recorded never depends on today's idea of a reference.
        related = documents.filter { $0["kind"]?.stringValue != "Rollout" }
    }

    /// Writes the documents.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(documents, forKey: .documents)
    }
}

/// What makes two documents the same one.
struct DocumentIdentity: Sendable, Hashable, Comparable {
    let kind: String
    /// `default` unless given; empty for what has no namespace.
    let namespace: String
    let name: String

    init(kind: String, namespace: String, name: String) {
        self.kind = kind
        self.namespace = kind == "ClusterAnalysisTemplate" ? "" : namespace
        self.name = name
    }

    init(_ document: JSONValue) {
        self.init(
            kind: document["kind"]?.stringValue ?? "",
            namespace: document["metadata"]?["namespace"]?.nonEmptyString ?? "default",
            name: document["metadata"]?["name"]?.stringValue ?? "")
    }

    static func < (left: DocumentIdentity, right: DocumentIdentity) -> Bool {
        (left.kind, left.namespace, left.name) < (right.kind, right.namespace, right.name)
    }
}
