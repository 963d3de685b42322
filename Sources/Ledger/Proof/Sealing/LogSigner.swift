internal import Foundation
public import Transparency

/// What signs for a log: a key in a file, or a program that keeps it elsewhere.
public protocol LogSigner: Sendable {
    /// The public key, with the log's name.
    var verifier: VerifierKey { get }

    /// The signature over `text`, 64 bytes.
    func sign(_ text: String) async throws -> [UInt8]
}

extension SigningKey: LogSigner {
    /// Signs at once.
    public func sign(_ text: String) async throws -> [UInt8] { signature(over: Array(text.utf8)) }
}

extension LogSigner {
    /// Signs, and looks whether the signature is this key's: a wrong one must not be published.
    func signed(_ text: String) async throws -> SignedNote {
        let bytes = try await sign(text)
        guard verifier.isValid(bytes, over: Array(text.utf8)) else {
            throw SigningFailure("the signature that was made is not one of \(verifier); is it the right key?")
        }
        return try SignedNote(
            text: text, signatures: [SignedNote.Signature(name: verifier.name, keyID: verifier.id, bytes: bytes)])
    }
}

/// Why nothing was signed.
public struct SigningFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// What went wrong, and what to do.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Signs by a command: it is given the text on standard input, and writes the 64 bytes of the signature as base64.
public struct CommandSigner: LogSigner {
    /// The public key that goes with it.
    public let verifier: VerifierKey
    private let command: String
    private let patience: Duration

    /// Runs `command` with `/bin/sh -c` for each signature, for at most `patience`.
    public init(_ command: String, verifier: VerifierKey, patience: Duration = .seconds(10)) {
        self.command = command
        self.verifier = verifier
        self.patience = patience
    }

    /// Runs the command.
    ///
    /// - Throws: ``SigningFailure`` with what it said on standard error.
    public func sign(_ text: String) async throws -> [UInt8] {
        // Files, not pipes: a command that does not read, or says much, then stops nobody.
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("rollbook-sign-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        defer { unlinkAll(folder) }
        let (input, output, errors) = (
            folder.appendingPathComponent("in"), folder.appendingPathComponent("out"),
            folder.appendingPathComponent("err")
        )
        for (file, content) in [(input, Data(text.utf8)), (output, Data()), (errors, Data())] {
            try content.write(to: file)
        }
        let status = try await run(
            input: try FileHandle(forReadingFrom: input), output: try FileHandle(forWritingTo: output),
            errors: try FileHandle(forWritingTo: errors))
        let said = String(decoding: try Data(contentsOf: output), as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        guard status == 0, let signature = Data(base64Encoded: said), signature.count == 64 else {
            let complaint = String(decoding: try Data(contentsOf: errors).prefix(500), as: UTF8.self)
            throw SigningFailure(
                "the signing command ended with status \(status)"
                    + (status == 0 ? " and wrote no 64 bytes in base64" : "") + ": \(complaint)")
        }
        return Array(signature)
    }

    private func run(input: FileHandle, output: FileHandle, errors: FileHandle) async throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        let ended = AsyncStream<Int32>.makeStream()
        process.terminationHandler = { process in
            ended.continuation.yield(process.terminationStatus)
            ended.continuation.finish()
        }
        try process.run()
        return try await withThrowingTaskGroup(of: Int32?.self) { group in
            group.addTask { await ended.stream.first { _ in true } }
            group.addTask { [patience] in
                try await Task.sleep(for: patience)
                return nil
            }
            defer { group.cancelAll() }
            guard let status = try await group.next() ?? nil else {
                process.terminate()
                throw SigningFailure("the signing command did not end within \(patience), or the wait was cancelled")
            }
            return status
        }
    }

    private func unlinkAll(_ folder: URL) {
        do {
            try FileManager.default.removeItem(at: folder)
        } catch {
            return  // A text that will be published, and its signature: nothing that must not stay.
        }
    }
}
