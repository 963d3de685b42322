import FoundationEssentials
import HTTPTypes
import Synchronization

/// Counts requests to `/` and tells them in the Prometheus text format.
///
/// Both statuses stand at 0 from the start: a rate over a series that does not exist yet is empty, not 0.
/// There is no `service` label: Prometheus attaches that one to the target.
final class RequestCounters: Sendable {
    private let version: String
    private let startedAt = Date().timeIntervalSince1970
    private let requests = Atomic<Int>(0)
    private let ok = Atomic<Int>(0)
    private let failed = Atomic<Int>(0)

    init(version: String) { self.version = version }

    /// Counts one request and returns what it is answered with: 500 to each fifth one if `failingEveryFifth`, else 200.
    func next(failingEveryFifth: Bool) -> HTTPResponse.Status {
        let number = requests.add(1, ordering: .relaxed).newValue
        if failingEveryFifth, number.isMultiple(of: 5) {
            failed.add(1, ordering: .relaxed)
            return .internalServerError
        }
        ok.add(1, ordering: .relaxed)
        return .ok
    }

    /// The page that Prometheus scrapes.
    func exposition() -> String {
        """
        # HELP http_requests_total Requests to / by the status of the answer.
        # TYPE http_requests_total counter
        http_requests_total{status="200"} \(ok.load(ordering: .relaxed))
        http_requests_total{status="500"} \(failed.load(ordering: .relaxed))
        # HELP payments_api_info The version that runs; always 1.
        # TYPE payments_api_info gauge
        payments_api_info{version="\(escaped(version))"} 1
        # HELP process_start_time_seconds Start of the process since the Unix epoch.
        # TYPE process_start_time_seconds gauge
        process_start_time_seconds \(startedAt)

        """
    }
}
