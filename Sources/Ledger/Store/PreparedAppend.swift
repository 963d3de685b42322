internal import EventSourcing

/// An append on its way, with what is computed before it stands in line.
///
/// An object, since it is handed on from the caller to the line, to a batch and to a lane.
final class PreparedAppend: Sendable {
    let append: Append
    let hashes: [[UInt8]]
    /// Roughly what it weighs on the wire.
    let bytes: Int

    init(_ append: Append) {
        self.append = append
        hashes = append.events.map(ContentHash.of)
        bytes = append.events.reduce(200) { $0 + 300 + $1.textBytes }
    }

    /// The event of an append that is as plain as can be: one event after a known version, for nobody's order.
    var loneEvent: (event: NewEvent, expected: Int64)? {
        guard append.events.count == 1, append.command == nil, case .exactly(let version) = append.expecting,
            version > .none
        else { return nil }
        return (append.events[0], version.value)
    }
}
