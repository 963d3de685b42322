import API
import Control
import Ledger

extension InstanceDuties {
    /// What the leases say that this instance does now.
    init(_ holder: LeaseHolder) {
        let certain = Set(holder.certain)
        self.init(
            cluster: holder.shards.cluster, shards: holder.shards.names.count(where: certain.contains),
            leases: holder.singles.filter(certain.contains).sorted())
    }
}

extension InstanceHalt {
    /// What stands still of what this instance does alone.
    static func all(_ sealer: Sealer?, _ projectors: [Projector]) async -> [InstanceHalt] {
        var halts: [InstanceHalt] = []
        for projector in projectors {
            guard let halt = await projector.halt else { continue }
            halts.append(InstanceHalt(service: "projection/\(halt.projection)", reason: halt.description))
        }
        if let halt = await sealer?.halt { halts.append(InstanceHalt(service: "sealer", reason: halt.reason)) }
        return halts.sorted { $0.service < $1.service }
    }
}
