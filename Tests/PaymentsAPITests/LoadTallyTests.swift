import Foundation
import Testing

@testable import payments_api

struct LoadTallyTests {
    private func plan(_ mode: LoadPlan.Mode = .connectionPerRequest) throws -> LoadPlan {
        LoadPlan(
            endpoint: try Endpoint(url: "http://127.0.0.1:8080"), host: "payments.example.com", rate: 200,
            mode: mode, connections: 8, timeout: .seconds(5))
    }

    @Test func `each request is in exactly one bucket`() throws {
        var tally = LoadTally()
        let outcomes: [(Int?, RequestRecord.Loss?)] = [
            (200, nil), (301, nil), (404, nil), (500, nil), (501, nil), (505, nil), (502, .gateway), (504, .gateway),
            (nil, .connect), (nil, .timeout), (nil, .broken), (nil, .malformed),
        ]
        for (index, (status, lost)) in outcomes.enumerated() {
            let number = tally.begin()
            tally.finish(
                RequestRecord(
                    number: number, startedAt: 1_000_000, finishedAt: 1_500_000 + Int64(index) * 100_000, version: nil,
                    status: status, lost: lost, reconnected: index == 0))
        }
        _ = tally.begin()
        let report = tally.report(of: try plan(), url: "u", startedAt: 0, at: 3_000_000, finished: true)
        #expect((report.ok, report.other, report.failed5xx, report.lost) == (2, 1, 3, 6))
        #expect(report.total == report.ok + report.other + report.failed5xx + report.lost)
        #expect(report.lostBy == ["connect": 1, "timeout": 1, "broken": 1, "malformed": 1, "gateway": 2])
        #expect((report.sent, report.inFlight, report.reconnected) == (13, 1, 1))
        #expect(report.seconds.map(\.second) == [1, 2])
        let inSeconds = report.seconds.reduce(0) { $0 + $1.lost + $1.answers.values.flatMap(\.values).reduce(0, +) }
        #expect(inSeconds == report.total)
    }

    @Test func `the last request that a version answered is found by its begin and by its end`() throws {
        var tally = LoadTally()
        for (number, start, end) in [(1, 10, 100), (2, 20, 50), (3, 30, 90)] as [(Int, Int64, Int64)] {
            _ = tally.begin()
            tally.finish(
                RequestRecord(number: number, startedAt: start, finishedAt: end, version: "1.5.0", status: 200))
        }
        let report = tally.report(of: try plan(), url: "u", startedAt: 0, at: 100, finished: true)
        let version = try #require(report.versions["1.5.0"])
        #expect(version.firstBegun.number == 1)
        #expect(version.lastBegun.number == 3)
        #expect(version.lastFinished.number == 1)
    }

    @Test func `a line of the log reads back as the record`() throws {
        let records = [
            RequestRecord(number: 1, startedAt: 2, finishedAt: 3, version: "a\"b\\c", status: 500, reconnected: true),
            RequestRecord(number: 2, startedAt: 2, finishedAt: 3, lost: .timeout),
        ]
        for record in records {
            #expect(try JSONDecoder().decode(RequestRecord.self, from: Data(record.line.utf8)) == record)
        }
    }

    @Test func `quantiles are right to a sixteenth`() {
        var histogram = Histogram()
        for value in 1...10_000 { histogram.count(Int64(value)) }
        #expect((5000...5320).contains(histogram.value(at: 0.5)))
        #expect((9900...10_000).contains(histogram.value(at: 0.99)))
        #expect(histogram.max == 10_000)
        #expect(Histogram().value(at: 0.5) == 0)
    }

    @Test func `spans and addresses are understood or refused`() throws {
        #expect(Span(argument: "500ms")?.duration == .milliseconds(500))
        #expect(Span(argument: "2m")?.duration == .seconds(120))
        #expect(Span(argument: "1.5")?.duration == .milliseconds(1500))
        for text in ["", "s", "-1s", "5x", "0s"] { #expect(Span(argument: text) == nil) }
        let endpoint = try Endpoint(url: "http://[::1]:81/a?b=c")
        #expect((endpoint.host, endpoint.port, endpoint.target) == ("::1", 81, "/a?b=c"))
        #expect(endpoint.authority == "[::1]:81")
        for url in ["https://x/", "x", "http://", "http://x:70000/"] {
            #expect(throws: (any Error).self) { try Endpoint(url: url) }
        }
    }
}
