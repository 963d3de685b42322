import Logging
import Synchronization

/// A logger whose messages can be looked at.
final class HeardMessages: Sendable {
    private let kept = Mutex<[String]>([])

    var messages: [String] { kept.withLock { $0 } }
    var logger: Logger { Logger(label: "test") { _ in Handler(heard: self) } }

    private struct Handler: LogHandler {
        let heard: HeardMessages
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.error

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            heard.kept.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
        }
    }
}
