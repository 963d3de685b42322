public import EventSourcing

/// Keeps AnalysisTemplates by name, so that a Rollout applied later finds those applied before it; the last one stands.
public enum TemplateDecider: StreamDecider {
    /// An order to keep a template, with its moment.
    public struct Command: Sendable, Equatable {
        /// When it was given.
        public var at: Instant
        /// The template's manifest, every field as given.
        public var manifest: JSONValue

        /// Makes an order.
        public init(at: Instant, manifest: JSONValue) {
            self.at = at
            self.manifest = manifest
        }
    }

    /// A template was kept.
    public struct Event: Sendable, Equatable {
        /// When.
        public var at: Instant
        /// What.
        public var recorded: TemplateRecorded
    }

    /// Nothing is refused: what is wrong with a template is found by lint.
    public enum Refusal: Error, Equatable {}

    /// The template that stands; `nil` before the first.
    public typealias State = TemplateRecorded?

    /// None yet.
    public static let initial: TemplateRecorded? = nil

    /// Keeps a template that differs from the one that stands.
    public static func decide(_ command: Command, given state: TemplateRecorded?) throws(Refusal) -> [Event] {
        let digest = ManifestBundle.digest(of: command.manifest)
        if state?.digest == digest { return [] }
        return [Event(at: command.at, recorded: TemplateRecorded(digest: digest, manifest: command.manifest))]
    }

    /// The last one stands.
    public static func evolve(_ state: inout TemplateRecorded?, with event: Event) { state = event.recorded }

    /// Never.
    public static func isTerminal(_ state: TemplateRecorded?) -> Bool { false }

    /// None: a template belongs to no release.
    public static func correlation(of state: TemplateRecorded?) -> Identifier? { nil }

    /// The wire name of the one event.
    public static let wireName = "template.recorded.v1"

    /// Name, payload and time of `event`.
    public static func encode(_ event: Event) -> (type: String, data: String, occurredAt: Instant) {
        (wireName, CanonicalJSON.text(event.recorded), event.at)
    }

    /// Reads an event.
    /// - Throws: `UnreadableEvent` for another type or payload.
    public static func decode(type: String, data: String, occurredAt: Instant) throws(UnreadableEvent) -> Event {
        guard type == wireName else { throw UnreadableEvent(type: type, detail: "this build knows no such type") }
        do {
            return Event(at: occurredAt, recorded: try CanonicalJSON.read(from: data))
        } catch { throw UnreadableEvent(type: type, detail: String(describing: error)) }
    }

    /// The stream of a template: of its namespace, or of the whole cluster.
    ///
    /// - Returns: `nil` if `manifest` is no AnalysisTemplate or ClusterAnalysisTemplate with a valid name.
    public static func stream(of manifest: JSONValue, cluster: String) -> StreamName? {
        let name = manifest["metadata"]?["name"]?.stringValue ?? ""
        let namespace = manifest["metadata"]?["namespace"]?.stringValue ?? "default"
        guard RolloutName.isValidPlace(cluster), RolloutName.isValidPlace(namespace), RolloutName.isValid(name) else {
            return nil
        }
        switch manifest["kind"]?.stringValue {
        case "AnalysisTemplate":
            return StreamName(category: category, identity: "\(cluster)/\(namespace)/\(name)")
        case "ClusterAnalysisTemplate":
            return StreamName(category: clusterCategory, identity: "\(cluster)/\(name)")
        default: return nil
        }
    }

    /// The category of templates of a namespace.
    public static let category = "template"
    /// The category of templates of a cluster.
    public static let clusterCategory = "cluster-template"
}

/// Payload of `template.recorded`.
public struct TemplateRecorded: Sendable, Equatable, Codable {
    /// SHA-256 of the template's canonical JSON.
    public var digest: String
    /// The template, every field as given.
    public var manifest: JSONValue
}
