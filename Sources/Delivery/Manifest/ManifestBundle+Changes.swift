internal import EventSourcing

/// What differs between two manifests.
extension ManifestBundle {
    /// Which parts differ from `old`, in this order: `template`, `strategy` (every other field of `spec`, too), `steps`,
    /// `replicas`, `paused`, `restart-at`, `metadata`, `services` (with Ingresses), `templates`.
    ///
    /// Without `old`, the parts that there are.
    public func changes(from old: ManifestBundle?) -> [String] {
        let parts = self.parts
        let before = old?.parts
        return parts.enumerated().filter { index, part in
            before.map { $0[index].content != part.content } ?? !part.content.allSatisfy(\.isNull)
        }.map(\.element.word)
    }

    private var parts: [(word: String, content: [JSONValue])] {
        var rest = rollout["spec"]?.objectValue ?? [:]
        func take(_ key: String) -> [JSONValue] { [rest.removeValue(forKey: key) ?? .null] }
        let template = take("template") + take("workloadRef")
        let replicas = take("replicas")
        let paused = take("paused")
        let restartAt = take("restartAt")
        let steps = rest["strategy"]?["canary"]?["steps"] ?? .null
        if case .object(var canary) = rest["strategy"]?["canary"] {
            canary["steps"] = nil
            rest["strategy"] = rest["strategy"]?.replacing([.key("canary")], with: .object(canary))
        }
        let isTemplate = { (document: JSONValue) in
            document["kind"]?.stringValue?.hasSuffix("AnalysisTemplate") == true
        }
        return [
            ("template", template),
            ("strategy", [.object(rest.filter { !$0.value.isNull })]),
            ("steps", [steps]),
            ("replicas", replicas),
            ("paused", paused),
            ("restart-at", restartAt),
            ("metadata", [rollout["metadata"] ?? .null]),
            ("services", related.filter { !isTemplate($0) }),
            ("templates", related.filter(isTemplate)),
        ]
    }
}
