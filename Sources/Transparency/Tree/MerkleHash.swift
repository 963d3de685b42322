internal import Crypto
internal import Foundation

/// A SHA-256 hash of the Merkle tree: of a leaf, of a node, or of the whole tree.
///
/// Its memory is its 32 bytes, so that an array of these is a tile.
/// - Source: RFC 6962 §2.1 (RFC 9162 §2.1.1 is the same).
public struct MerkleHash: Sendable, Hashable, CustomStringConvertible {
    /// How many bytes it has.
    public static let byteCount = 32

    private let words: InlineWords

    private struct InlineWords: Sendable, Hashable {
        var first: UInt64 = 0
        var second: UInt64 = 0
        var third: UInt64 = 0
        var fourth: UInt64 = 0
    }

    /// Takes 32 bytes; `nil` for any other number.
    public init?(_ bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.count == Self.byteCount else { return nil }
        self = bytes.withUnsafeBytes { MerkleHash(copying: $0) }
    }

    /// Copies 32 bytes.
    ///
    /// - Precondition: `memory` has exactly 32 bytes.
    public init(copying memory: UnsafeRawBufferPointer) {
        precondition(memory.count == Self.byteCount, "a hash has 32 bytes, not \(memory.count)")
        var words = InlineWords()
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: memory) }
        self.words = words
    }

    /// Reads standard base64 of 32 bytes; `nil` if `base64` is none.
    public init?(base64: some StringProtocol) {
        guard let bytes = Base64.bytes(base64) else { return nil }
        self.init(bytes)
    }

    /// The bytes.
    public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

    /// Standard base64, 44 characters.
    public var base64: String { Base64.text(bytes) }

    /// Standard base64.
    public var description: String { base64 }

    /// Lends the 32 bytes.
    public func withUnsafeBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try Swift.withUnsafeBytes(of: words, body)
    }

    /// The hash of a tree without leaves: SHA-256 of nothing.
    public static let empty = sha256(UnsafeRawBufferPointer(start: nil, count: 0))

    /// The hash of a leaf: SHA-256 of 0x00 and the entry.
    public static func leaf(_ entry: some Sequence<UInt8>) -> MerkleHash {
        ([0] + Array(entry)).withUnsafeBytes(sha256)
    }

    /// The hash of an inner node: SHA-256 of 0x01 and the hashes of its children.
    public static func node(_ left: MerkleHash, _ right: MerkleHash) -> MerkleHash {
        withUnsafeTemporaryAllocation(byteCount: 1 + 2 * byteCount, alignment: 8) { buffer in
            buffer[0] = 1
            left.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: buffer[1..<33]).copyMemory(from: $0) }
            right.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: buffer[33..<65]).copyMemory(from: $0) }
            return sha256(UnsafeRawBufferPointer(buffer))
        }
    }

    /// Plain SHA-256.
    public static func sha256(_ memory: UnsafeRawBufferPointer) -> MerkleHash {
        var hash = SHA256()
        hash.update(bufferPointer: memory)
        return hash.finalize().withUnsafeBytes { MerkleHash(copying: $0) }
    }
}

extension [MerkleHash] {
    /// Takes the bytes of hashes that stand one after the other; `nil` unless they are a multiple of 32.
    public init?(concatenated bytes: some Collection<UInt8>) {
        guard bytes.count.isMultiple(of: MerkleHash.byteCount) else { return nil }
        self = Array<UInt8>(bytes).withUnsafeBytes { memory in
            stride(from: 0, to: memory.count, by: MerkleHash.byteCount).map {
                MerkleHash(copying: UnsafeRawBufferPointer(rebasing: memory[$0..<$0 + MerkleHash.byteCount]))
            }
        }
    }

    /// The bytes of all, one after the other.
    public var concatenated: [UInt8] { withUnsafeBytes { Array<UInt8>($0) } }
}

/// Standard base64 (RFC 4648 §4) with padding, nothing else.
enum Base64 {
    static func text(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    /// `nil` for anything that is not exactly what ``text(_:)`` would write.
    static func bytes(_ text: some StringProtocol) -> [UInt8]? {
        guard let data = Data(base64Encoded: String(text)), data.base64EncodedString() == text else { return nil }
        return Array(data)
    }
}
