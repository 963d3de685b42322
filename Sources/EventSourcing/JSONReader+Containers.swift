/// The members of an object, by the keys of a type.
struct JSONMembers<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let members: JSONReader.Members
    let source: JSONReader.Source

    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { members.all.compactMap { Key(stringValue: members.name($0)) } }

    private func place(_ key: some CodingKey) throws -> Int {
        guard let place = members.place(of: key.stringValue) else { throw JSONReader.GivenUp() }
        return place
    }

    func contains(_ key: Key) -> Bool { members.place(of: key.stringValue) != nil }
    func decodeNil(forKey key: Key) throws -> Bool { source.isNull(at: try place(key)) }
    func decode(_ type: Bool.Type, forKey key: Key) throws -> Bool { try source.bool(at: try place(key)) }
    func decode(_ type: String.Type, forKey key: Key) throws -> String { try source.string(at: try place(key)) }
    func decode(_ type: Double.Type, forKey key: Key) throws -> Double { try source.double(at: try place(key)) }
    func decode(_ type: Float.Type, forKey key: Key) throws -> Float { throw source.odd() }
    func decode(_ type: Int.Type, forKey key: Key) throws -> Int { try source.integer(at: try place(key)) }
    func decode(_ type: Int8.Type, forKey key: Key) throws -> Int8 { try source.integer(at: try place(key)) }
    func decode(_ type: Int16.Type, forKey key: Key) throws -> Int16 { try source.integer(at: try place(key)) }
    func decode(_ type: Int32.Type, forKey key: Key) throws -> Int32 { try source.integer(at: try place(key)) }
    func decode(_ type: Int64.Type, forKey key: Key) throws -> Int64 { try source.integer(at: try place(key)) }
    func decode(_ type: UInt.Type, forKey key: Key) throws -> UInt { try source.integer(at: try place(key)) }
    func decode(_ type: UInt8.Type, forKey key: Key) throws -> UInt8 { try source.integer(at: try place(key)) }
    func decode(_ type: UInt16.Type, forKey key: Key) throws -> UInt16 { try source.integer(at: try place(key)) }
    func decode(_ type: UInt32.Type, forKey key: Key) throws -> UInt32 { try source.integer(at: try place(key)) }
    func decode(_ type: UInt64.Type, forKey key: Key) throws -> UInt64 { try source.integer(at: try place(key)) }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try source.value(type, at: try place(key))
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try JSONReader(source: source, start: try place(key)).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try JSONElements(source, at: try place(key))
    }

    func superDecoder() throws -> any Decoder { throw source.odd() }
    func superDecoder(forKey key: Key) throws -> any Decoder { throw source.odd() }
}

/// The elements of a list, one after the other.
struct JSONElements: UnkeyedDecodingContainer {
    private let source: JSONReader.Source
    private var next: Int?
    private(set) var currentIndex = 0

    init(_ source: JSONReader.Source, at start: Int) throws {
        guard source.isList(at: start) else { throw JSONReader.GivenUp() }
        self.source = source
        next = source.firstElement(start)
    }

    var codingPath: [any CodingKey] { [] }
    // To count them is to read them.
    var count: Int? { nil }
    var isAtEnd: Bool { next == nil }

    /// Goes past an element once it was read.
    private mutating func take<Value>(_ read: (Int) throws -> Value) throws -> Value {
        guard let place = next else { throw JSONReader.GivenUp() }
        let value = try read(place)
        next = source.element(after: place)
        currentIndex += 1
        return value
    }

    mutating func decodeNil() throws -> Bool {
        guard let place = next, source.isNull(at: place) else { return false }
        return try take { _ in true }
    }

    mutating func decode(_ type: Bool.Type) throws -> Bool { try take(source.bool) }
    mutating func decode(_ type: String.Type) throws -> String { try take(source.string) }
    mutating func decode(_ type: Double.Type) throws -> Double { try take(source.double) }
    mutating func decode(_ type: Float.Type) throws -> Float { throw source.odd() }
    mutating func decode(_ type: Int.Type) throws -> Int { try take(source.integer) }
    mutating func decode(_ type: Int8.Type) throws -> Int8 { try take(source.integer) }
    mutating func decode(_ type: Int16.Type) throws -> Int16 { try take(source.integer) }
    mutating func decode(_ type: Int32.Type) throws -> Int32 { try take(source.integer) }
    mutating func decode(_ type: Int64.Type) throws -> Int64 { try take(source.integer) }
    mutating func decode(_ type: UInt.Type) throws -> UInt { try take(source.integer) }
    mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try take(source.integer) }
    mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try take(source.integer) }
    mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try take(source.integer) }
    mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try take(source.integer) }
    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try take { [source] in try source.value(type, at: $0) }
    }

    mutating func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type
    ) throws -> KeyedDecodingContainer<Nested> {
        try take { [source] in try JSONReader(source: source, start: $0).container(keyedBy: type) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try take { [source] in try JSONElements(source, at: $0) }
    }

    mutating func superDecoder() throws -> any Decoder { throw source.odd() }
}
