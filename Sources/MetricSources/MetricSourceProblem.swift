/// Why a measurement could not be taken; its text becomes the measurement's message.
struct MetricSourceProblem: Error, Equatable {
    let message: String

    init(_ message: String) { self.message = message }
}
