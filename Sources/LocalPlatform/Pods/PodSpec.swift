import EventSourcing

/// What a pod template asks for, as far as a supervised process can give it.
struct PodSpec: Sendable, Hashable, Codable {
    /// A port that the container declares; each pod has one of its own for it.
    struct Port: Sendable, Hashable, Codable {
        var number: Int
        var name: String?
    }

    struct Variable: Sendable, Hashable, Codable {
        var name: String
        /// `$(NAME)` not yet replaced.
        var value: String
    }

    var image: String
    /// `command` and `args` together, not empty; `$(NAME)` not yet replaced.
    var command: [String]
    var environment: [Variable]
    var ports: [Port]
    var workingDirectory: String?
    var readiness: ReadinessProbe?
    /// From SIGTERM to SIGKILL.
    var graceSeconds: Int

    /// What stands behind the last colon of the image's name; `latest` if nothing does.
    var imageTag: String {
        let name = image.split(separator: "@", maxSplits: 1).first ?? ""
        let last = name.split(separator: "/").last ?? ""
        guard let colon = last.lastIndex(of: ":") else { return "latest" }
        return String(last[last.index(after: colon)...])
    }
}

/// When a pod may get traffic; the meaning and the defaults are those of Kubernetes.
struct ReadinessProbe: Sendable, Hashable, Codable {
    enum Check: Sendable, Hashable, Codable {
        /// Passes with a status from 200 to 399.
        case http(path: String, port: String, headers: [PodSpec.Variable])
        /// Passes if a connection is accepted.
        case tcp(port: String)
        /// Passes with exit code 0.
        case exec([String])
    }

    var check: Check
    var initialDelaySeconds = 0
    var periodSeconds = 10
    var timeoutSeconds = 1
    var successThreshold = 1
    var failureThreshold = 3
}
