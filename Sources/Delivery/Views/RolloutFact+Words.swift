import Analysis
import EventSourcing

extension RolloutFact {
    /// What happened, in one line for people.
    public var words: String {
        switch self {
        case .manifestRecorded(let recorded): return Self.words(recorded.source, changed: recorded.changed)
        case .releaseStarted(let started):
            let images = started.images.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return "release of revision \(started.revision) started (\(started.trigger.rawValue)): "
                + images.joined(separator: ", ")
        case .stepEntered(let entered): return "step \(entered.index) entered: \(entered.step.words)"
        case .stepCompleted(let completed):
            return "step \(completed.index) completed (\(completed.because.rawValue)): \(completed.step.words)"
        case .weightDecided(let decided): return "weight \(decided.canary) decided (\(decided.because.rawValue))"
        case .weightApplied(let applied):
            return "weight \(applied.canary) applied by \(applied.router) after \(Self.seconds(applied.took))"
        case .weightRejected(let rejected):
            return "weight not applied by \(rejected.by), attempt \(rejected.attempt): \(rejected.error)"
        case .scaleDecided(let decided):
            let sets = decided.sets.map { "\($0.role.rawValue) \($0.podTemplateHash)=\($0.replicas)" }
            return "sizes decided: \(sets.joined(separator: ", "))"
        case .scaleApplied: return "sizes accepted by the platform"
        case .scaleRejected(let rejected):
            return "sizes not accepted by \(rejected.by), attempt \(rejected.attempt): \(rejected.error)"
        case .podsObserved(let seen):
            return "\(seen.role.rawValue) \(seen.podTemplateHash): \(seen.ready)/\(seen.desired) ready, "
                + "\(seen.available) available"
        case .pauseBegan(let began):
            let until = began.until.map { ", until \($0)" } ?? ""
            return "pause began (\(began.reason.rawValue)\(until))" + Self.said(began.message)
        case .pauseEnded(let ended): return "pause ended (\(ended.reason.rawValue), \(ended.because.rawValue))"
        case .analysisStarted(let started):
            let metrics = started.metrics.map(\.plan.name).joined(separator: ", ")
            return "analysis \(started.run) started (\(started.kind.rawValue)): \(started.error ?? metrics)"
        case .measurementTaken(let taken):
            let value = taken.value?.text ?? taken.message ?? "no value"
            let condition = taken.condition.map { " (\($0))" } ?? ""
            return "\(taken.metric) measurement \(taken.number): \(value) \(taken.phase.rawValue)\(condition)"
        case .metricConcluded(let concluded):
            return "metric \(concluded.metric) is \(concluded.phase.rawValue)" + Self.said(concluded.message)
        case .analysisConcluded(let concluded):
            return "analysis \(concluded.run) is \(concluded.phase.rawValue)" + Self.said(concluded.message)
        case .deadlineExceeded(let exceeded): return "no progress for \(exceeded.afterSeconds) s: \(exceeded.message)"
        case .promoted(let promoted):
            return "promoted (\(promoted.kind.rawValue)) from step \(promoted.fromIndex)" + Self.said(promoted.reason)
        case .aborted(let aborted):
            return "aborted by \(aborted.by.rawValue)\(Self.said(aborted.reason)): \(aborted.message)"
        case .completed(let completed):
            return "completed after \(Self.seconds(completed.took)): \(completed.podTemplateHash) is stable"
        case .superseded(let superseded): return "superseded by release \(superseded.by)"
        case .standingOrderExecuted(let executed):
            let routed = executed.routedZeroAt.map { "weight 0 routed at \($0)" } ?? "weight 0 was not routed"
            return "standing order carried out (\(executed.because.rawValue)): the ledger could not be reached from "
                + "\(executed.unreachableFrom) to \(executed.until); \(routed)"
        case .setRetired(let retired): return "set \(retired.podTemplateHash) retired (\(retired.because.rawValue))"
        }
    }

    /// The words for an event of that type, without taking apart the long payload of a manifest.
    static func words(type: String, data: String, occurredAt: Instant) throws(UnreadableEvent) -> String {
        guard type == "rollout.manifest-recorded.v1" else {
            return try RolloutDecider.decode(type: type, data: data, occurredAt: occurredAt).fact.words
        }
        do {
            let short = try CanonicalJSON.read(ShortManifestRecorded.self, from: data)
            return words(short.source, changed: short.changed)
        } catch {
            throw UnreadableEvent(type: type, detail: String(describing: error))
        }
    }

    /// What ``ManifestRecorded`` says in words, without the manifest.
    private struct ShortManifestRecorded: Decodable {
        var source: ManifestSource
        var changed: [String]
    }

    private static func words(_ source: ManifestSource, changed: [String]) -> String {
        let what = changed.isEmpty ? "" : " (\(changed.joined(separator: ", ")))"
        return "manifest recorded from \(source.kind.rawValue)\(what)"
    }

    private static func said(_ text: String?) -> String {
        guard let text, !text.isEmpty else { return "" }
        return ": \(text)"
    }

    /// `PT0.021S` as `0.021 s`; other text as it is.
    private static func seconds(_ duration: String) -> String {
        duration.hasPrefix("PT") && duration.hasSuffix("S") ? "\(duration.dropFirst(2).dropLast()) s" : duration
    }
}

extension PlanStep {
    /// The step in words.
    public var words: String {
        switch self {
        case .setWeight(let weight): "set weight \(weight)"
        case .pause(let seconds): seconds.map { "pause for \($0) s" } ?? "pause until promoted"
        case .analysis(let analysis): "analysis \(analysis.templates.map(\.name).joined(separator: ", "))"
        }
    }
}
