import CLibcurl
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The thread that owns libcurl's multi handle and every easy handle; others only leave it notes and wake it.
final class TransferLoop: Sendable {
    private enum Note: Sendable {
        case start(TransferJob, TransferSink)
        case cancel(TransferJob)
        case resume(TransferJob)
    }

    private struct Desk {
        var notes: [Note] = []
        var isClosing = false
        /// Whether the multi handle may still be woken.
        var isAlive = true
        var closers: [CheckedContinuation<Void, Never>] = []
    }

    /// `@unchecked Sendable` because only the loop's thread uses the handle, apart from `curl_multi_wakeup`, which libcurl
    /// allows from any thread and which we call under the desk's lock while the handle lives.
    private struct Multi: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
    }

    private static let initialised: CURLcode = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    private let multi: Multi
    private let desk = Mutex(Desk())

    init(maximumConnectionsPerHost: Int, maximumIdleConnections: Int) {
        precondition(Self.initialised == CURLE_OK, "libcurl did not initialise: \(Self.initialised.rawValue)")
        guard let pointer = curl_multi_init() else { preconditionFailure("libcurl has no memory for a multi handle") }
        _ = rollbook_curl_multi_set_long(pointer, CURLMOPT_MAX_HOST_CONNECTIONS, max(0, maximumConnectionsPerHost))
        _ = rollbook_curl_multi_set_long(pointer, CURLMOPT_MAXCONNECTS, max(1, maximumIdleConnections))
        multi = Multi(pointer: pointer)
    }

    /// Starts the thread, which keeps the loop alive until it is closed.
    func start() {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let retained = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(
            &thread, &attributes,
            { context in
                guard let context else { preconditionFailure("a transfer thread started without its loop") }
                Unmanaged<TransferLoop>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, retained)
        precondition(code == 0, "no thread for transfers: pthread_create says \(code)")
    }

    // MARK: From any thread

    func submit(_ job: TransferJob, into sink: TransferSink) {
        if !leave(.start(job, sink)) {
            sink.fail(job.failure(.closed, "the client is closed", canRetry: false))
        }
    }

    func cancel(_ job: TransferJob) {
        job.markCancelled()
        leave(.cancel(job))
    }

    func resume(_ job: TransferJob) { leave(.resume(job)) }

    /// Asks the thread to end; `continuation` is resumed when it has.
    func close(then continuation: CheckedContinuation<Void, Never>?) {
        let isOver = desk.withLock { desk -> Bool in
            desk.isClosing = true
            guard desk.isAlive else { return true }
            if let continuation { desk.closers.append(continuation) }
            curl_multi_wakeup(multi.pointer)
            return false
        }
        if isOver { continuation?.resume() }
    }

    @discardableResult
    private func leave(_ note: Note) -> Bool {
        desk.withLock { desk in
            guard !desk.isClosing else { return false }
            desk.notes.append(note)
            // Only the first note needs to wake the thread: it takes all of them.
            if desk.notes.count == 1 { curl_multi_wakeup(multi.pointer) }
            return true
        }
    }

    // MARK: On the thread

    private func run() {
        // Signals belong to the program's other threads; a broken pipe under TLS must not end the process.
        var all = sigset_t()
        sigfillset(&all)
        for fault in [SIGILL, SIGTRAP, SIGFPE, SIGBUS, SIGSEGV, SIGSYS] { sigdelset(&all, fault) }
        pthread_sigmask(SIG_BLOCK, &all, nil)

        var running: [ObjectIdentifier: RunningTransfer] = [:]
        var byHandle: [UnsafeMutableRawPointer: ObjectIdentifier] = [:]

        func end(_ id: ObjectIdentifier, _ outcome: RunningTransfer.Outcome) {
            guard let transfer = running.removeValue(forKey: id) else { return }
            byHandle[transfer.easy] = nil
            curl_multi_remove_handle(multi.pointer, transfer.easy)
            transfer.finish(outcome)
        }

        while true {
            let (notes, isClosing) = desk.withLock { desk in
                defer { desk.notes = [] }
                return (desk.notes, desk.isClosing)
            }
            for note in notes {
                switch note {
                case .start(let job, let sink):
                    if job.isCancelled {
                        sink.fail(job.cancelledFailure)
                    } else if isClosing {
                        sink.fail(job.failure(.closed, "the client was closed", canRetry: false))
                    } else if let transfer = RunningTransfer(job: job, sink: sink) {
                        running[ObjectIdentifier(job)] = transfer
                        byHandle[transfer.easy] = ObjectIdentifier(job)
                        let code = curl_multi_add_handle(multi.pointer, transfer.easy)
                        if code != CURLM_OK {
                            let detail =
                                "libcurl did not take the transfer: \(String(cString: curl_multi_strerror(code)))"
                            end(ObjectIdentifier(job), .failed(.internalError, detail))
                        }
                    }
                case .cancel(let job):
                    end(ObjectIdentifier(job), .failed(.cancelled, TransferJob.cancelledDetail))
                case .resume(let job):
                    if let transfer = running[ObjectIdentifier(job)] { transfer.resume() }
                }
            }
            if isClosing {
                for id in Array(running.keys) { end(id, .failed(.closed, "the client was closed")) }
                break
            }

            var active: Int32 = 0
            let performed = curl_multi_perform(multi.pointer, &active)
            if performed != CURLM_OK {
                let detail = "libcurl cannot go on: \(String(cString: curl_multi_strerror(performed)))"
                for id in Array(running.keys) { end(id, .failed(.internalError, detail)) }
            }
            var outcome = CURLE_OK
            while let easy = rollbook_curl_multi_next_done(multi.pointer, &outcome) {
                if let id = byHandle[easy] { end(id, .done(outcome)) }
            }

            var wait: Duration = .seconds(60)
            let now = ContinuousClock.now
            for (id, transfer) in running {
                guard let left = transfer.silenceLeft(at: now) else { continue }
                if left <= .zero {
                    end(id, .failed(.timeout, "the server was silent for \(transfer.idleLimit)"))
                } else {
                    wait = min(wait, left)
                }
            }
            // libcurl itself shortens the wait to its own next timer.
            curl_multi_poll(multi.pointer, nil, 0, Int32(clamping: wait.wholeMilliseconds), nil)
        }

        let (left, closers) = desk.withLock { desk -> ([Note], [CheckedContinuation<Void, Never>]) in
            desk.isAlive = false
            defer {
                desk.notes = []
                desk.closers = []
            }
            return (desk.notes, desk.closers)
        }
        precondition(left.isEmpty, "\(left.count) notes were left after closing")
        curl_multi_cleanup(multi.pointer)
        for closer in closers { closer.resume() }
    }
}

extension Duration {
    /// Rounded up, at least 1, as libcurl takes 0 for "no limit".
    var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        guard seconds < 2_000_000 else { return 2_000_000_000 }
        let milliseconds = Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
        return max(1, milliseconds)
    }
}
