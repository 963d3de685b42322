import EventSourcing
import Foundation
import Glibc
import LocalPlatform
import Testing

@testable import rollbook

/// Who has the platform of a data directory, and who only seems to.
@Suite struct StandbyTests {
    private let owner: InstanceLock.Owner
    private let other: InstanceLock.Owner

    init() throws {
        owner = InstanceLock.Owner(process: try #require(ProcessIdentity(of: getpid())), holder: "a")
        other = InstanceLock.Owner(process: try #require(ProcessIdentity(of: 1)), holder: "a")
    }

    /// What a standby has seen at one look.
    private struct Look {
        let owner: InstanceLock.Owner?
        let presence: [Lease]?

        /// - Parameter epoch: Of the lease; `nil` if there is none.
        init(_ owner: InstanceLock.Owner?, holder: String = "a", _ epoch: Int64?, isHeld: Bool = false) {
            self.owner = owner
            let remaining = Duration.seconds(isHeld ? 1 : -1)
            presence =
                epoch.map {
                    [Lease(name: "instance/default/a", holder: holder, epoch: $0, remaining: remaining)]
                }
                ?? []
        }

        /// The ledger cannot be reached.
        init(blind owner: InstanceLock.Owner) {
            self.owner = owner
            presence = nil
        }
    }

    /// What is judged at each look, a second apart.
    private func judged(_ looks: Look...) -> [Bool] { judged(looks) }

    private func judged(_ looks: [Look]) -> [Bool] {
        var watch = Standby.Watch()
        return looks.enumerated().map { watch.isHung($1.owner, $1.presence, at: .seconds($0)) }
    }

    @Test func `an owner is hung once a lease has lapsed for a while that it was seen to hold`() {
        let (held, lapsed) = (Look(owner, 1, isHeld: true), Look(owner, 1))
        #expect(judged(held, lapsed, lapsed, lapsed, lapsed) == [false, false, false, true, true])
        #expect(judged(held, lapsed, lapsed, held, lapsed, lapsed, lapsed).suffix(3) == [false, false, true])
    }

    @Test func `after a time without the ledger, an owner has as long as ever to renew its lease`() {
        let (held, lapsed, blind) = (Look(owner, 1, isHeld: true), Look(owner, 1), Look(blind: owner))
        #expect(judged(held, blind, blind, blind, lapsed, lapsed, held) == Array(repeating: false, count: 7))
        // Longer, for it may still be trying to connect; and no longer than that.
        let waiting = Array(repeating: lapsed, count: 17)
        #expect(judged([held, lapsed, lapsed, blind] + waiting).suffix(3) == [false, true, true])
        #expect(judged([held, blind] + [held, lapsed, lapsed, lapsed]).suffix(2) == [false, true])
    }

    @Test func `an owner is not hung that only begins, is another process, or does not say who it is`() {
        let (held, lapsed) = (Look(owner, 1, isHeld: true), Look(owner, 1))
        // What another process of that name has left behind.
        #expect(!judged(lapsed, lapsed, lapsed, lapsed).contains(true))
        #expect(!judged(held, Look(other, 1), Look(other, 1), Look(other, 1), Look(other, 1)).contains(true))
        #expect(!judged(held, Look(owner, 2), Look(owner, 2), Look(owner, 2), Look(owner, 2)).contains(true))
        #expect(!judged(held, Look(nil, 1), Look(nil, 1), Look(nil, 1), lapsed, lapsed, lapsed).contains(true))
        let renamed = Look(owner, holder: "b", 1)
        #expect(!judged(held, renamed, renamed, renamed, renamed).contains(true))
        #expect(!judged(held, Look(owner, nil), Look(owner, nil), Look(owner, nil)).contains(true))
    }

    @Test func `a lock has one owner, who says so, and none once it is released`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lock-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // A folder of the test's own; one that stays behind harms nobody.
        defer { try? FileManager.default.removeItem(at: folder) }
        let data = DataDirectory(folder.path())
        let lock = try #require(try InstanceLock.ifFree(data))
        #expect(InstanceLock.owner(data) == nil)
        try lock.sign(owner)
        #expect(InstanceLock.owner(data) == owner)
        let second = try InstanceLock.ifFree(data)
        #expect(second == nil)
        #expect(throws: ServeFailure.self) { try InstanceLock(data) }
        try lock.sign(nil)
        #expect(InstanceLock.owner(data) == nil)
        lock.release()
        let next = try InstanceLock(data)
        next.release()
    }
}
