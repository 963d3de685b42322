import Delivery
import Glibc
import Logging

extension NginxServer {
    func launch() async throws(PlatformFailure) {
        isStopped = false
        // Workers whose master was killed still hold the sockets.
        let orphans = workers()
        for orphan in orphans { orphan.send(SIGQUIT) }
        if !orphans.isEmpty, await !gone(orphans, within: .seconds(2)) {
            for orphan in orphans { orphan.send(SIGKILL) }
            _ = await gone(orphans, within: .seconds(5))
        }
        if let holder = otherListener() {
            throw PlatformFailure(.unavailable, "nginx did not start: port \(port) is taken by \(holder)")
        }
        unlink(layout.controlSocket)
        try rotateLogs(of: nil)
        try await writeChecked()
        let code = try await run([])
        guard code == 0, let found = await settled() else {
            throw PlatformFailure(.unavailable, "nginx did not start: \(lastOutput())")
        }
        master = found
        logger.info("started nginx", metadata: ["process.pid": "\(found.pid)", "server.port": "\(port)"])
        _ = try await answering()
    }

    func reload() async throws(PlatformFailure) {
        guard let process = running() else { return try await launch() }
        let old = workers()
        try await writeChecked()
        process.send(SIGHUP)
        // An old worker accepts until its title says that it is shutting down.
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            let accepting = old.filter {
                $0.isAlive && !ProcessTable.arguments(of: $0.pid).joined().contains("shutting")
            }
            if accepting.isEmpty { return try await answering() }
            await pause(.milliseconds(5))
        }
        throw PlatformFailure(.unavailable, "nginx did not take up its new configuration; see \(layout.errorLog)")
    }

    /// Returns once a worker answers with this configuration.
    func answering() async throws(PlatformFailure) {
        let deadline = ContinuousClock.now + .seconds(10)
        while true {
            do {
                if try await control.configuration() == configuration.identity { return }
            } catch  where ContinuousClock.now >= deadline {
                throw error
            } catch {
                logger.trace("nginx does not answer yet", metadata: ["error": "\(error)"])
            }
            if ContinuousClock.now >= deadline {
                throw PlatformFailure(.unavailable, "nginx answers with an older configuration; see \(layout.errorLog)")
            }
            await pause(.milliseconds(5))
        }
    }

    /// Writes the configuration beside, lets nginx check it, and puts it in place.
    func writeChecked() async throws(PlatformFailure) {
        do {
            try DurableFile(path: layout.candidate).replace(with: configuration.text.utf8, mode: 0o644)
            guard try await run(["-t", "-q"], file: layout.candidate) == 0 else {
                throw PlatformFailure(.rejected, "nginx refuses its configuration: \(lastOutput())")
            }
            try DurableFile(path: layout.file).replace(with: configuration.text.utf8, mode: 0o644)
        } catch let failure as PlatformFailure {
            throw failure
        } catch {
            throw PlatformFailure(.unavailable, "nginx: \(error)")
        }
    }

    /// Runs nginx with `arguments` until it returns, and gives its exit code.
    func run(_ arguments: [String], file: String? = nil) async throws(PlatformFailure) -> Int32 {
        do {
            unlink(layout.outputLog)
            let launch = ProcessLaunch(
                command: [program, "-p", layout.root, "-c", file ?? layout.file, "-e", layout.outputLog] + arguments,
                environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], directory: layout.root,
                log: layout.outputLog)
            return try await launch.run()
        } catch {
            throw PlatformFailure(.unavailable, "\(error)")
        }
    }

    func lastOutput() -> String {
        do {
            let text = String(decoding: try DurableFile(path: layout.outputLog).read() ?? [], as: UTF8.self)
            return text.split(separator: "\n").suffix(3).joined(separator: "; ")
        } catch { return "\(error)" }
    }
}
