import API
import ArgumentParser
import Delivery
import EventSourcing
import Testing
import Transfer

@testable import rollbook

@Suite struct ClientTests {
    @Test func `server-sent events are read in pieces of any size`() {
        let text = ": hello\n\nid: 1-7\nevent: rollout\ndata: {\"a\":1}\n\nevent: x\r\ndata: one\r\ndata: two\r\n\r\n"
        let expected = [
            ServerSentEvents.Event(id: "1-7", name: "rollout", data: "{\"a\":1}"),
            ServerSentEvents.Event(id: "1-7", name: "x", data: "one\ntwo"),
        ]
        let bytes = Array(text.utf8)
        for size in 1...bytes.count {
            var events = ServerSentEvents()
            var read: [ServerSentEvents.Event] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                read += events.read(Array(bytes[start..<min(bytes.count, start + size)]))
            }
            #expect(read == expected)
        }
    }

    @Test func `a server that is not there is named with what to do`() {
        let failure = TransferFailure(code: .couldNotConnect, url: "http://127.0.0.1:1/", detail: "no", canRetry: true)
        let message = ExitMessage(.unreachable(server: "http://127.0.0.1:1", failure))
        #expect(message.text == "cannot reach rollbook at http://127.0.0.1:1: is `rollbook serve` running?")
        #expect(message.code == 5)
    }

    @Test func `an unknown rollout is told with the one that was meant`() throws {
        let problem: ProblemDocument = try CanonicalJSON.read(
            from: """
                {"type":"urn:rollbook:problem:unknown-rollout","title":"No such rollout","status":404,
                "detail":"there is no rollout \\"shp\\" in namespace \\"default\\"","code":"unknown-rollout",
                "nearest":"shop","fix":"did you mean shop?","retry":false}
                """)
        let message = ExitMessage(problem)
        #expect(message.text == "there is no rollout \"shp\" in namespace \"default\" – did you mean shop?")
        #expect(message.code == 2)
    }

    @Test func `manifests that are wrong are told with file, line and column`() throws {
        let problem = ManifestProblem(
            file: "shop.yaml", line: 7, column: 13, field: "spec.replicas", value: "-3",
            message: "must be greater than or equal to 0", fix: "write a number such as 3")
        let message = ExitMessage(.manifests([problem]))
        #expect(message.text.hasPrefix("shop.yaml:7:13: error: spec.replicas: "))
        #expect(message.code == 4)
    }

    @Test func `an empty name is not the path of something else`() {
        let client = ServerClient(
            server: "http://127.0.0.1:1", cluster: "default", actor: "x@y", transfer: TransferClient())
        #expect(throws: ClientFailure.self) { try client.path("default", "", "abort") }
    }

    @Test func `what cannot be read, and what holds nothing, is told`() throws {
        // A device is read as a file is.
        for (file, words) in [
            ("/dev/null", "there is no document in /dev/null"),
            ("/nowhere.yaml", "cannot read /nowhere.yaml: no such file"),
        ] {
            do {
                _ = try ManifestFiles.documents([file])
                Issue.record("\(file) holds documents")
            } catch {
                #expect(ExitMessage(error).text == words)
            }
        }
    }

    @Test(arguments: [
        ["get", "rollout", "shop", "--at", "yesterday"], ["get", "rollout", "shop", "--at", "v1", "--watch"],
        ["set", "image", "shop", "app"], ["undo", "shop", "--to-revision", "-1"], ["apply"],
        ["set", "image", "shop", "app=a", "app=b"], ["get", "rollout", "shop", "-n", ""],
        ["retry", "experiment", "shop"], ["replay", "shop", "--from", "then"],
        ["get", "rollout", "shop", "--watch", "-o", "name"], ["history", "shop", "-o", "name"],
        ["audit", "shop", "-o", "name"], ["audit", "shop", "-o", "wide"], ["replay", "shop", "-o", "name"],
        ["history", "shop", "--last", "0"], ["history", "shop", "--last", "1001"],
        ["history", "shop", "--last", "5", "--releases"], ["history", "shop", "--releases", "-o", "json"],
        ["status", "shop", "--timeout", "5"],
    ]) func `wrong usage is refused before anything is sent`(_ arguments: [String]) {
        #expect(throws: (any Error).self) { _ = try Rollbook.parseAsRoot(arguments) }
    }

    @Test(arguments: [
        ["get", "rollout", "shop", "--at", "2026-11-24T09:00:00Z", "-o", "json"], ["get", "ro", "shop", "-w"],
        ["list", "rollouts", "-A"], ["set", "image", "shop", "*=shop:2"], ["promote", "shop", "--full"],
        ["retry", "rollout", "shop"], ["retry", "shop"], ["undo", "shop", "--to-revision", "0"],
        ["status", "shop", "--watch", "--timeout", "5"], ["audit", "shop", "-o", "json"],
        ["history", "shop", "-o", "wide"], ["history", "shop", "--last", "20", "-o", "yaml"],
        ["history", "shop", "--releases"], ["status", "shop", "-w", "--timeout", "5"], ["lint", "-f", "x.yaml"],
    ]) func `the verbs that people know are understood`(_ arguments: [String]) throws {
        _ = try Rollbook.parseAsRoot(arguments)
    }
}
