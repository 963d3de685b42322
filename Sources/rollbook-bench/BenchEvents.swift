import EventSourcing
import Foundation

/// Events of the size that a release's events have, the same for case and baseline.
struct BenchEvents {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// A payload of about 330 bytes, as a measurement has it.
    static let data = [
        #"{"condition":"result[0] <= 0.01","dryRun":false,"finishedAt":"2026-11-25T09:30:04.184044Z","#,
        #""metric":"error-rate","number":4,"phase":"Successful","run":"payments-api-748bcd5489-3-3","#,
        #""source":{"address":"http://prometheus.monitoring:9090","provider":"prometheus"},"#,
        #""startedAt":"2026-11-25T09:30:04.180911Z","value":{"text":["0.0076963"],"type":"vector"}}"#,
    ].joined()
    /// About 110 bytes, as the controller writes them.
    static let metadata = [
        #"{"client":"rollbook/1.0 (linux)","deciderVersion":1,"instance":"host-1","#,
        #""request":"01a20b64-2cd8-737d-b266-b34d340dc3be"}"#,
    ].joined()
    static let actor = EventActor.controller("host-1")
    static let type = "rollout.measurement-taken.v1"

    /// Numbers that look random and are the same in each run.
    ///
    /// - Source: Steele, Lea, Flood: SplitMix64 (2014).
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func identifier() -> Identifier {
        Identifier(at: Self.now(), random: (UInt16(truncatingIfNeeded: next()), next()))
    }

    /// A new event.
    mutating func event(correlation: Identifier) -> NewEvent {
        NewEvent(
            id: identifier(), type: Self.type, occurredAt: Self.now(), actor: Self.actor, causation: correlation,
            correlation: correlation, data: Self.data, metadata: Self.metadata)
    }

    static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
