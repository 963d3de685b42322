import Conditions
import EventSourcing
import Transfer

/// What Prometheus' HTTP API said: a value with warnings, or a problem.
///
/// - Source: prometheus/client_golang api/prometheus/v1 `apiClientImpl.Do`; Prometheus docs, "HTTP API".
struct PrometheusReply: Equatable {
    let value: Value
    let warnings: [String]

    init(_ response: TransferResponse) throws(MetricSourceProblem) {
        let status = response.status
        // Prometheus itself answers 400 and 422 with an error to be read; anything else but 2xx comes from whatever
        // stands there.
        guard response.head.isSuccess || status == 400 || status == 422 else {
            let kind =
                switch status {
                case 400...499: "client_error: client error: \(status)"
                case 500...599: "server_error: server error: \(status)"
                default: "bad_response: bad response code \(status)"
                }
            throw MetricSourceProblem(kind + Self.explanation(in: response))
        }
        let reply = try Self.json(response)
        switch reply["status"]?.stringValue {
        case "error":
            let kind = reply["errorType"]?.stringValue ?? "bad_response"
            throw MetricSourceProblem("\(kind): \(reply["error"]?.stringValue ?? "no reason given")")
        case "success" where response.head.isSuccess: break
        case "success": throw MetricSourceProblem("bad_response: inconsistent body for response code")
        default: throw MetricSourceProblem("bad_response: no status in the answer: \(Self.excerpt(response))")
        }
        warnings = (reply["warnings"]?.arrayValue ?? []).compactMap(\.stringValue)
        guard let data = reply["data"], let result = data["result"] else {
            throw MetricSourceProblem("bad_response: no data.result in the answer: \(Self.excerpt(response))")
        }
        switch data["resultType"]?.stringValue {
        case "scalar": value = .double(try Self.sample(result))
        case "vector":
            value = .vector(
                try Self.series(result).map { series throws(MetricSourceProblem) in
                    try Self.sample(series["value"] ?? .null)
                })
        case "matrix":
            var samples: [Double] = []
            for series in try Self.series(result) {
                guard case .array(let values)? = series["values"] else {
                    throw MetricSourceProblem("bad_response: a series without values")
                }
                for value in values { samples.append(try Self.sample(value)) }
            }
            value = .vector(samples)
        default: throw MetricSourceProblem("Prometheus metric type not supported")
        }
    }

    private static func json(_ response: TransferResponse) throws(MetricSourceProblem) -> JSONValue {
        do {
            return try CanonicalJSON.read(JSONValue.self, from: response.text)
        } catch {
            throw MetricSourceProblem("bad_response: the answer is not JSON: \(excerpt(response))")
        }
    }

    private static func series(_ result: JSONValue) throws(MetricSourceProblem) -> [JSONValue] {
        guard case .array(let series) = result else {
            throw MetricSourceProblem("bad_response: data.result is not a list")
        }
        return series
    }

    /// The value of `[time, "value"]`.
    private static func sample(_ pair: JSONValue) throws(MetricSourceProblem) -> Double {
        guard case .array(let parts) = pair, parts.count == 2, case .string(let text) = parts[1] else {
            throw MetricSourceProblem(
                "bad_response: a sample is not [time, \"value\"]; native histograms are not supported")
        }
        switch text {
        case "NaN": return .nan
        case "+Inf", "Inf": return .infinity
        case "-Inf": return -.infinity
        default:
            guard let number = Double(text), number.isFinite else {
                throw MetricSourceProblem("bad_response: a sample has the value \"\(text.prefix(40))\", not a number")
            }
            return number
        }
    }

    /// What an error of a server tells besides its status: Prometheus' own reason if there is one.
    private static func explanation(in response: TransferResponse) -> String {
        guard let reply = try? json(response),  // the status is reason enough; a body that is not JSON adds none
            let reason = reply["error"]?.stringValue
        else { return "" }
        return " (\(reply["errorType"]?.stringValue.map { $0 + ": " } ?? "")\(reason.prefix(500)))"
    }

    private static func excerpt(_ response: TransferResponse) -> String {
        let text = String(decoding: response.body.prefix(120), as: UTF8.self)
        return String(text.unicodeScalars.map { $0.value < 0x20 ? " " : Character($0) })
    }
}
