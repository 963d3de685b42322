/// Text with signatures below it.
///
/// - Source: C2SP signed-note.
public struct SignedNote: Sendable, Hashable {
    /// A signature line.
    public struct Signature: Sendable, Hashable {
        /// The key's name.
        public let name: String
        /// The key's id.
        public let keyID: UInt32
        /// What the key made of the text.
        public let bytes: [UInt8]

        /// Makes a signature line.
        public init(name: String, keyID: UInt32, bytes: [UInt8]) {
            self.name = name
            self.keyID = keyID
            self.bytes = bytes
        }
    }

    /// Why a note cannot be read, or not be trusted.
    public enum Problem: Error, Sendable, Equatable, CustomStringConvertible {
        /// The form is not that of a note.
        case malformed(String)
        /// None of the signatures is by a known key.
        case unknownKeys([String])
        /// A known key did not sign this text.
        case badSignature(VerifierKey)

        /// A sentence for people.
        public var description: String {
            switch self {
            case .malformed(let reason): "not a signed note: \(reason)"
            case .unknownKeys(let names):
                "signed by none of the keys that are trusted, but by \(names.joined(separator: ", "))"
            case .badSignature(let key): "the signature of \(key) does not fit the text"
            }
        }
    }

    /// At most so many signatures are read.
    public static let mostSignatures = 64
    /// At most so many bytes are read.
    public static let mostBytes = 1 << 20

    /// What was signed, with its last newline.
    public let text: String
    /// At least one.
    public let signatures: [Signature]

    /// Joins text and signatures; the text must end in a newline and hold no other control characters.
    ///
    /// - Throws: ``Problem/malformed(_:)``.
    public init(text: String, signatures: [Signature]) throws(Problem) {
        guard text.hasSuffix("\n") else { throw .malformed("the text does not end with a newline") }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\n" }) else {
            throw .malformed("the text has a control character")
        }
        guard (1...Self.mostSignatures).contains(signatures.count) else {
            throw .malformed("it has \(signatures.count) signatures")
        }
        for signature in signatures where !NoteKeyName.isValid(signature.name) {
            throw .malformed("\"\(signature.name)\" is no name of a key")
        }
        self.text = text
        self.signatures = signatures
    }

    /// Reads a note; its signatures are not looked at.
    ///
    /// - Throws: ``Problem/malformed(_:)``.
    public init(_ note: String) throws(Problem) {
        // Of bytes, not characters: a CR before a newline would make one character of two.
        let bytes = Array(note.utf8)
        guard bytes.count <= Self.mostBytes else { throw .malformed("it has more than \(Self.mostBytes) bytes") }
        guard bytes.last == 0x0A else { throw .malformed("it does not end with a newline") }
        guard !bytes.contains(where: { $0 < 0x20 && $0 != 0x0A }) else {
            throw .malformed("it has a control character")
        }
        guard bytes.count >= 2,
            let blank = (1..<bytes.count).last(where: { bytes[$0] == 0x0A && bytes[$0 - 1] == 0x0A })
        else { throw .malformed("no empty line stands between the text and its signatures") }
        let lines = String(decoding: bytes[(blank + 1)...], as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        var signatures: [Signature] = []
        for line in lines.dropLast() {
            let parts = line.split(separator: " ", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "\u{2014}", let decoded = Base64.bytes(parts[2]), decoded.count > 4
            else {
                throw .malformed("\"\(line)\" is no signature line")
            }
            let id = decoded.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
            signatures.append(Signature(name: String(parts[1]), keyID: id, bytes: Array(decoded.dropFirst(4))))
        }
        try self.init(text: String(decoding: bytes[..<blank], as: UTF8.self), signatures: signatures)
    }

    /// Signs `text` with one key.
    ///
    /// - Throws: ``Problem/malformed(_:)``.
    public init(text: String, signedWith key: SigningKey) throws(Problem) {
        let bytes = key.signature(over: Array(text.utf8))
        try self.init(
            text: text, signatures: [Signature(name: key.verifier.name, keyID: key.verifier.id, bytes: bytes)])
    }

    /// Which of `keys` have signed it; never empty.
    ///
    /// Signatures of other keys are passed over.
    /// - Throws: ``Problem``: a signature in a known key's name that is not valid, or none by a known key.
    @discardableResult
    public func verified(by keys: [VerifierKey]) throws(Problem) -> [VerifierKey] {
        let message = Array(text.utf8)
        var signers: [VerifierKey] = []
        for signature in signatures {
            guard let key = keys.first(where: { $0.name == signature.name && $0.id == signature.keyID }) else {
                continue
            }
            guard key.isValid(signature.bytes, over: message) else { throw .badSignature(key) }
            signers.append(key)
        }
        guard !signers.isEmpty else {
            throw .unknownKeys(signatures.map { "\($0.name)+\(NoteKeyName.hexadecimal($0.keyID))" })
        }
        return signers
    }

    /// The whole note.
    public var description: String {
        text + "\n"
            + signatures.map { signature in
                let id = (0..<4).map { UInt8(truncatingIfNeeded: signature.keyID >> UInt32(24 - 8 * $0)) }
                return "\u{2014} \(signature.name) \(Base64.text(id + signature.bytes))\n"
            }.joined()
    }
}

extension SignedNote: CustomStringConvertible {}
