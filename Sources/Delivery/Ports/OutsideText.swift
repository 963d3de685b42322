internal import Conditions

/// Text from outside, which may hold what neither PostgreSQL nor JSON in it can keep.
///
/// Only U+0000 is left to be replaced: a Swift text holds no lone surrogates, and bytes that are no UTF-8 were replaced when
/// it was made of them.
extension String {
    /// The text with U+FFFD, the mark of a character that was lost, for each U+0000.
    var keepable: String {
        guard utf8.contains(0) else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : $0 }))
    }
}

extension Value {
    /// The value with all its texts, and the names of its members, made keepable.
    var keepable: Value {
        switch self {
        case .null, .bool, .int, .double: self
        case .string(let text): .string(text.keepable)
        case .array(let elements): .array(elements.map(\.keepable))
        case .map(let members):
            .map(Dictionary(members.map { ($0.key.keepable, $0.value.keepable) }, uniquingKeysWith: { $1 }))
        }
    }
}
