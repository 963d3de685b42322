/// What a key, and the log that it signs for, may be called.
enum NoteKeyName {
    /// Whether a name is allowed: not empty, and no white space, control character or plus.
    static func isValid(_ name: String) -> Bool {
        !name.isEmpty
            && name.unicodeScalars.allSatisfy {
                $0 != "+" && !$0.properties.isWhitespace && $0.properties.generalCategory != .control
            }
    }

    /// SHA-256 of name, newline, signature type and public key: the first four bytes, most significant first.
    static func keyID(name: String, type: UInt8, publicKey: [UInt8]) -> UInt32 {
        let hash = (Array(name.utf8) + [0x0A, type] + publicKey).withUnsafeBytes(MerkleHash.sha256)
        return hash.bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    static func hexadecimal(_ id: UInt32) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
