public import EventSourcing

/// What an auditor asks of the log: its signed tree heads, its tree, and proofs; the port to whoever seals it.
///
/// The forms are described in `Sources/Transparency/FORMAT.md`.
public protocol Proofs: Sendable {
    /// The last signed tree head, a note; `nil` if none was signed yet.
    func treeHead() async throws(EventStoreFailure) -> String?

    /// The tile, or bundle of entries, at a path below `tile/`, such as `0/x001/067.p/12` or `entries/000`.
    ///
    /// `nil` if the path is none, or the tree has no such tile.
    func tile(_ path: String) async throws(EventStoreFailure) -> [UInt8]?

    /// The proof, as JSON, that an event stands at `position` under the last signed head.
    ///
    /// `nil` if the event is not under a signed head.
    func inclusion(of position: GlobalPosition) async throws(EventStoreFailure) -> String?

    /// The proof, as JSON, that the log of `new` events begins with that of `old` events.
    ///
    /// `nil` if no head of one of the sizes was signed.
    func consistency(from old: Int64, to new: Int64) async throws(EventStoreFailure) -> String?
}
