/// A regular expression for `matches`.
struct Pattern: Sendable {
    init(_ text: String) throws(Complaint) { throw Complaint("the operator matches is not available yet") }
    func matches(_ text: String) -> Bool { false }
}
