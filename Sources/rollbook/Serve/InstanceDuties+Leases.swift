import API
import Control

extension InstanceDuties {
    /// What the leases say that this instance does now.
    init(_ holder: LeaseHolder) {
        let certain = Set(holder.certain)
        self.init(
            cluster: holder.shards.cluster, shards: holder.shards.names.count(where: certain.contains),
            leases: holder.singles.filter(certain.contains).sorted())
    }
}
