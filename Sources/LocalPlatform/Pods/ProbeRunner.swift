import Dispatch
import FoundationEssentials
import Transfer

/// Asks a pod once whether it is ready.
struct ProbeRunner: Sendable {
    let client: TransferClient
    let probe: ReadinessProbe
    let pod: PodRecord
    let environment: [String: String]
    let directory: String
    let log: String

    /// - Returns: Whether the check passed within its timeout.
    func passes() async -> Bool {
        let timeout = Duration.seconds(probe.timeoutSeconds)
        switch probe.check {
        case .http(let path, let port, let headers):
            guard let port = pod.ownPort(of: port) else { return false }
            let request = TransferRequest(
                url: "http://127.0.0.1:\(port)\(path)", headers: headers.map { TransferHeader($0.name, $0.value) },
                timeout: timeout, connectTimeout: timeout, proxy: .none, keepAlive: false, userAgent: "rollbook-probe")
            do { return (200..<400).contains(try await client.send(request).status) } catch { return false }
        case .tcp(let port):
            guard let port = pod.ownPort(of: port) else { return false }
            return await withCheckedContinuation { continuation in
                DispatchQueue.global().async {
                    continuation.resume(returning: LoopbackPort.accepts(port, timeout: timeout))
                }
            }
        case .exec(let command):
            let launch = ProcessLaunch(
                command: command.map { expanded($0, with: environment) }, environment: environment,
                directory: directory, log: log)
            return await withTaskGroup(of: Bool.self) { group in
                group.addTask { do { return try await launch.run() == 0 } catch { return false } }
                group.addTask {
                    do { try await Task.sleep(for: timeout) } catch { return false }
                    return false
                }
                defer { group.cancelAll() }
                return await group.next() ?? false
            }
        }
    }
}
