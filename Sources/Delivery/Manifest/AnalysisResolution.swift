internal import Analysis
public import EventSourcing

/// An analysis with its arguments filled in: what a run measures from its start on.
public struct AnalysisResolution: Sendable, Equatable {
    /// The metrics, in the order of their templates; never empty.
    public var metrics: [ResolvedMetric]
    /// The value of each argument.
    public var arguments: [String: String]

    /// Fills in the arguments of `plan`.
    ///
    /// - Parameter latestHash: The pod-template-hash of the revision that is being released.
    /// - Parameter stableHash: That of the stable revision; empty if there is none.
    /// - Parameter rollout: The Rollout's document, for arguments that name its fields.
    /// - Throws: Why the run cannot start, in the words of Argo's AnalysisRun message.
    /// - Source: Argo Rollouts, analysis/analysis.go `reconcileAnalysisRun`, utils/analysis `ResolveMetricArgs`.
    public static func resolve(
        _ plan: AnalysisPlan, latestHash: String, stableHash: String, rollout: JSONValue
    ) throws(AnalysisResolutionError) -> AnalysisResolution {
        var arguments: [String: String] = [:]
        for argument in plan.arguments {
            switch argument.value {
            case .literal(let value): arguments[argument.name] = value
            case .latestHash: arguments[argument.name] = latestHash
            case .stableHash: arguments[argument.name] = stableHash
            case .field(let path):
                do throws(RolloutField.Unreadable) {
                    arguments[argument.name] = try RolloutField.value(at: path, of: rollout)
                } catch {
                    throw AnalysisResolutionError(message: error.message)
                }
            case .missing:
                throw AnalysisResolutionError(
                    message: "Unable to resolve metric arguments: argument \"\(argument.name)\" was not supplied")
            }
        }
        var metrics: [JSONValue] = []
        for metric in plan.metrics {
            do throws(ArgumentTags.Unresolved) {
                metrics.append(try ArgumentTags.replace(in: metric, with: arguments))
            } catch {
                throw AnalysisResolutionError(message: "Unable to resolve metric arguments: \(error.message)")
            }
        }
        return AnalysisResolution(metrics: try resolved(metrics, dryRun: plan.dryRun), arguments: arguments)
    }

    private static func resolved(
        _ metrics: [JSONValue], dryRun: [String]
    ) throws(AnalysisResolutionError) -> [ResolvedMetric] {
        func invalid(_ reason: String) -> AnalysisResolutionError {
            AnalysisResolutionError(message: "Analysis spec invalid: \(reason)")
        }
        let readings = metrics.map { MetricReading($0) }
        let names = readings.map(\.plan.name)
        for (index, rule) in dryRun.enumerated() where !MetricPatterns.matches(rule, any: names) {
            throw invalid("dryRun[\(index)]: Rule didn't match any metric name(s)")
        }
        if readings.isEmpty { throw invalid("no metrics specified") }
        var seen: Set<String> = []
        var resolved: [ResolvedMetric] = []
        for (index, reading) in readings.enumerated() {
            if !seen.insert(reading.plan.name).inserted {
                throw invalid("metrics[\(index)]: duplicate name '\(reading.plan.name)'")
            }
            if let defect = reading.defects.first { throw invalid("metrics[\(index)]: \(defect.message)") }
            var plan = reading.plan
            plan.dryRun = dryRun.contains { MetricPatterns.matches($0, any: [plan.name]) }
            resolved.append(ResolvedMetric(plan: plan, provider: reading.metric["provider"] ?? .object([:])))
        }
        return resolved
    }
}

/// Why a run cannot start.
public struct AnalysisResolutionError: Error, Sendable, Equatable {
    /// In the words of Argo's AnalysisRun message.
    public let message: String

    /// Makes an error of its message.
    public init(message: String) { self.message = message }
}
