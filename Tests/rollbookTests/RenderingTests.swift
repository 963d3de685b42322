import API
import Analysis
import Delivery
import EventSourcing
import Testing

@testable import rollbook

@Suite struct RenderingTests {
    static let start = Instant("2026-11-24T09:00:00Z")!
    static let plain = Paint(isOn: false)

    /// The view of a release that waits for its analysis at weight 25.
    static func view() throws -> RolloutView {
        try CanonicalJSON.read(
            from: """
                {"name":"shop","namespace":"default","cluster":"default","createdAt":"2026-11-24T09:00:00Z",
                "phase":"Progressing","message":"more replicas need to be updated","strategy":"Canary","step":"3/8",
                "stepIndex":3,"steps":8,"setWeight":25,"actualWeight":25,"maxWeight":100,
                "images":[{"image":"shop:1","roles":["stable"]},{"image":"shop:2","roles":["canary"]}],
                "replicas":{"desired":4,"current":5,"updated":1,"ready":5,"available":5},
                "revisions":[
                {"number":2,"podTemplateHash":"abc","startedAt":"2026-11-24T09:01:00Z","images":{"app":"shop:2"},
                "set":{"podTemplateHash":"abc","role":"canary","phase":"Healthy","wanted":1,"replicas":1,"ready":1,
                "available":1},
                "analysisRuns":[{"name":"shop-abc-2-3","kind":"step","stepIndex":3,"phase":"Running",
                "startedAt":"2026-11-24T09:01:30Z","counts":{"successful":1,"failed":2,"inconclusive":0,"error":0},
                "metrics":[{"name":"error-rate","provider":"prometheus","phase":"Running",
                "counts":{"successful":1,"failed":2,"inconclusive":0,"error":0},"dryRun":false,
                "successCondition":"result[0] <= 0.01","failureLimit":2,
                "measurements":[{"number":1,"phase":"Failed","value":{"type":"vector","text":"[0.2]"},
                "condition":"result[0] <= 0.01","startedAt":"2026-11-24T09:01:59Z",
                "finishedAt":"2026-11-24T09:02:00Z"}]}]}]},
                {"number":1,"podTemplateHash":"xyz","startedAt":"2026-11-24T09:00:00Z","images":{"app":"shop:1"},
                "set":{"podTemplateHash":"xyz","role":"stable","phase":"Healthy","wanted":4,"replicas":4,"ready":4,
                "available":4,"retireAt":"2026-11-24T09:02:38Z"},"analysisRuns":[]}],
                "decisionVersion":12,"version":30,"position":44,"recordedAt":"2026-11-24T09:02:00Z"}
                """)
    }

    @Test func `the tree of a rollout looks as people are used to`() throws {
        let lines = RolloutTree(view: try Self.view(), now: Self.start + .seconds(130), paint: Self.plain).lines
        #expect(
            lines.joined(separator: "\n") == """
                Name:            shop
                Namespace:       default
                Status:          ◌ Progressing
                Message:         more replicas need to be updated
                Strategy:        Canary
                  Step:          3/8
                  SetWeight:     25
                  ActualWeight:  25
                  Traffic:       ██████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 25 canary, 75 stable
                Images:          shop:1 (stable)
                                 shop:2 (canary)
                Replicas:
                  Desired:       4
                  Current:       5
                  Updated:       1
                  Ready:         5
                  Available:     5

                NAME                  KIND         STATUS         AGE    INFO
                ⟳ shop                Rollout      ◌ Progressing  2m10s
                ├──# revision:2
                │  ├──⧉ shop-abc      ReplicaSet   ✔ Healthy      70s    canary,ready:1/1
                │  └──α shop-abc-2-3  AnalysisRun  ◌ Running      40s    ✔ 1,✖ 2
                └──# revision:1
                   └──⧉ shop-xyz      ReplicaSet   ✔ Healthy      2m10s  stable,ready:4/4,delay:28s
                """)
    }

    @Test func `the wide tree shows metrics and measurements`() throws {
        let lines = RolloutTree(
            view: try Self.view(), now: Self.start + .seconds(130), paint: Self.plain, isWide: true
        ).lines
        #expect(lines.contains { $0.contains("∿ error-rate") && $0.contains("Metric") })
        #expect(lines.contains { $0.contains("[0.2]  result[0] <= 0.01") })
    }

    @Test func `colour is put around words only where it is wanted`() throws {
        let view = try Self.view()
        let coloured = RolloutTree(view: view, now: Self.start, paint: Paint(isOn: true)).lines.joined(separator: "\n")
        #expect(coloured.contains("\u{1B}[94m◌ Progressing\u{1B}[0m"))
        let plain = RolloutTree(view: view, now: Self.start, paint: Self.plain).lines.joined(separator: "\n")
        #expect(!plain.contains("\u{1B}"))
    }

    @Test func `a line of the live view tells what moves`() throws {
        #expect(
            LiveScreen.line(try Self.view())
                == "◌ Progressing  step 3/8  weight 25  ready 5/4 updated 1  shop-abc-2-3 Running ✔ 1 ✖ 2 ⚠ 0  "
                + "more replicas need to be updated")
    }

    @Test func `the list has the columns of the plugin`() throws {
        let row = RolloutSummaryRow(
            cluster: "default", namespace: "default", name: "shop", strategy: "Canary", phase: .progressing,
            message: "more replicas need to be updated", step: "3/8", setWeight: 25, actualWeight: 25,
            replicas: ReplicaCounts(desired: 4, current: 5, updated: 1, ready: 5, available: 5), revision: 2,
            decisionVersion: 7, version: StreamVersion(9), position: GlobalPosition(9))
        let lines = ListRollouts.table([row], namespaces: true, isWide: false).lines(Self.plain)
        #expect(
            lines == [
                "NAMESPACE  NAME  STRATEGY  STATUS       STEP  SET-WEIGHT  READY  DESIRED  UP-TO-DATE  AVAILABLE",
                "default    shop  Canary    Progressing  3/8   25          5/5    4        1           5",
            ])
    }

    @Test func `what others wrote cannot steer the terminal or hide a line`() throws {
        let hostile = "fine\u{1B}[2J\u{1B}]0;x\u{7}\r\nHealthy\u{9B}1A\u{202E}\u{0}"
        let shown = #"fine\u{1B}[2J\u{1B}]0;x\u{7}\r\nHealthy\u{9B}1A\u{202E}\u{0}"#
        #expect(hostile.printable == shown)
        var view = try Self.view()
        view.message = hostile
        view.images[0].image = hostile
        let tree = RolloutTree(view: view, now: Self.start, paint: Self.plain).lines
        #expect(tree.contains("Message:         " + shown))
        #expect(tree.contains("Images:          " + shown + " (stable)"))
        #expect(LiveScreen.line(view).hasSuffix(shown))
        var table = Table(["A", "B"])
        table.add([hostile, "b"])
        #expect(table.lines(Self.plain)[1] == shown + "  b")
        #expect("äöü 漢字 👩‍👩‍👧 ✔".printable == "äöü 漢字 👩‍👩‍👧 ✔")
    }

    @Test(arguments: [
        (-3, "0s"), (0, "0s"), (119, "119s"), (130, "2m10s"), (180, "3m"), (3000, "50m"), (10_800, "3h"),
        (11_100, "3h5m"), (172_800, "2d"), (180_000, "2d2h"), (864_000, "10d"),
    ]) func `an age is shortened as Kubernetes does`(_ seconds: Int, _ text: String) {
        #expect(Duration.seconds(seconds).age == text)
    }

    @Test func `YAML output quotes what could be something else`() {
        let value: JSONValue = [
            "name": "shop", "on": "yes", "number": "12", "empty": "", "list": [["a": 1, "b": [2, 3]], "x"],
            "none": [:], "text": "a: b",
        ]
        #expect(
            YAMLText.of(value) == """
                empty: ""
                list:
                  - a: 1
                    b:
                      - 2
                      - 3
                  - x
                name: shop
                none: {}
                number: "12"
                "on": "yes"
                text: "a: b"

                """)
    }
}
