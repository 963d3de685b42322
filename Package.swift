// swift-tools-version: 6.2
import PackageDescription

/// What every target of ours is compiled with: Swift 6 mode, the upcoming features that the
/// codebases we learn from use, and no warning left standing.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

func room(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: house)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: house)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource]? = nil
) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, resources: resources, swiftSettings: house)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "rollbook",
    products: [
        .executable(name: "rollbook", targets: ["rollbook"]),
        .executable(name: "rollbook-bench", targets: ["rollbook-bench"]),
        .executable(name: "rollbook-chaos", targets: ["rollbook-chaos"]),
        .executable(name: "payments-api", targets: ["payments-api"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CLibz", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CLibcurl", linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "CLinux"),

        room("EventSourcing"),
        tests("EventSourcingTests", ["EventSourcing", "TestKit"]),
        room("Conditions"),
        room("Analysis", ["Conditions"]),
        tests("ConditionsTests", ["Conditions"]),
        tests("AnalysisTests", ["Analysis", "Conditions"]),
        room("Delivery", ["EventSourcing", "Analysis", "Conditions", yams, crypto]),
        room("Control", ["Delivery", "EventSourcing", logging, serviceLifecycle]),
        tests(
            "ControlTests",
            [
                "Control", "Delivery", "EventSourcing", "Analysis", "Conditions", "TestKit", logging, serviceLifecycle,
            ]),
        room("Postgres", ["CLibpq", "CLinux", logging, crypto]),
        .target(
            name: "TestKit", dependencies: ["EventSourcing", "Postgres", "Delivery", "Analysis", "Conditions"],
            path: "Tests/TestKit", swiftSettings: house),
        tests("PostgresTests", ["Postgres", "TestKit"]),
        room("Transparency", [crypto], exclude: ["FORMAT.md"]),
        tests("TransparencyTests", ["Transparency", crypto], exclude: ["check.py"]),
        room(
            "Ledger",
            [
                "CLibz", "Postgres", "Delivery", "EventSourcing", "Transparency", crypto, deque, logging,
                serviceLifecycle,
            ]),
        tests(
            "LedgerTests",
            ["Ledger", "Postgres", "EventSourcing", "Delivery", "Transparency", "TestKit", crypto, logging]),
        room("Transfer", ["CLibcurl"]),
        tests(
            "DeliveryTests", ["Delivery", "EventSourcing", "Analysis", "Conditions", "TestKit"],
            exclude: ["Rollout/Golden"], resources: [.copy("Manifest/Fixtures")]),
        .target(name: "HTTPTestKit", path: "Tests/HTTPTestKit", swiftSettings: house),
        tests("TransferTests", ["Transfer", "HTTPTestKit"]),
        room("MetricSources", ["Transfer", "Delivery", "Analysis", "Conditions", "EventSourcing", crypto]),
        tests(
            "MetricSourcesTests",
            ["MetricSources", "Delivery", "Transfer", "Conditions", "Analysis", "EventSourcing", "HTTPTestKit"]),
        room("LocalPlatform", ["CLinux", "Transfer", "Delivery", "EventSourcing", logging]),
        tests(
            "LocalPlatformTests",
            ["LocalPlatform", "Delivery", "EventSourcing", "payments-api", "TestKit", "HTTPTestKit", logging]),
        room("API", ["Delivery", "EventSourcing", crypto, hummingbird, httpTypes, logging, serviceLifecycle]),
        tests(
            "APITests",
            [
                "API", "Delivery", "EventSourcing", "Analysis", "Conditions", "TestKit", hummingbird,
                hummingbirdTesting, httpTypes, logging,
            ]),

        program(
            "rollbook",
            [
                "API", "Control", "Delivery", "EventSourcing", "Ledger", "LocalPlatform", "MetricSources", "Postgres",
                "Transfer", "Transparency", argumentParser, hummingbird, logging, serviceLifecycle,
            ]),
        tests(
            "rollbookTests",
            [
                "rollbook", "rollbook-bench", "API", "Delivery", "EventSourcing", "Analysis", "Ledger", "LocalPlatform",
                "Postgres", "Transfer", "Transparency", "TestKit", "HTTPTestKit", argumentParser, hummingbird, logging,
            ]),
        program(
            "rollbook-bench",
            [
                "Analysis", "CLibpq", "Conditions", "Delivery", "EventSourcing", "Ledger", "Postgres", "Transparency",
                argumentParser, deque, logging, unixSignals,
            ]),
        program("rollbook-chaos", ["EventSourcing", "Ledger", "Postgres", argumentParser, logging]),
        program("payments-api", ["CLinux", argumentParser, hummingbird, httpTypes, logging]),
        tests("HouseTests", []),
        tests("PaymentsAPITests", ["payments-api", "TestKit"]),
    ]
)
