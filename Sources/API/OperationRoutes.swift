internal import EventSourcing
internal import HTTPTypes
internal import Hummingbird

/// What operators and their programs ask: alive, ready, numbers.
struct OperationRoutes: Sendable {
    let dependencies: APIDependencies
    let counters: RequestCounters
    let startedAt: Instant

    func add(to router: Router<APIContext>) {
        router.get("/healthz") { _, _ in "ok\n" }
        router.get("/readyz") { _, _ in
            if let why = await dependencies.whyNotReady() { throw APIProblem.notReady(why) }
            return Response.json(
                Readiness(
                    instance: dependencies.instance, duties: dependencies.duties(), halted: await dependencies.halts()))
        }
        router.get("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: await page())))
        }
    }

    /// What `/readyz` says of an instance that is ready.
    private struct Readiness: Encodable {
        let isReady = true
        let instance: String
        let duties: InstanceDuties?
        let halted: [InstanceHalt]

        enum CodingKeys: String, CodingKey {
            case isReady = "ready"
            case instance, duties, halted
        }
    }

    /// The page that Prometheus scrapes.
    ///
    /// The head of the log is left out while the ledger cannot be reached.
    private func page() async -> String {
        let uptime = Double(dependencies.now().since(startedAt).wholeMicroseconds) / 1_000_000
        var page = Self.gauge("rollbook_uptime_seconds", "Seconds since the API was started.", uptime)
        var reached = 1.0
        do {
            let head = try await dependencies.store.head()
            page += Self.gauge("rollbook_ledger_head_position", "The position of the last event.", Double(head.value))
        } catch {
            reached = 0
        }
        page += Self.gauge("rollbook_ledger_reachable", "1 if the ledger answered just now.", reached)
        var last: String?
        for gauge in await dependencies.gauges() {
            if gauge.name != last { page += "# HELP \(gauge.name) \(gauge.help)\n# TYPE \(gauge.name) gauge\n" }
            last = gauge.name
            page += "\(gauge.name)\(gauge.labels.isEmpty ? "" : "{\(gauge.labels)}") \(gauge.value)\n"
        }
        page += "# HELP rollbook_http_requests_total Requests by the status of the answer.\n"
        page += "# TYPE rollbook_http_requests_total counter\n"
        for (status, count) in counters.all { page += "rollbook_http_requests_total{status=\"\(status)\"} \(count)\n" }
        return page
    }

    private static func gauge(_ name: String, _ help: String, _ value: Double) -> String {
        "# HELP \(name) \(help)\n# TYPE \(name) gauge\n\(name) \(value)\n"
    }
}
