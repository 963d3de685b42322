import Delivery
import EventSourcing
import Testing

@testable import LocalPlatform

struct PodSpecTests {
    private func spec(_ container: JSONValue) throws -> PodSpec {
        try PodSpec(template: ["spec": ["containers": [container]]])
    }

    @Test func `a template is read as Kubernetes would read it`() throws {
        let spec = try spec([
            "image": "registry.example.com:5000/payments-api:1.5.0@sha256:00", "command": ["a"], "args": ["$(B)"],
            "env": [["name": "B", "value": "x"]], "ports": [["containerPort": 8080, "name": "http"]],
            "readinessProbe": ["httpGet": ["path": "ready", "port": "http"], "failureThreshold": 5],
        ])
        #expect(spec.imageTag == "1.5.0")
        #expect(spec.command == ["a", "$(B)"])
        #expect(spec.graceSeconds == 30)
        var probe = ReadinessProbe(check: .http(path: "/ready", port: "http", headers: []))
        probe.failureThreshold = 5
        #expect(spec.readiness == probe)
        #expect((probe.periodSeconds, probe.timeoutSeconds, probe.successThreshold) == (10, 1, 1))
    }

    @Test func `an image without a tag is the latest`() throws {
        #expect(try spec(["image": "registry:5000/a", "command": ["a"]]).imageTag == "latest")
    }

    @Test(
        arguments: [
            (["image": "a:1"], "command"),
            (["command": ["a", 5]], "command"),
            (["command": ["a"], "env": [["name": "A", "valueFrom": ["secretKeyRef": [:]]]]], "valueFrom"),
            (["command": ["a"], "ports": [["containerPort": 0]]], "containerPort"),
            (["command": ["a"], "readinessProbe": ["httpGet": ["port": 8080]]], "readinessProbe.httpGet.port"),
            (["command": ["a"], "readinessProbe": ["exec": ["command": []]]], "exec.command"),
            (["command": ["a"], "readinessProbe": ["exec": ["command": ["a"]], "periodSeconds": 0]], "periodSeconds"),
            (["command": ["a"], "readinessProbe": [:]], "readinessProbe"),
        ] as [(JSONValue, String)])
    func `what a process cannot be made from is refused by field`(container: JSONValue, field: String) {
        do {
            _ = try spec(container)
            Issue.record("it was taken")
        } catch {
            #expect("\(error)".contains(field))
        }
    }

    @Test func `variables are replaced as Kubernetes does`() {
        let variables = ["A": "1", "B": "$(A)"]
        #expect(expanded("x$(A)y$(C)z$$(A)$(B)$", with: variables) == "x1y$(C)z$(A)$(A)$")
        #expect(expanded("$(A", with: variables) == "$(A")
    }

    @Test func `back-off doubles up to its longest`() {
        let settings = PodSettings()
        #expect((1...4).map { settings.backOff(after: $0) } == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
        #expect(settings.backOff(after: 50) == .seconds(300))
    }
}
