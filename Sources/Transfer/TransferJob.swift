import Synchronization

/// One transfer as both sides know it: the request and whether it is still wanted.
final class TransferJob: Sendable {
    let request: TransferRequest
    private let cancelled = Atomic<Bool>(false)

    init(request: TransferRequest) { self.request = request }

    var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    func markCancelled() { cancelled.store(true, ordering: .releasing) }

    func failure(
        _ code: TransferFailure.Code, _ detail: String, curlCode: UInt32? = nil, canRetry: Bool
    ) -> TransferFailure {
        TransferFailure(
            code: code,
            method: request.method,
            url: Redaction.url(request.url, hidingPath: request.hidesPath),
            curlCode: curlCode,
            detail: Redaction.detail(detail, of: request),
            canRetry: canRetry)
    }
}

/// Where an answer goes.
enum TransferSink: Sendable {
    case whole(CheckedContinuation<Result<TransferResponse, TransferFailure>, Never>)
    case stream(BodyChannel)

    func fail(_ failure: TransferFailure) {
        switch self {
        case .whole(let continuation): continuation.resume(returning: .failure(failure))
        case .stream(let channel): channel.finish(.failure(failure))
        }
    }
}

extension TransferJob {
    static var cancelledDetail: String { "the request was given up" }

    var cancelledFailure: TransferFailure { failure(.cancelled, Self.cancelledDetail, canRetry: false) }
}
