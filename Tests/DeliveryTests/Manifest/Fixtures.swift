import Delivery
import EventSourcing
import Foundation

/// Manifests that tests read.
enum Fixtures {
    /// The names of the files in `valid` or `invalid`, sorted.
    static func names(in folder: String) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory(folder).path).sorted()
        } catch {
            preconditionFailure("no fixtures in \(folder): \(error)")
        }
    }

    static func text(_ folder: String, _ name: String) throws -> String {
        try String(contentsOf: directory(folder).appendingPathComponent(name), encoding: .utf8)
    }

    static func documents(_ name: String) throws -> [ManifestDocument] {
        try ManifestReader.documents(yaml: text("valid", name), file: name)
    }

    static func bundle(_ name: String) throws -> ManifestBundle {
        try bundle(yaml: text("valid", name))
    }

    static func bundle(yaml: String) throws -> ManifestBundle {
        let documents = try ManifestReader.documents(yaml: yaml, file: "a.yaml").map(\.value)
        return ManifestBundle.bundles(in: documents)[0]
    }

    /// A Rollout with these lines below `spec.strategy.canary`, and documents after it.
    static func rollout(canary: String, then: String = "", spec: String = "") -> String {
        let indented = canary.split(separator: "\n").map { "      " + $0 }.joined(separator: "\n")
        return """
            apiVersion: argoproj.io/v1alpha1
            kind: Rollout
            metadata:
              name: shop
              labels: {region: north}
            spec:
            \(spec.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
              selector: {matchLabels: {app: shop}}
              template:
                metadata: {labels: {app: shop}}
                spec:
                  containers:
                    - {name: app, image: "shop:1"}
              strategy:
                canary:
            \(indented.isEmpty ? "      {}" : indented)
            \(then)
            """
    }

    /// A template with these lines below `spec`.
    static func template(_ name: String, kind: String = "AnalysisTemplate", _ spec: String) -> String {
        """
        ---
        apiVersion: argoproj.io/v1alpha1
        kind: \(kind)
        metadata: {name: \(name)}
        spec:
        \(spec.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))

        """
    }

    private static func directory(_ folder: String) -> URL {
        Bundle.module.bundleURL.appendingPathComponent("Fixtures").appendingPathComponent(folder)
    }
}
