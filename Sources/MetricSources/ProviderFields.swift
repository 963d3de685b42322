import EventSourcing
import Transfer

/// Reads the members of a provider's object and names the field in every complaint.
///
/// Null counts as missing.
struct ProviderFields {
    let path: String
    let members: [String: JSONValue]

    func text(_ name: String) throws(MetricSourceProblem) -> String? {
        switch members[name] {
        case nil, .null: return nil
        case .string(let text): return text
        case .some: throw MetricSourceProblem("\(path).\(name) must be text")
        }
    }

    func integer(_ name: String) throws(MetricSourceProblem) -> Int64? {
        switch members[name] {
        case nil, .null: return nil
        case .int(let number): return number
        case .some: throw MetricSourceProblem("\(path).\(name) must be a whole number")
        }
    }

    func flag(_ name: String) throws(MetricSourceProblem) -> Bool? {
        switch members[name] {
        case nil, .null: return nil
        case .bool(let flag): return flag
        case .some: throw MetricSourceProblem("\(path).\(name) must be true or false")
        }
    }

    func object(_ name: String) throws(MetricSourceProblem) -> ProviderFields? {
        switch members[name] {
        case nil, .null: return nil
        case .object(let members): return ProviderFields(path: "\(path).\(name)", members: members)
        case .some: throw MetricSourceProblem("\(path).\(name) must be an object")
        }
    }

    /// A list of `key` and `value`; of a repeated key the last stands, without regard to case.
    func headers(_ name: String) throws(MetricSourceProblem) -> [TransferHeader] {
        guard let given = members[name], !given.isNull else { return [] }
        guard case .array(let elements) = given else { throw MetricSourceProblem("\(path).\(name) must be a list") }
        var headers: [TransferHeader] = []
        for (index, element) in elements.enumerated() {
            guard case .object(let members) = element else {
                throw MetricSourceProblem("\(path).\(name)[\(index)] must be an object with key and value")
            }
            let fields = ProviderFields(path: "\(path).\(name)[\(index)]", members: members)
            guard let key = try fields.text("key"), !key.isEmpty else {
                throw MetricSourceProblem("\(path).\(name)[\(index)].key is missing")
            }
            headers.removeAll { $0.name.lowercased() == key.lowercased() }
            headers.append(TransferHeader(key, try fields.text("value") ?? ""))
        }
        return headers
    }
}
