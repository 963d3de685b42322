/// Puts colour around text, or leaves it.
struct Paint: Sendable {
    /// The colours of the plugin that people are used to.
    enum Colour: Int {
        case red = 31
        case green = 32
        case yellow = 33
        case blue = 94
        case dim = 2
        case bold = 1
    }

    /// Whether colour is used at all.
    var isOn: Bool

    /// `text` in `colour`.
    func callAsFunction(_ text: String, _ colour: Colour?) -> String {
        guard isOn, let colour, !text.isEmpty else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }
}
