/// One header field of a request or a response, as it travels: names keep their case, repeats stay apart.
public struct TransferHeader: Sendable, Hashable {
    /// The field's name.
    ///
    /// Compare without regard to case (RFC 9110 §5.1).
    public var name: String
    /// The field's value without the white space around it.
    public var value: String

    /// Makes a field; what may not be sent is refused when the request is sent.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

extension [TransferHeader] {
    /// The value of the first field named `name`, without regard to case.
    public func first(named name: String) -> String? {
        let wanted = name.lowercased()
        return first { $0.name.lowercased() == wanted }?.value
    }

    /// The values of all fields named `name`, in order.
    public func all(named name: String) -> [String] {
        let wanted = name.lowercased()
        return filter { $0.name.lowercased() == wanted }.map(\.value)
    }
}
