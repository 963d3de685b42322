import API
import Ledger

/// How busy the appends of this instance are, as lines of `/metrics`.
enum AppendGauges {
    private static let all: [(name: String, help: String, value: @Sendable (AppendLoad) -> Double)] = [
        (
            "waiting", "Appends that stand in line; from \(AppendLoad.mostWaiting) on more are turned away.",
            { Double($0.waiting) }
        ),
        (
            "waiting_bytes", "What those weigh; what would go beyond \(AppendLoad.mostWaitingBytes) is turned away.",
            { Double($0.waitingBytes) }
        ),
        ("in_flight", "Appends that were sent and not answered yet.", { Double($0.inFlight) }),
        ("calls", "Calls of the server in which this instance has appended.", { Double($0.calls) }),
        ("answered", "Appends that were answered, whatever the answer.", { Double($0.answered) }),
        ("turned_away", "Appends that were turned away because too many stood in line.", { Double($0.turnedAway) }),
        ("stalls", "Holders of the append lock that did not go on and were ended.", { Double($0.stalls) }),
    ]

    static func of(_ load: AppendLoad) -> [APIGauge] {
        all.map { APIGauge(name: "rollbook_append_\($0.name)", help: $0.help, value: $0.value(load)) }
    }
}
