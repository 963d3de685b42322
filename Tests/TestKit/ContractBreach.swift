/// A promise of a port that an adapter did not keep.
public struct ContractBreach: Error, CustomStringConvertible {
    /// What was expected, and what was found.
    public let description: String

    init(_ words: String, line: UInt = #line) { description = "\(words) (contract line \(line))" }
}

/// Ways to say what a clause of a contract demands.
enum Demand {
    static func that(_ isTrue: Bool, _ words: @autoclosure () -> String, line: UInt = #line) throws {
        guard isTrue else { throw ContractBreach(words(), line: line) }
    }

    static func same<Value: Equatable>(_ found: Value, _ wanted: Value, line: UInt = #line) throws {
        try that(found == wanted, "found \(found), wanted \(wanted)", line: line)
    }

    /// Something outside this process, which nobody announces, comes true.
    static func comes(_ words: String, line: UInt = #line, _ fact: () async throws -> Bool) async throws {
        guard try await eventually(within: .seconds(60), fact) else {
            throw ContractBreach("it did not come true that \(words)", line: line)
        }
    }
}
