public import EventSourcing

/// The pod template of a bundle: what a revision is made of.
extension ManifestBundle {
    /// `spec.template`; empty if the Rollout has none of its own.
    public var podTemplate: JSONValue { rollout["spec"]?.given("template") ?? .object([:]) }

    /// The image of each container by the container's name, init containers included.
    public var images: [String: String] {
        var images: [String: String] = [:]
        for list in Self.containerLists {
            for container in podTemplate["spec"]?[list]?.arrayValue ?? [] {
                if let name = container["name"]?.stringValue, let image = container["image"]?.stringValue {
                    images[name] = image
                }
            }
        }
        return images
    }

    /// The bundle with other images, by container name; `*` stands for every container that is not named.
    ///
    /// Names that no container has change nothing: ask `problem(inImages:)` first.
    public func settingImages(_ images: [String: String]) -> ManifestBundle {
        var template = podTemplate
        for list in Self.containerLists {
            guard let containers = podTemplate["spec"]?[list]?.arrayValue else { continue }
            let changed = containers.map { container -> JSONValue in
                guard case .object(var members) = container, let name = members["name"]?.stringValue,
                    let image = images[name] ?? images["*"]
                else { return container }
                members["image"] = .string(image)
                return .object(members)
            }
            template = template.replacing([.key("spec"), .key(list)], with: .array(changed))
        }
        return replacingTemplate(template)
    }

    /// What is wrong with an order to set `images`: a container that does not exist, an image that none can have; `nil` if
    /// nothing.
    public func problem(inImages images: [String: String]) -> ManifestProblem? {
        let known = self.images.keys.sorted()
        for (name, image) in images.sorted(by: { $0.key < $1.key }) {
            if name != "*", !known.contains(name) {
                let nearest = ManifestFindings.nearest(to: name, among: known)
                return ManifestProblem(
                    field: "spec.template.spec.containers", value: ManifestFindings.short(.string(name)),
                    message: "unable to find container named \"\(name)\"",
                    fix: nearest.map { "did you mean \($0)?" }
                        ?? "name one of \(known.joined(separator: ", ")), or * for all")
            }
            if !(1...1024).contains(image.utf8.count) || !image.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
                return ManifestProblem(
                    field: "spec.template.spec.containers", value: ManifestFindings.short(.string(image)),
                    message: "the image of container \"\(name)\" is not 1 to 1024 printable ASCII characters",
                    fix: "write an image such as registry.example.com/shop:1.2.3")
            }
        }
        return nil
    }

    /// The bundle with another pod template, as `undo` needs it.
    public func replacingTemplate(_ template: JSONValue) -> ManifestBundle {
        ManifestBundle(rollout: rollout.replacing([.key("spec"), .key("template")], with: template), related: related)
    }

    /// The name of the revision: FNV-1a (32 bit) over the canonical JSON of `spec.template`, `null` members left out, in
    /// the alphabet that Kubernetes uses for hashes.
    ///
    /// - Source: Argo Rollouts, utils/hash/hash.go `ComputePodTemplateHash`; k8s.io/apimachinery `SafeEncodeString`.
    ///   The hashed text is ours, so the value differs from that of Argo for the same template.
    public var podTemplateHash: String {
        var sum: UInt32 = 2_166_136_261
        for byte in CanonicalJSON.text(podTemplate.withoutNulls).utf8 {
            sum ^= UInt32(byte)
            sum = sum &* 16_777_619
        }
        let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
        return String(String(sum).utf8.map { alphabet[Int($0) % alphabet.count] })
    }

    private static let containerLists = ["containers", "initContainers", "ephemeralContainers"]
}

extension JSONValue {
    /// The value without members that are `null`, which mean the same as none.
    fileprivate var withoutNulls: JSONValue {
        switch self {
        case .array(let elements): .array(elements.map(\.withoutNulls))
        case .object(let members): .object(members.filter { !$0.value.isNull }.mapValues(\.withoutNulls))
        case .null, .bool, .int, .double, .string: self
        }
    }
}
