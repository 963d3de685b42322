/// Opens once, for all who wait at it.
public actor Gate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// Makes a gate that is closed.
    public init() {}

    /// Lets everybody pass from now on.
    public func open() {
        isOpen = true
        for continuation in waiting { continuation.resume() }
        waiting = []
    }

    /// Returns once it is open.
    public func passed() async {
        if isOpen { return }
        await withCheckedContinuation { waiting.append($0) }
    }
}
