import EventSourcing
import Transfer

/// The `prometheus` part of a metric's provider, checked.
///
/// - Source: Argo Rollouts, `PrometheusMetric`; messages and defaults as in metricproviders/prometheus.
struct PrometheusProvider {
    struct Range {
        let start: String
        let end: String
        let step: String
    }

    let address: ServerAddress
    let query: String
    let timeout: Duration
    let skipsVerification: Bool
    let headers: [TransferHeader]
    let credentials: TransferCredentials?
    let range: Range?

    /// The address, even if nothing else can be read, for the audit.
    static func address(in provider: JSONValue, default fallback: String?) -> String {
        let given = provider["prometheus"]?["address"]?.stringValue ?? ""
        return given.isEmpty ? fallback ?? "" : given
    }

    init(_ provider: JSONValue, defaultAddress: String?) throws(MetricSourceProblem) {
        guard case .object(let members)? = provider["prometheus"] else {
            throw MetricSourceProblem("provider.prometheus is missing or not an object")
        }
        let fields = ProviderFields(path: "provider.prometheus", members: members)
        let text = Self.address(in: provider, default: defaultAddress)
        if try fields.text("address") == nil, text.isEmpty {
            throw MetricSourceProblem("prometheus address is not configured")
        }
        guard !text.isEmpty else { throw MetricSourceProblem("prometheus address is not configured") }
        guard let address = ServerAddress(text) else {
            throw MetricSourceProblem("prometheus address is not is url format")
        }
        self.address = address
        guard let query = try fields.text("query"), !query.isEmpty else {
            throw MetricSourceProblem("provider.prometheus.query is empty; write a PromQL expression")
        }
        self.query = query
        let seconds = try fields.integer("timeout") ?? 30
        guard seconds >= 0 else { throw MetricSourceProblem("prometheus timeout should not be negative") }
        timeout = .seconds(seconds)
        skipsVerification = try fields.flag("insecure") ?? false
        headers = try fields.headers("headers")
        credentials = try Self.credentials(in: fields, address: text)
        range = try fields.object("rangeQuery").map { (range) throws(MetricSourceProblem) in
            Range(
                start: try range.text("start") ?? "", end: try range.text("end") ?? "",
                step: try range.text("step") ?? "")
        }
    }

    private static func credentials(
        in fields: ProviderFields, address: String
    ) throws(MetricSourceProblem) -> TransferCredentials? {
        guard let authentication = try fields.object("authentication") else { return nil }
        if let oauth = try authentication.object("oauth2"), !(try oauth.text("tokenUrl") ?? "").isEmpty {
            for name in ["clientId", "clientSecret"] where (try oauth.text(name) ?? "").isEmpty {
                throw MetricSourceProblem("missing mandatory parameter in metric for OAuth2 setup")
            }
            throw MetricSourceProblem(
                "provider.prometheus.authentication.oauth2 is not supported yet; use basicAuth or a header")
        }
        if address.contains("aps-workspaces"), let signing = try authentication.object("sigv4") {
            for name in ["region", "profile", "roleArn"] where !(try signing.text(name) ?? "").isEmpty {
                throw MetricSourceProblem(
                    "provider.prometheus.authentication.sigv4 is not supported yet; put a signing proxy before it")
            }
        }
        guard let basic = try authentication.object("basicAuth") else { return nil }
        let user = try basic.text("username") ?? ""
        let password = try basic.text("password") ?? ""
        if user.isEmpty, password.isEmpty { return nil }
        for (name, value) in [("username", user), ("password", password)] where value.isEmpty {
            throw MetricSourceProblem("missing mandatory parameter in metric for basic auth setup: \(name)")
        }
        return TransferCredentials(user: user, password: password)
    }
}
