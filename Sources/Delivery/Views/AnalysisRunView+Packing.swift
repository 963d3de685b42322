import EventSourcing

extension PackedWriter {
    mutating func put(_ run: AnalysisRunView) {
        put(run.name)
        put(run.kind)
        put(run.stepIndex) { $0.put($1) }
        put(run.phase)
        put(run.message) { $0.put($1) }
        put(run.startedAt)
        put(run.endedAt) { $0.put($1) }
        put(run.counts)
        put(run.metrics) { $0.put($1) }
    }

    private mutating func put(_ metric: MetricView) {
        put(metric.name)
        put(metric.provider) { $0.put($1) }
        put(metric.phase)
        put(metric.message) { $0.put($1) }
        put(metric.counts)
        put(metric.dryRun)
        put(metric.successCondition) { $0.put($1) }
        put(metric.failureCondition) { $0.put($1) }
        put(metric.failureLimit) { $0.put($1) }
        put(metric.measurements) { writer, view in
            writer.put(view.number)
            writer.put(view.phase)
            writer.put(view.value) { $0.put($1) }
            writer.put(view.condition) { $0.put($1) }
            writer.put(view.message) { $0.put($1) }
            writer.put(view.startedAt)
            writer.put(view.finishedAt)
        }
    }

    private mutating func put(_ counts: MeasurementCounts) {
        put(counts.successful)
        put(counts.failed)
        put(counts.inconclusive)
        put(counts.error)
    }

    private mutating func put(_ value: MeasuredValue) {
        put(value.type)
        put(value.text)
    }

    mutating func put(_ taken: MeasurementTaken) {
        put(taken.run)
        put(taken.metric)
        put(taken.number)
        put(taken.phase)
        put(taken.value) { $0.put($1) }
        put(taken.message) { $0.put($1) }
        put(taken.startedAt)
        put(taken.finishedAt)
        put(taken.source.provider)
        put(taken.source.address)
        put(taken.source.queryDigest)
        put(taken.condition) { $0.put($1) }
        put(taken.dryRun)
    }
}

extension PackedReader {
    mutating func run() throws(Damage) -> AnalysisRunView {
        AnalysisRunView(
            name: try string(), kind: try word(), stepIndex: try optional { reader throws(Damage) in try reader.int() },
            phase: try word(), message: try optionalString(), startedAt: try instant(),
            endedAt: try optional { reader throws(Damage) in try reader.instant() }, counts: try counts(),
            metrics: try list { reader throws(Damage) in try reader.metric() })
    }

    private mutating func metric() throws(Damage) -> MetricView {
        MetricView(
            name: try string(), provider: try optionalString(), phase: try word(), message: try optionalString(),
            counts: try counts(), dryRun: try bool(), successCondition: try optionalString(),
            failureCondition: try optionalString(),
            failureLimit: try optional { reader throws(Damage) in try reader.int() },
            measurements: try list { reader throws(Damage) in
                MeasurementView(
                    number: try reader.int(), phase: try reader.word(), value: try reader.value(),
                    condition: try reader.optionalString(), message: try reader.optionalString(),
                    startedAt: try reader.instant(), finishedAt: try reader.instant())
            })
    }

    mutating func measurement() throws(Damage) -> MeasurementTaken {
        MeasurementTaken(
            run: try string(), metric: try string(), number: try int(), phase: try word(), value: try value(),
            message: try optionalString(), startedAt: try instant(), finishedAt: try instant(), source: try source(),
            condition: try optionalString(), dryRun: try bool())
    }

    private mutating func source() throws(Damage) -> MeasurementSource {
        var source = MeasurementSource(provider: "", address: "", queryDigest: "")
        // One by one: what was recorded is not looked through once more.
        source.provider = try string()
        source.address = try string()
        source.queryDigest = try string()
        return source
    }

    private mutating func counts() throws(Damage) -> MeasurementCounts {
        MeasurementCounts(successful: try int(), failed: try int(), inconclusive: try int(), error: try int())
    }

    private mutating func value() throws(Damage) -> MeasuredValue? {
        try optional { reader throws(Damage) in
            MeasuredValue(type: try reader.string(), text: try reader.string())
        }
    }

    private mutating func optionalString() throws(Damage) -> String? {
        try optional { reader throws(Damage) in try reader.string() }
    }
}
