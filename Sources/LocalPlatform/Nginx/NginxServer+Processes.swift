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
    ///
    /// One that has just begun still bears its master's title.
    func workers() -> [ProcessIdentity] {
        let master = running()?.pid
        return ProcessTable.all().compactMap { pid in
            guard pid != master, ProcessTable.arguments(of: pid).joined().hasPrefix("nginx: "),
                ProcessTable.directory(of: pid) == layout.root
            else { return nil }
            return ProcessIdentity(of: pid)
        }
    }

    /// Who keeps nginx from its port; `nil` if nobody does, or if an earlier run's nginx of ours listens there.
    public func otherListener() -> String? {
        var holder: String?
        // A worker that begins between both lists is found to be ours by a second look.
        for _ in 0..<2 {
            let own = (running().map { [$0] } ?? []) + workers()
            guard let other = LoopbackPort.holder(of: port, besides: own) else { return nil }
            holder = other
        }
        return holder
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
