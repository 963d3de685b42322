import Analysis
import Crypto
public import Delivery
public import EventSourcing
public import Transfer

#if canImport(FoundationEssentials)
    import FoundationEssentials
#endif

/// Measures by asking Prometheus, or whatever speaks its query API, exactly as Argo Rollouts does.
///
/// A vector or matrix becomes a list of numbers without labels, a scalar a number. No data is an empty list, not an error;
/// NaN and infinities are values. Metadata: `ResolvedPrometheusQuery`, and `warnings` where there are any.
///
/// - Source: Argo Rollouts, metricproviders/prometheus; prometheus/client_golang, api/prometheus/v1.
public struct PrometheusMetricSource: MetricSource {
    private let client: TransferClient
    private let addresses: AddressBook
    private let defaultAddress: String?
    private let now: @Sendable () -> Instant

    /// Makes a source.
    ///
    /// - Parameters:
    ///   - client: Carries the requests; shared and closed by whoever made it.
    ///   - addresses: Where the hosts in manifests are really found.
    ///   - defaultAddress: For metrics without one; Argo takes it from `ARGO_ROLLOUTS_PROMETHEUS_ADDRESS`.
    ///   - now: The time as of which is asked.
    public init(
        client: TransferClient, addresses: AddressBook = .asWritten, defaultAddress: String? = nil,
        now: @escaping @Sendable () -> Instant
    ) {
        self.client = client
        self.addresses = addresses
        self.defaultAddress = defaultAddress
        self.now = now
    }

    /// `prometheus`.
    public var providers: Set<String> { ["prometheus"] }

    /// Asks once, within the `timeout` of the metric (30 seconds unless given).
    public func measure(_ query: MetricQuery) async -> MetricAnswer {
        let text = query.provider["prometheus"]?["query"]?.stringValue ?? ""
        let digest = SHA256.hash(data: Array(text.utf8)).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        let address = PrometheusProvider.address(in: query.provider, default: defaultAddress)
        let source = MeasurementSource(
            provider: "prometheus", address: TransferRequest(url: address).redactedURL,
            queryDigest: "sha256:\(digest)")
        var metadata = text.isEmpty ? [:] : ["ResolvedPrometheusQuery": text]
        do throws(MetricSourceProblem) {
            let provider = try PrometheusProvider(query.provider, defaultAddress: defaultAddress)
            let reply = try await ask(provider)
            if !reply.warnings.isEmpty {
                metadata["warnings"] = reply.warnings.map { "\"\($0)\"" }.joined(separator: ", ")
            }
            return MetricAnswer(outcome: .value(reply.value), source: source, metadata: metadata)
        } catch {
            return MetricAnswer(outcome: .error(error.message), source: source, metadata: metadata)
        }
    }

    private func ask(_ provider: PrometheusProvider) async throws(MetricSourceProblem) -> PrometheusReply {
        let (path, fields) = try question(provider)
        let form = FormEncoding.text(fields)
        let url = provider.address.origin + provider.address.path + path
        var request = TransferRequest(
            method: "POST",
            url: url,
            headers: [TransferHeader("Content-Type", "application/x-www-form-urlencoded")],
            body: Array(form.utf8),
            timeout: provider.timeout,
            connectTimeout: .seconds(30),
            maximumRedirects: 10,
            tls: TransferTLS(skipsVerification: provider.skipsVerification),
            credentials: provider.credentials,
            routes: addresses.routes(to: provider.address.endpoint))
        add(provider.headers, to: &request)
        let clock = ContinuousClock()
        let start = clock.now
        var response = try await send(request)
        if response.status == 405 || response.status == 501 {
            request.method = "GET"
            request.url = "\(url)?\(form)"
            request.body = nil
            request.headers.removeAll { $0.name.lowercased() == "content-type" }
            request.timeout = provider.timeout - start.duration(to: clock.now)
            response = try await send(request)
        }
        return try PrometheusReply(response)
    }

    /// Headers of the metric replace ours; its own Authorization replaces the credentials' as well.
    private func add(_ headers: [TransferHeader], to request: inout TransferRequest) {
        for header in headers {
            let name = header.name.lowercased()
            request.headers.removeAll { $0.name.lowercased() == name }
            request.headers.append(header)
        }
    }

    private func question(
        _ provider: PrometheusProvider
    ) throws(MetricSourceProblem) -> (path: String, fields: [String: String]) {
        let now = now()
        guard let range = provider.range else {
            return ("/api/v1/query", ["query": provider.query, "time": seconds(now.microseconds)])
        }
        let start = try read("rangeQuery.start as time") { () throws(MetricSourceProblem) in
            try TimeExpression.time(range.start, now: now)
        }
        let end = try read("rangeQuery.end as time") { () throws(MetricSourceProblem) in
            try TimeExpression.time(range.end, now: now)
        }
        let step = try read("rangeQuery.step as duration") { () throws(MetricSourceProblem) in
            try TimeExpression.duration(range.step)
        }
        return (
            "/api/v1/query_range",
            [
                "query": provider.query, "start": seconds(start.microseconds), "end": seconds(end.microseconds),
                "step": seconds(step.wholeMicroseconds),
            ]
        )
    }

    private func read<Value>(
        _ what: String, _ body: () throws(MetricSourceProblem) -> Value
    ) throws(MetricSourceProblem) -> Value {
        do throws(MetricSourceProblem) {
            return try body()
        } catch {
            throw MetricSourceProblem("failed to parse \(what): \(error.message)")
        }
    }

    private func send(_ request: TransferRequest) async throws(MetricSourceProblem) -> TransferResponse {
        do throws(TransferFailure) {
            return try await client.send(request)
        } catch {
            throw MetricSourceProblem(error.description)
        }
    }

    /// Seconds as a decimal without a needless fraction.
    private func seconds(_ microseconds: Int64) -> String {
        let magnitude = microseconds.magnitude
        var fraction = String(magnitude % 1_000_000)
        fraction = String(repeating: "0", count: 6 - fraction.count) + fraction
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return (microseconds < 0 ? "-" : "") + String(magnitude / 1_000_000) + (fraction.isEmpty ? "" : "." + fraction)
    }
}
