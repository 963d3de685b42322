import Analysis
import Delivery

extension RolloutPhase {
    /// Icon and word, such as `✔ Healthy`.
    var shown: String {
        switch self {
        case .healthy: "✔ Healthy"
        case .progressing: "◌ Progressing"
        case .paused: "॥ Paused"
        case .degraded: "✖ Degraded"
        }
    }

    var colour: Paint.Colour {
        switch self {
        case .healthy: .green
        case .progressing: .blue
        case .paused: .yellow
        case .degraded: .red
        }
    }
}

extension AnalysisPhase {
    /// Icon and word, such as `✖ Failed`.
    var shown: String {
        switch self {
        case .pending: "◷ Pending"
        case .running: "◌ Running"
        case .successful: "✔ Successful"
        case .failed: "✖ Failed"
        case .inconclusive: "? Inconclusive"
        case .error: "⚠ Error"
        }
    }

    var colour: Paint.Colour {
        switch self {
        case .pending, .inconclusive: .yellow
        case .running: .blue
        case .successful: .green
        case .failed, .error: .red
        }
    }
}

extension SetView.Phase {
    /// Icon and word.
    var shown: String {
        switch self {
        case .healthy: "✔ Healthy"
        case .progressing: "◌ Progressing"
        case .scaledDown: "• ScaledDown"
        }
    }

    var colour: Paint.Colour? {
        switch self {
        case .healthy: .green
        case .progressing: .blue
        case .scaledDown: nil
        }
    }
}

extension SetRole {
    var colour: Paint.Colour? {
        switch self {
        case .stable: .green
        case .canary: .yellow
        case .old: nil
        }
    }
}
