import Analysis
import Delivery
import EventSourcing
import Logging

/// Telling the log what came of an intent, with a limit to how long it is waited for.
extension RolloutControl {
    private typealias Failure = CommandHandler<RolloutDecider>.Failure

    /// How long the ledger is waited for before memory goes on alone: a silent one must not hold up an abort.
    private static let patience = Duration.seconds(5)

    /// Turns an outcome into a command; if the ledger cannot take it, memory goes on alone.
    ///
    /// What comes of a rollout that is another instance's by now is dropped: that one finds out for itself.
    func submit(_ order: RolloutOrder, at: Instant, for name: RolloutName) async {
        guard let tenure = tenures[shard(of: name)], name.cluster == cluster else { return }
        let command = RolloutCommand(at: at, order)
        let context = CommandContext(id: ports.mint(), at: at, actor: actor, fence: tenure.fence)
        if rollouts[name]?.outage != nil {
            hold(command, context, for: name)
            return
        }
        let asked = ports.clock.now()
        do {
            let wasEnded = rollouts[name]?.state.rollout?.release?.hasEnded
            let handled = try await handle(command, context, name)
            // All may have been forgotten meanwhile, and is folded from the log.
            guard tenures[shard(of: name)]?.serial == tenure.serial else { return }
            adopt(name, version: handled.stateVersion, state: handled.state)
            reconcile(name)
            if wasEnded == false { tellOfAbort(name, since: at) }
        } catch {
            if Self.isOutage(error) {
                beginOutage(of: name, since: asked, because: error)
                hold(command, context, for: name)
            } else if case .store(.fenced) = error {
                yieldToSuccessor(name, of: tenure, because: error)
            } else if error.concernsOneStream {
                await giveUp(name, because: error)
            } else {
                logger.error("report not taken", metadata: ["rollout": "\(name)", "error": "\(error)"])
                guard let instead = order.keepable(because: error) else { return }
                await submit(instead, at: at, for: name)
            }
        }
    }

    /// Says that a release was aborted, and how long it took from the deciding answer to its commit.
    private func tellOfAbort(_ name: RolloutName, since arrival: Instant) {
        guard let release = rollouts[name]?.state.rollout?.release, case .aborted(_, let aborted) = release.course
        else {
            return
        }
        let took = Double(ports.clock.now().since(arrival).wholeMicroseconds) / 1000
        logger.notice(
            "release aborted",
            metadata: [
                "rollout": "\(name)", "release.id": "\(release.id)", "aborted.by": "\(aborted.by.rawValue)",
                "decision.ms": "\(took)",
            ])
    }

    /// Tells the log something that happened while it could not be reached.
    ///
    /// What it will never take is told of and dropped, so that it holds up nothing else.
    func tell(_ command: RolloutCommand, _ context: CommandContext, _ name: RolloutName) async throws {
        let tenure = tenures[shard(of: name)]
        do {
            let handled = try await handle(command, context, name)
            guard tenures[shard(of: name)]?.serial == tenure?.serial else { return }
            adopt(name, version: handled.stateVersion, state: handled.state)
        } catch {
            if Self.isOutage(error) { throw error }
            if case .store(.fenced) = error, let tenure {
                yieldToSuccessor(name, of: tenure, because: error)
                throw error
            }
            logger.error("report not taken", metadata: ["rollout": "\(name)", "error": "\(error)"])
        }
    }

    /// The present state of a rollout's stream.
    func load(_ name: RolloutName) async throws -> (version: StreamVersion, state: RolloutState) {
        let handler = ports.handler
        return try await patiently { () async -> Result<(version: StreamVersion, state: RolloutState), Failure> in
            do throws(Failure) { return .success(try await handler.load(name.stream)) } catch { return .failure(error) }
        }
    }

    /// Returns if the ledger answers.
    func askHead() async throws {
        let store = ports.store
        _ = try await patiently { () async -> Result<GlobalPosition, Failure> in
            do throws(EventStoreFailure) {
                return .success(try await store.head())
            } catch { return .failure(.store(error)) }
        }
    }

    /// When the log last took something of a rollout; `nil` if it cannot say so now.
    func lastHeardOf(_ name: RolloutName) async -> Instant? {
        guard let version = rollouts[name]?.version, version > .none else { return nil }
        let store = ports.store
        do {
            return try await patiently { () async -> Result<Instant?, Failure> in
                do throws(EventStoreFailure) {
                    let last = try await store.read(
                        name.stream, after: StreamVersion(version.value - 1), through: nil, backwards: false, limit: 1)
                    return .success(try last.whole().first?.recordedAt)
                } catch { return .failure(.store(error)) }
            }
        } catch {
            // What is told next meets the same failure, and deals with it.
            logger.debug("last event not read", metadata: ["rollout": "\(name)", "error": "\(error)"])
            return nil
        }
    }

    private func handle(
        _ command: RolloutCommand, _ context: CommandContext, _ name: RolloutName
    ) async throws(Failure) -> Handled<RolloutState> {
        let handler = ports.handler
        return try await patiently { () async -> Result<Handled<RolloutState>, Failure> in
            do throws(Failure) {
                return .success(try await handler.handle(command, on: name.stream, context: context))
            } catch { return .failure(error) }
        }
    }

    private func patiently<Value: Sendable>(
        _ work: @escaping @Sendable () async -> Result<Value, Failure>
    ) async throws(Failure) -> Value {
        let clock = ports.clock
        guard let result = await answer(by: clock.now() + Self.patience, of: clock, work) else {
            throw .store(.outcomeUnknown("no answer within \(Self.patience)"))
        }
        return try result.get()
    }

    /// Whether the ledger may take it another time.
    private static func isOutage(_ failure: Failure) -> Bool {
        switch failure {
        case .store(.unavailable), .store(.outcomeUnknown), .contended: true
        case .refused, .unreadable, .store: false
        }
    }
}

extension RolloutOrder {
    /// What is told in place of a measurement that the ledger cannot keep, such as one of millions of samples; `nil` for
    /// all else.
    fileprivate func keepable(because error: CommandHandler<RolloutDecider>.Failure) -> RolloutOrder? {
        guard case .store(.rejected(let words)) = error, case .reportMeasurement(var report) = self,
            case .value(_) = report.outcome
        else { return nil }
        report.outcome = .error("the ledger cannot keep the answer: \(words)")
        return .reportMeasurement(report)
    }
}
