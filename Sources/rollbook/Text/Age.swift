import EventSourcing

extension Duration {
    /// A length of time as Kubernetes shortens it: `45s`, `2m10s`, `3h`, `5d`.
    ///
    /// - Source: k8s.io/apimachinery, util/duration, `HumanDuration`.
    var age: String {
        let seconds = components.seconds
        let (minutes, hours) = (seconds / 60, seconds / 3600)
        func pair(_ whole: Int64, _ unit: String, _ rest: Int64, _ restUnit: String) -> String {
            rest == 0 ? "\(whole)\(unit)" : "\(whole)\(unit)\(rest)\(restUnit)"
        }
        switch seconds {
        case ..<0: return "0s"
        case ..<120: return "\(seconds)s"
        case ..<600: return pair(minutes, "m", seconds % 60, "s")
        case ..<10_800: return "\(minutes)m"
        case ..<28_800: return pair(hours, "h", minutes % 60, "m")
        case ..<172_800: return "\(hours)h"
        case ..<691_200: return pair(hours / 24, "d", hours % 24, "h")
        default: return "\(hours / 24)d"
        }
    }
}
