public import Crypto
internal import Foundation

/// A private Ed25519 key with the name of the log that it signs for.
///
/// Written `PRIVATE+KEY+name+id+seed`, as Go's `sumdb/note` does. Prints without the secret.
public struct SigningKey: Sendable, CustomStringConvertible {
    /// The public half.
    public let verifier: VerifierKey
    private let key: Curve25519.Signing.PrivateKey

    /// Makes a key from the system's randomness; `nil` if the name is not allowed.
    public init?(generatedFor name: String) { self.init(name: name, key: Curve25519.Signing.PrivateKey()) }

    /// Names a key; `nil` if the name is not allowed.
    public init?(name: String, key: Curve25519.Signing.PrivateKey) {
        guard let verifier = VerifierKey(name: name, publicKey: Array(key.publicKey.rawRepresentation)) else {
            return nil
        }
        self.verifier = verifier
        self.key = key
    }

    /// Reads what ``secretText`` gives; `nil` for anything else.
    public init?(secretText text: String) {
        // Why a text is no key is of no use to its owner beyond that it is none, and might tell of the secret.
        let parts = text.split(separator: "+", maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0] == "PRIVATE", parts[1] == "KEY",
            let bytes = Base64.bytes(parts[4]), bytes.first == VerifierKey.ed25519,
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes.dropFirst())
        else { return nil }
        self.init(name: String(parts[2]), key: key)
        guard NoteKeyName.hexadecimal(verifier.id) == parts[3] else { return nil }
    }

    /// The key as text, for a file that nobody else can read.
    public var secretText: String {
        let seed = Base64.text([VerifierKey.ed25519] + Array(key.rawRepresentation))
        return "PRIVATE+KEY+\(verifier.name)+\(NoteKeyName.hexadecimal(verifier.id))+\(seed)"
    }

    /// The name and id, not the secret.
    public var description: String { "<private key of \(verifier)>" }

    /// Signs `message`: 64 bytes.
    public func signature(over message: [UInt8]) -> [UInt8] {
        do {
            return Array(try key.signature(for: message))
        } catch {
            preconditionFailure("Ed25519 does not sign: \(error)")
        }
    }
}
