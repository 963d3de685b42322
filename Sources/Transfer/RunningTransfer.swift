import CLibcurl

/// One easy handle with everything libcurl reads from and writes to.
///
/// Lives and dies on the loop's thread.
final class RunningTransfer {
    /// How a transfer came to its end.
    enum Outcome {
        /// libcurl finished with this code.
        case done(CURLcode)
        /// We ended it.
        case failed(TransferFailure.Code, String)
    }

    /// The most bytes of header lines accepted.
    private static let maximumHeaderBytes = 256 << 10

    let job: TransferJob
    let easy: UnsafeMutableRawPointer
    private let sink: TransferSink
    private let errorText: UnsafeMutablePointer<CChar>
    private var lists: [UnsafeMutablePointer<curl_slist>] = []

    private var head: HeadReader
    private var headIsDelivered = false
    private var body: [UInt8] = []
    private var refusal: (code: TransferFailure.Code, detail: String)?
    private let started = ContinuousClock.now
    private var lastSign = ContinuousClock.now

    /// Prepares the transfer; if that is impossible tells `sink` and returns nil.
    init?(job: TransferJob, sink: TransferSink) {
        guard let easy = curl_easy_init() else {
            sink.fail(job.failure(.internalError, "libcurl has no memory for a transfer", canRetry: true))
            return nil
        }
        self.job = job
        self.sink = sink
        self.easy = easy
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        head = HeadReader(followsRedirects: EasyOptions.follows(job.request))
        do {
            lists = try EasyOptions.apply(job.request, to: easy)
        } catch {
            sink.fail(
                job.failure(
                    error.code == CURLE_OUT_OF_MEMORY ? .internalError : .badRequest,
                    "libcurl refuses \(error.field): \(String(cString: curl_easy_strerror(error.code)))",
                    curlCode: error.code.rawValue, canRetry: false))
            return nil
        }
        _ = rollbook_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
        let context = Unmanaged.passUnretained(self).toOpaque()
        _ = rollbook_curl_set_pointer(easy, CURLOPT_HEADERDATA, context)
        _ = rollbook_curl_set_pointer(easy, CURLOPT_WRITEDATA, context)
        _ = rollbook_curl_set_callback(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            return Unmanaged<RunningTransfer>.fromOpaque(context).takeUnretainedValue()
                .takeHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        _ = rollbook_curl_set_callback(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            return Unmanaged<RunningTransfer>.fromOpaque(context).takeUnretainedValue()
                .takeBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
    }

    deinit {
        curl_easy_cleanup(easy)
        for list in lists { curl_slist_free_all(list) }
        errorText.deallocate()
    }

    // MARK: From libcurl

    private func takeHeader(_ line: UnsafeRawBufferPointer) -> Int {
        lastSign = .now
        head.take(line)
        if head.byteCount > Self.maximumHeaderBytes {
            refusal = (.tooLarge, "the headers exceed \(Self.maximumHeaderBytes) bytes")
            return 0
        }
        if head.isFinal { deliverHead() }
        return line.count
    }

    private func takeBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        lastSign = .now
        switch sink {
        case .whole:
            let limit = job.request.maximumResponseBytes
            guard bytes.count <= limit - body.count else {
                refusal = (.tooLarge, "the content exceeds maximumResponseBytes, \(limit)")
                return 0
            }
            body.append(contentsOf: bytes)
            return bytes.count
        case .stream(let channel):
            deliverHead()
            return channel.offer(bytes) ? bytes.count : Int(CURL_WRITEFUNC_PAUSE)
        }
    }

    private func deliverHead() {
        guard !headIsDelivered, case .stream(let channel) = sink else { return }
        headIsDelivered = true
        channel.deliver(head: head.head)
    }

    // MARK: From the loop

    func resume() {
        lastSign = .now
        curl_easy_pause(easy, Int32(CURLPAUSE_CONT))
    }

    /// The limit that `silenceLeft` counts down.
    var idleLimit: Duration { job.request.idleTimeout ?? .zero }

    /// How much longer the server may be silent; nil if for ever, or while it is us who hold it back.
    func silenceLeft(at now: ContinuousClock.Instant) -> Duration? {
        guard let limit = job.request.idleTimeout else { return nil }
        if case .stream(let channel) = sink, channel.isPaused { return nil }
        return limit - lastSign.duration(to: now)
    }

    /// Tells whoever waits.
    ///
    /// Call once, after the handle has left the multi handle.
    func finish(_ outcome: Outcome) {
        switch outcome {
        case .failed(let code, let detail):
            sink.fail(job.failure(code, detail, canRetry: code == .timeout || code == .internalError))
        case .done(CURLE_OK):
            succeed()
        case .done(let code):
            if let refusal {
                sink.fail(job.failure(refusal.code, refusal.detail, curlCode: code.rawValue, canRetry: false))
                return
            }
            let (kind, canRetry) = FailureKinds.kind(of: code)
            let told = String(cString: errorText)
            let detail = told.isEmpty ? String(cString: curl_easy_strerror(code)) : told
            sink.fail(job.failure(kind, detail, curlCode: code.rawValue, canRetry: canRetry))
        }
    }

    private func succeed() {
        guard head.head.status >= 200 else {
            sink.fail(job.failure(.protocolError, "the server sent no final status", canRetry: true))
            return
        }
        switch sink {
        case .whole(let continuation):
            let duration = started.duration(to: .now)
            continuation.resume(
                returning: .success(TransferResponse(head: head.head, body: body, duration: duration)))
        case .stream(let channel):
            deliverHead()
            channel.finish(.success(()))
        }
    }
}
