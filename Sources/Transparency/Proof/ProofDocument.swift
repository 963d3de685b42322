internal import Foundation

/// A proof as a file: JSON that can be checked with nothing but the log's public key.
///
/// Its fields are described in `FORMAT.md`. Hashes are standard base64, ids lower-case UUIDs, instants microseconds since
/// 1970-01-01T00:00:00Z.
public enum ProofDocument: Sendable, Equatable {
    /// An event stands in the log.
    case inclusion(InclusionDocument)
    /// One tree head extends another.
    case consistency(ConsistencyDocument)

    /// Why a file is no proof, or proves nothing.
    public enum Problem: Error, Sendable, Equatable, CustomStringConvertible {
        /// It cannot be read.
        case malformed(String)
        /// It can be read, and what it claims does not follow from it.
        case invalid(String)

        /// A sentence for people.
        public var description: String {
            switch self {
            case .malformed(let reason): "this is no proof: \(reason)"
            case .invalid(let reason): "the proof does not hold: \(reason)"
            }
        }
    }

    /// Reads a file.
    ///
    /// - Throws: ``Problem/malformed(_:)``.
    public init(json: [UInt8]) throws(Problem) {
        struct Kind: Decodable { var format: String }
        do {
            let data = Data(json)
            let decoder = JSONDecoder()
            switch try decoder.decode(Kind.self, from: data).format {
            case InclusionDocument.format: self = .inclusion(try decoder.decode(InclusionDocument.self, from: data))
            case ConsistencyDocument.format:
                self = .consistency(try decoder.decode(ConsistencyDocument.self, from: data))
            case let other: throw Problem.malformed("its format is \"\(other)\"")
            }
        } catch let problem as Problem {
            throw problem
        } catch DecodingError.keyNotFound(let key, _) {
            throw .malformed("the field \"\(key.stringValue)\" is missing")
        } catch DecodingError.dataCorrupted(let context), DecodingError.typeMismatch(_, let context),
            DecodingError.valueNotFound(_, let context)
        {
            let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
            throw .malformed((path.isEmpty ? "" : "\(path): ") + context.debugDescription)
        } catch {
            throw .malformed("\(error)")
        }
    }

    /// The file's text: JSON with sorted keys, indented, ending in a newline.
    public var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        do {
            let data =
                switch self {
                case .inclusion(let document): try encoder.encode(document)
                case .consistency(let document): try encoder.encode(document)
                }
            return String(decoding: data, as: UTF8.self) + "\n"
        } catch {
            preconditionFailure("a proof cannot be written as JSON: \(error)")
        }
    }

    /// Checks it against keys that are trusted, and says what it proves.
    ///
    /// - Throws: ``Problem``.
    public func verify(trusting keys: [VerifierKey]) throws(Problem) -> String {
        switch self {
        case .inclusion(let document): try document.verify(trusting: keys)
        case .consistency(let document): try document.verify(trusting: keys)
        }
    }

    /// A signed head and the key that vouches for it, found from trusted keys through announcements.
    static func signedHead(
        _ note: String, announcements: [String], trusting keys: [VerifierKey]
    ) throws(Problem) -> (head: TreeHead, key: VerifierKey) {
        var chain = KeyChain(keys)
        for text in announcements {
            let announcement: KeyAnnouncement
            do { announcement = try KeyAnnouncement(text) } catch { throw .malformed("announcements: \(error)") }
            // One that begins elsewhere is of no use to this reader; if it was needed, the head itself is refused below.
            guard (try? chain.follow(announcement)) != nil else { continue }
        }
        let signed: SignedTreeHead
        do { signed = try SignedTreeHead(note) } catch { throw .malformed("tree head: \(error)") }
        do {
            return (signed.head, try signed.verified(by: chain.keys))
        } catch {
            throw .invalid("tree head: \(error)")
        }
    }

    static func hashes(_ texts: [String], field: String) throws(Problem) -> [MerkleHash] {
        var hashes: [MerkleHash] = []
        for text in texts {
            guard let hash = MerkleHash(base64: text) else {
                throw .malformed("\(field): \"\(text)\" is no hash in base64")
            }
            hashes.append(hash)
        }
        return hashes
    }

    static func uuid(_ text: String, field: String) throws(Problem) -> [UInt8] {
        guard let uuid = UUID(uuidString: text), uuid.uuidString.lowercased() == text else {
            throw .malformed("\(field): \"\(text)\" is no UUID in lower case")
        }
        return withUnsafeBytes(of: uuid.uuid) { Array($0) }
    }
}
