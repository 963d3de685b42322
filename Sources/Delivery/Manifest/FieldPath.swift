/// Where a field stands in a manifest, such as `spec.strategy.canary.steps[0].pause.duration`.
public struct FieldPath: Sendable, Hashable, CustomStringConvertible {
    /// One step down.
    public enum Component: Sendable, Hashable {
        /// Into the member of an object.
        case key(String)
        /// Into the element of a list, from 0.
        case index(Int)
    }

    /// From the outermost field inwards; empty for the whole document.
    public var components: [Component]

    /// Makes a path of its components.
    public init(_ components: [Component]) { self.components = components }

    /// Makes a path of members.
    public init(_ keys: String...) { components = keys.map { .key($0) } }

    /// The whole document.
    public static let root = FieldPath([])

    /// The member `key` of what `path` names.
    public static func / (path: FieldPath, key: String) -> FieldPath { FieldPath(path.components + [.key(key)]) }

    /// The element `index` of what `path` names.
    public static func / (path: FieldPath, index: Int) -> FieldPath { FieldPath(path.components + [.index(index)]) }

    /// The path as people write it; members with other characters than letters, digits, `-` and `_` as `['a.b/c']`.
    public var description: String {
        if components.isEmpty { return "-" }
        var text = ""
        for component in components {
            switch component {
            case .index(let index): text += "[\(index)]"
            case .key(let key):
                let isPlain = !key.isEmpty && key.utf8.allSatisfy { $0.isPlainKeyByte }
                if isPlain { text += text.isEmpty ? key : ".\(key)" } else { text += "['\(key)']" }
            }
        }
        return text
    }
}

extension UInt8 {
    fileprivate var isPlainKeyByte: Bool {
        (97...122).contains(self) || (65...90).contains(self) || (48...57).contains(self) || self == 45 || self == 95
    }
}
