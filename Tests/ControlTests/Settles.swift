/// Whether something comes true without time going by, which tests move by hand.
///
/// It asks in rounds, and in each of them everybody who has something to do gets his turn, over and over. A round takes as
/// long as that takes on this machine now: beside a busy neighbour longer, so that nobody is taken for idle who only waits for
/// a processor.
func settles(rounds: Int = 15, _ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<rounds {
        if try await condition() { return true }
        for _ in 0..<10 { await Task.yield() }
        // What goes on in other threads, too, of which nobody here is told: a pause for them, and no limit of its own.
        try await Task.sleep(for: .milliseconds(10))
    }
    return try await condition()
}
