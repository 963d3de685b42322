public import EventSourcing

/// The name of a rollout: where it runs and what it is called.
///
/// Each part is a DNS label or subdomain as Kubernetes has it: of `a-z 0-9 - .`, cluster and namespace 1…63, the name 1…253
/// characters.
public struct RolloutName: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The named installation of a platform; `default` unless several are served.
    public let cluster: String
    /// The namespace.
    public let namespace: String
    /// The name.
    public let name: String

    /// Accepts three valid parts; `nil` otherwise.
    public init?(cluster: String = "default", namespace: String, name: String) {
        guard Self.isValidPlace(cluster), Self.isValidPlace(namespace), Self.isValid(name) else { return nil }
        self.cluster = cluster
        self.namespace = namespace
        self.name = name
    }

    /// Reads the name back from the stream that holds the rollout.
    public init?(_ stream: StreamName) {
        guard stream.belongs(to: Self.category) else { return nil }
        let parts = stream.description.dropFirst(Self.category.count + 1).split(
            separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        self.init(cluster: String(parts[0]), namespace: String(parts[1]), name: String(parts[2]))
    }

    /// The category of rollouts' streams.
    public static let category = "rollout"

    /// The stream that holds the rollout: `rollout-<cluster>/<namespace>/<name>`.
    public var stream: StreamName { StreamName(category: Self.category, identity: description) }

    /// `<cluster>/<namespace>/<name>`.
    public var description: String { "\(cluster)/\(namespace)/\(name)" }

    /// Order by cluster, namespace, name.
    public static func < (left: RolloutName, right: RolloutName) -> Bool {
        (left.cluster, left.namespace, left.name) < (right.cluster, right.namespace, right.name)
    }

    /// Whether `part` is a name that Kubernetes would take (RFC 1123 subdomain).
    public static func isValid(_ part: String) -> Bool {
        let bytes = Array(part.utf8)
        func isLetterOrDigit(_ byte: UInt8) -> Bool { (97...122).contains(byte) || (48...57).contains(byte) }
        guard (1...253).contains(bytes.count), let first = bytes.first, let last = bytes.last else { return false }
        return isLetterOrDigit(first) && isLetterOrDigit(last)
            && bytes.allSatisfy { isLetterOrDigit($0) || $0 == 45 || $0 == 46 }
    }

    /// Whether `part` can name a cluster or a namespace: as a name, but of at most 63 characters.
    public static func isValidPlace(_ part: String) -> Bool { part.utf8.count <= 63 && isValid(part) }

    private enum CodingKeys: String, CodingKey { case cluster, namespace, name }

    /// Reads the three parts.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let cluster = try container.decode(String.self, forKey: .cluster)
        let namespace = try container.decode(String.self, forKey: .namespace)
        let name = try container.decode(String.self, forKey: .name)
        guard let valid = RolloutName(cluster: cluster, namespace: namespace, name: name) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "not a name: \(cluster)/\(namespace)/\(name)"))
        }
        self = valid
    }
}
