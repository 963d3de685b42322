/// Who caused an event: an opaque subject, who vouches for it, and how it was established.
public struct EventActor: Sendable, Hashable, Codable {
    /// Who, such as `maria@laptop` or `rollbook/host-1`; never empty.
    public var subject: String
    /// Who says so, such as an OpenID issuer, or `operating-system` for a local user.
    public var issuer: String
    /// How it was established.
    public var method: Method
    /// The person or system for whom the subject acted, if another.
    public var onBehalfOf: String?

    /// How an actor was established; a closed list.
    public enum Method: String, Sendable, Codable, CaseIterable {
        /// Nobody checked: access control is not in place.
        case unauthenticated
        /// One of Rollbook's own controllers.
        case controller
        /// A bearer token.
        case token
        /// OpenID Connect.
        case oidc
    }

    /// Makes an actor.
    public init(subject: String, issuer: String, method: Method, onBehalfOf: String? = nil) {
        self.subject = subject
        self.issuer = issuer
        self.method = method
        self.onBehalfOf = onBehalfOf
    }

    /// The controller of the named instance.
    public static func controller(_ instance: String) -> EventActor {
        EventActor(subject: "rollbook/\(instance)", issuer: "rollbook", method: .controller)
    }

    /// Whether they are the same byte for byte, as the ledger tells actors apart, and as the hash of an event has them: `é`
    /// can be written in two ways, which as `String`s are equal.
    public static func == (left: EventActor, right: EventActor) -> Bool {
        left.method == right.method && left.subject.hasBytes(of: right.subject)
            && left.issuer.hasBytes(of: right.issuer)
            && (left.onBehalfOf == nil) == (right.onBehalfOf == nil)
            && (left.onBehalfOf ?? "").hasBytes(of: right.onBehalfOf ?? "")
    }
}

extension String {
    fileprivate func hasBytes(of other: String) -> Bool {
        utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
    }
}
