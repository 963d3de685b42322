import Glibc
import Logging

extension NginxServer {
    /// The master that the pid file names, if it is ours: its command line names our configuration.
    func running() -> ProcessIdentity? {
        do {
            guard let text = try DurableFile(path: layout.pidFile).read() else { return nil }
            let digits = String(decoding: text, as: UTF8.self).filter(\.isNumber)
            guard let pid = Int32(digits), let found = ProcessIdentity(of: pid) else { return nil }
            let title = ProcessTable.arguments(of: pid).joined(separator: " ")
            return title.contains("nginx: master") && title.contains(layout.file) ? found : nil
        } catch {
            logger.error("cannot read the pid file of nginx", metadata: ["error": "\(error)"])
            return nil
        }
    }

    func settled() async -> ProcessIdentity? {
        let deadline = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < deadline {
            if let found = running() { return found }
            await pause(.milliseconds(5))
        }
        return nil
    }

    /// Its workers, also those whose master is gone: nginx processes that work in our directory.
    func workers() -> [ProcessIdentity] {
        ProcessTable.all().compactMap { pid in
            guard ProcessTable.arguments(of: pid).joined().hasPrefix("nginx: worker"),
                ProcessTable.directory(of: pid) == layout.root
            else { return nil }
            return ProcessIdentity(of: pid)
        }
    }

    /// Who keeps nginx from its port; `nil` if nobody does, or if an earlier run's nginx of ours listens there.
    public func otherListener() -> String? {
        LoopbackPort.holder(of: port, besides: (running().map { [$0] } ?? []) + workers())
    }

    func gone(_ processes: [ProcessIdentity], within patience: Duration) async -> Bool {
        let deadline = ContinuousClock.now + patience
        while processes.contains(where: \.isAlive) {
            if ContinuousClock.now >= deadline { return false }
            await pause(.milliseconds(10))
        }
        return true
    }

    /// Waits also when the task was cancelled: the caller has a deadline of its own.
    func pause(_ duration: Duration) async {
        await Wait.pause(duration)
    }
}
