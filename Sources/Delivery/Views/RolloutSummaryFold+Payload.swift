import EventSourcing

/// How much of an event type's payload the summary of a rollout needs.
///
/// The list is by name, and what is not on it is read whole by the table of wire names: a type that is added later is
/// right from the start and becomes fast when somebody puts it here.
enum SummaryNeed: Sendable {
    /// Nothing: the event moves version and position alone.
    case nothing
    /// Some fields, read by `read`; the fold of rows looks at no other field of the fact.
    case fields(read: @Sendable (inout PayloadScanner, String) throws(PayloadScanner.GivenUp) -> RolloutFact)
    /// All of it.
    case everything

    init(_ type: String) {
        switch type {
        case "rollout.weight-rejected.v1", "rollout.scale-rejected.v1", "rollout.analysis-started.v1",
            "rollout.measurement-taken.v1", "rollout.metric-concluded.v1", "rollout.analysis-concluded.v1",
            "rollout.standing-order-executed.v1", "rollout.set-retired.v1":
            self = .nothing
        case "rollout.manifest-recorded.v1":
            self = .fields { scanner, name throws(PayloadScanner.GivenUp) in try manifest(&scanner, of: name) }
        case "rollout.release-started.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in try release(&scanner) }
        case "rollout.step-entered.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in
                .stepEntered(StepEntered(index: try Self.index(&scanner), step: .setWeight(0)))
            }
        case "rollout.step-completed.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in
                .stepCompleted(StepCompleted(index: try Self.index(&scanner), step: .setWeight(0), because: .done))
            }
        case "rollout.weight-decided.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in try weightDecided(&scanner) }
        case "rollout.weight-applied.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in try weightApplied(&scanner) }
        case "rollout.scale-decided.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in try scaleDecided(&scanner) }
        case "rollout.scale-applied.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in try scaleApplied(&scanner) }
        case "rollout.pods-observed.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in try pods(&scanner) }
        case "rollout.pause-began.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in
                .pauseBegan(PauseBegan(reason: try pause(&scanner)))
            }
        case "rollout.pause-ended.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in
                .pauseEnded(PauseEnded(reason: try pause(&scanner), because: .elapsed))
            }
        case "rollout.aborted.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in try aborted(&scanner) }
        case "rollout.completed.v1":
            self = .fields { scanner, _ throws(PayloadScanner.GivenUp) in try completed(&scanner) }
        default: self = .everything
        }
    }

    /// The rollout of that name with nothing else in its manifest.
    static func bundle(of name: String) -> ManifestBundle {
        ManifestBundle(rollout: ["kind": "Rollout", "metadata": ["name": .string(name)]], related: [])
    }
}

private typealias Scanner = PayloadScanner

private func required<Value>(_ value: Value?) throws(Scanner.GivenUp) -> Value {
    guard let value else { throw Scanner.GivenUp() }
    return value
}

private func manifest(_ scanner: inout Scanner, of name: String) throws(Scanner.GivenUp) -> RolloutFact {
    var plan: ReleasePlan?
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "plan": plan = try readPlan(&scanner)
        case "changed", "digest", "manifest", "source", "warnings": try scanner.skip()
        default: throw Scanner.GivenUp()
        }
    }
    return .manifestRecorded(
        ManifestRecorded(
            digest: "", manifest: SummaryNeed.bundle(of: name), plan: try required(plan),
            source: ManifestSource(kind: .api), changed: [], warnings: []))
}

private func release(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> RolloutFact {
    var (release, revision, hash): (Identifier?, Int?, String?)
    var (images, trigger, plan): ([String: String]?, ReleaseStarted.Trigger?, ReleasePlan?)
    var (strategy, stable, decider): (String?, RevisionReference?, Int?)
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "deciderVersion": decider = try scanner.int()
        case "images": images = try scanner.texts()
        case "plan": plan = try readPlan(&scanner)
        case "podTemplateHash": hash = try scanner.string()
        case "release": release = Identifier(try scanner.string())
        case "revision": revision = try scanner.int()
        case "stable": stable = try reference(&scanner)
        case "strategy": strategy = try scanner.string()
        case "trigger": trigger = try scanner.word()
        default: throw Scanner.GivenUp()
        }
    }
    return .releaseStarted(
        ReleaseStarted(
            release: try required(release), revision: try required(revision), podTemplateHash: try required(hash),
            images: try required(images), trigger: try required(trigger), strategy: try required(strategy),
            plan: try required(plan), stable: stable, deciderVersion: try required(decider)))
}

private func reference(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> RevisionReference {
    var (revision, hash): (Int?, String?)
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "podTemplateHash": hash = try scanner.string()
        case "revision": revision = try scanner.int()
        default: throw Scanner.GivenUp()
        }
    }
    return RevisionReference(revision: try required(revision), podTemplateHash: try required(hash))
}

private func readPlan(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> ReleasePlan {
    var plan = ReleasePlan(replicas: 0, abortScaleDownDelaySeconds: nil)
    var replicas: Int?
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "abortScaleDownDelaySeconds": plan.abortScaleDownDelaySeconds = try scanner.int()
        case "background", "maxSurge", "maxUnavailable", "minReadySeconds", "progressDeadlineAbort",
            "progressDeadlineSeconds", "standingOrder":
            try scanner.skip()
        case "paused": plan.paused = try scanner.bool()
        case "replicas": replicas = try scanner.int()
        case "revisionHistoryLimit": plan.revisionHistoryLimit = try scanner.int()
        case "routing": plan.routing = try routing(&scanner)
        case "scaleDownDelaySeconds": plan.scaleDownDelaySeconds = try scanner.int()
        case "steps":
            try scanner.elements { scanner throws(Scanner.GivenUp) in plan.steps.append(try step(&scanner)) }
        default: throw Scanner.GivenUp()
        }
    }
    plan.replicas = try required(replicas)
    return plan
}

private func routing(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> RoutingPlan {
    var whole: Int?
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        if case "maxWeight" = key { whole = try scanner.int() } else { try scanner.skip() }
    }
    return RoutingPlan(
        canaryService: ServicePlan(name: ""), stableService: ServicePlan(name: ""), maxWeight: try required(whole),
        router: "", ingresses: [])
}

private func step(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> PlanStep {
    var step: PlanStep?
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "setWeight":
            try scanner.members { scanner, key throws(Scanner.GivenUp) in
                guard case "_0" = key else { throw Scanner.GivenUp() }
                step = .setWeight(try scanner.int())
            }
        case "pause":
            try scanner.skip()
            step = .pause(seconds: nil)
        case "analysis":
            try scanner.skip()
            step = .analysis(AnalysisPlan(templates: [], arguments: [], metrics: []))
        default: throw Scanner.GivenUp()
        }
    }
    return try required(step)
}

extension SummaryNeed {
    fileprivate static func index(_ scanner: inout PayloadScanner) throws(PayloadScanner.GivenUp) -> Int {
        var index: Int?
        try scanner.members { scanner, key throws(PayloadScanner.GivenUp) in
            switch key {
            case "index": index = try scanner.int()
            case "step", "because": try scanner.skip()
            default: throw PayloadScanner.GivenUp()
            }
        }
        return try required(index)
    }
}

private func weightDecided(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> RolloutFact {
    var (canary, stable, whole, generation): (Int?, Int?, Int?, Int?)
    var (canaryHash, stableHash): (String?, String?)
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "because": try scanner.skip()
        case "canary": canary = try scanner.int()
        case "canaryHash": canaryHash = try scanner.string()
        case "generation": generation = try scanner.int()
        case "max": whole = try scanner.int()
        case "stable": stable = try scanner.int()
        case "stableHash": stableHash = try scanner.string()
        default: throw Scanner.GivenUp()
        }
    }
    return .weightDecided(
        WeightDecided(
            canary: try required(canary), stable: try required(stable), max: try required(whole),
            canaryHash: try required(canaryHash), stableHash: try required(stableHash),
            generation: try required(generation), because: .step))
}

private func weightApplied(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> RolloutFact {
    var (canary, stable, whole, generation): (Int?, Int?, Int?, Int?)
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "observed", "router", "took": try scanner.skip()
        case "canary": canary = try scanner.int()
        case "generation": generation = try scanner.int()
        case "max": whole = try scanner.int()
        case "stable": stable = try scanner.int()
        default: throw Scanner.GivenUp()
        }
    }
    return .weightApplied(
        WeightApplied(
            canary: try required(canary), stable: try required(stable), max: try required(whole),
            generation: try required(generation), router: "", observed: "", took: ""))
}

private func scaleDecided(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> RolloutFact {
    var generation: Int?
    var sets: [ScaleDecided.SetSize] = []
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "generation": generation = try scanner.int()
        case "sets":
            try scanner.elements { scanner throws(Scanner.GivenUp) in
                var (hash, replicas): (String?, Int?)
                try scanner.members { scanner, key throws(Scanner.GivenUp) in
                    switch key {
                    case "podTemplateHash": hash = try scanner.string()
                    case "replicas": replicas = try scanner.int()
                    case "role": try scanner.skip()
                    default: throw Scanner.GivenUp()
                    }
                }
                sets.append(
                    ScaleDecided.SetSize(
                        podTemplateHash: try required(hash), role: .old, replicas: try required(replicas)))
            }
        default: throw Scanner.GivenUp()
        }
    }
    return .scaleDecided(ScaleDecided(generation: try required(generation), sets: sets))
}

private func scaleApplied(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> RolloutFact {
    var generation: Int?
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        guard case "generation" = key else { throw Scanner.GivenUp() }
        generation = try scanner.int()
    }
    return .scaleApplied(ScaleApplied(generation: try required(generation)))
}

private func pods(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> RolloutFact {
    var hash: String?
    var (desired, current, ready, available): (Int?, Int?, Int?, Int?)
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "available": available = try scanner.int()
        case "current": current = try scanner.int()
        case "desired": desired = try scanner.int()
        case "podTemplateHash": hash = try scanner.string()
        case "ready": ready = try scanner.int()
        case "role": try scanner.skip()
        default: throw Scanner.GivenUp()
        }
    }
    return .podsObserved(
        PodsObserved(
            podTemplateHash: try required(hash), role: .old, desired: try required(desired),
            current: try required(current), ready: try required(ready), available: try required(available)))
}

private func pause(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> PauseReason {
    var reason: PauseReason?
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "reason": reason = try scanner.word()
        case "because", "message", "until": try scanner.skip()
        default: throw Scanner.GivenUp()
        }
    }
    return try required(reason)
}

private func aborted(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> RolloutFact {
    var (by, message): (Aborted.By?, String?)
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "by": by = try scanner.word()
        case "message": message = try scanner.string()
        case "evidence", "reason": try scanner.skip()
        default: throw Scanner.GivenUp()
        }
    }
    return .aborted(Aborted(by: try required(by), reason: nil, evidence: [], message: try required(message)))
}

private func completed(_ scanner: inout Scanner) throws(Scanner.GivenUp) -> RolloutFact {
    var (hash, message): (String?, String?)
    try scanner.members { scanner, key throws(Scanner.GivenUp) in
        switch key {
        case "message": message = try scanner.string()
        case "podTemplateHash": hash = try scanner.string()
        case "took": try scanner.skip()
        default: throw Scanner.GivenUp()
        }
    }
    return .completed(Completed(podTemplateHash: try required(hash), took: "", message: try required(message)))
}
