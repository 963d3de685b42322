/// Text that is hashed part by part, so that no two lists of parts give the same bytes.
///
/// Before each part stands its length in bytes as 4 bytes, the most significant first; an absent part has the length -1.
public struct HashedParts: Sendable {
    /// What has been added.
    public private(set) var bytes: [UInt8] = []

    /// Begins with nothing.
    public init() { bytes.reserveCapacity(4096) }

    /// Begins anew, and keeps the memory.
    public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Adds bytes.
    public mutating func add(_ part: UnsafeRawBufferPointer) {
        addLength(Int32(part.count))
        bytes.append(contentsOf: part)
    }

    /// Adds bytes.
    public mutating func add(_ part: [UInt8]) { part.withUnsafeBytes { add($0) } }

    /// Adds text as UTF-8.
    public mutating func add(_ part: String) {
        addLength(Int32(part.utf8.count))
        bytes.append(contentsOf: part.utf8)
    }

    /// Adds a number as 8 bytes, the most significant first.
    public mutating func add(_ part: Int64) {
        addLength(8)
        withUnsafeBytes(of: part.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// Adds the sign that a part is absent.
    public mutating func addNothing() { addLength(-1) }

    /// Adds one byte without a length.
    mutating func addRaw(_ byte: UInt8) { bytes.append(byte) }

    /// SHA-256 of everything.
    public var sha256: MerkleHash { bytes.withUnsafeBytes(MerkleHash.sha256) }

    private mutating func addLength(_ length: Int32) {
        withUnsafeBytes(of: length.bigEndian) { bytes.append(contentsOf: $0) }
    }
}

/// What can be a part.
public protocol HashedPart {
    /// Adds itself.
    func add(to parts: inout HashedParts)
}

extension String: HashedPart {
    /// Adds the UTF-8.
    public func add(to parts: inout HashedParts) { parts.add(self) }
}

extension [UInt8]: HashedPart {
    /// Adds the bytes.
    public func add(to parts: inout HashedParts) { parts.add(self) }
}

extension UnsafeRawBufferPointer: HashedPart {
    /// Adds the bytes.
    public func add(to parts: inout HashedParts) { parts.add(self) }
}
