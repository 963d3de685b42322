/// Asks again and again whether something outside this process has come true, for things that nobody announces.
///
/// - Returns: Whether it came true within `limit`.
public func eventually(
    within limit: Duration = .seconds(60), every pause: Duration = .milliseconds(10),
    _ condition: () async throws -> Bool
) async throws -> Bool {
    let deadline = ContinuousClock.now + limit
    while true {
        if try await condition() { return true }
        guard ContinuousClock.now < deadline else { return false }
        try await Task.sleep(for: pause)
    }
}
