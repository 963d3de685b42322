internal import Crypto
internal import Foundation

/// A public Ed25519 key with the name of the log that signs with it; written `name+id+key`.
///
/// - Source: C2SP signed-note, "Verifier keys".
public struct VerifierKey: Sendable, Hashable, CustomStringConvertible {
    static let ed25519: UInt8 = 0x01

    /// The log's name; neither white space nor plus.
    public let name: String
    /// The 32 bytes of the public key (RFC 8032).
    public let publicKey: [UInt8]
    /// What stands in front of this key's signatures.
    public let id: UInt32

    /// Names a key; `nil` if the name is not allowed or the bytes are no key.
    public init?(name: String, publicKey: [UInt8]) {
        // The only reason that there can be is that these are not the bytes of a key.
        guard NoteKeyName.isValid(name), (try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey)) != nil else {
            return nil
        }
        self.name = name
        self.publicKey = publicKey
        id = NoteKeyName.keyID(name: name, type: Self.ed25519, publicKey: publicKey)
    }

    /// Reads `name+id+key`; `nil` if `text` is none, of another kind than Ed25519, or its id is not that of its key.
    public init?(_ text: String) {
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = Base64.bytes(parts[2]), bytes.first == Self.ed25519 else { return nil }
        self.init(name: String(parts[0]), publicKey: Array(bytes.dropFirst()))
        guard NoteKeyName.hexadecimal(id) == parts[1] else { return nil }
    }

    /// The form `name+id+key`.
    public var description: String {
        "\(name)+\(NoteKeyName.hexadecimal(id))+\(Base64.text([Self.ed25519] + publicKey))"
    }

    /// Whether `signature` is this key's over `message`.
    public func isValid(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        // Never fails: `init` has tried it.
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
        return key.isValidSignature(signature, for: message)
    }
}
