public import Hummingbird

/// What a request carries on its way through the routes.
public struct APIContext: RequestContext {
    /// Hummingbird's own part.
    public var coreContext: CoreRequestContextStorage

    /// Makes a context.
    public init(source: Source) { coreContext = CoreRequestContextStorage(source: source) }

    /// The largest body that is read: 4 MiB.
    public var maxUploadSize: Int { Self.bodyLimit }

    /// The largest body that is read, in bytes.
    public static let bodyLimit = 4 * 1024 * 1024
}
