import Delivery
import EventSourcing

extension PodSpec {
    /// Reads a pod template.
    ///
    /// - Throws: `.rejected` with the field, its value, and what to write instead.
    init(template: JSONValue) throws(PlatformFailure) {
        guard let spec = template["spec"], let container = spec["containers"]?[0] else {
            throw Self.problem("spec.containers", "has no container: name one with a command")
        }
        let at = "spec.containers[0]"
        image = container["image"]?.stringValue ?? ""
        command = try Self.words(container["command"], "\(at).command") + Self.words(container["args"], "\(at).args")
        guard container["command"]?.arrayValue?.isEmpty == false else {
            throw Self.problem(
                "\(at).command", "is missing: the local platform runs processes, not images; name the program to run")
        }
        environment = []
        for (index, entry) in (container["env"]?.arrayValue ?? []).enumerated() {
            guard let name = entry["name"]?.stringValue, !name.isEmpty, !name.contains("=") else {
                throw Self.problem("\(at).env[\(index)].name", "is missing or has a “=”: give the variable a name")
            }
            if entry["valueFrom"] != nil {
                throw Self.problem(
                    "\(at).env[\(index)].valueFrom", "cannot be resolved without a cluster: give “\(name)” a value")
            }
            environment.append(Variable(name: name, value: entry["value"]?.stringValue ?? ""))
        }
        ports = []
        for (index, entry) in (container["ports"]?.arrayValue ?? []).enumerated() {
            guard let number = entry["containerPort"]?.intValue, (1...65535).contains(number) else {
                throw Self.problem("\(at).ports[\(index)].containerPort", "is not a number from 1 to 65535")
            }
            ports.append(Port(number: number, name: entry["name"]?.stringValue))
        }
        workingDirectory = container["workingDir"]?.stringValue
        let declared = ports
        readiness = try container["readinessProbe"].map { (probe: JSONValue) throws(PlatformFailure) in
            try ReadinessProbe(probe, at: "\(at).readinessProbe", ports: declared)
        }
        graceSeconds = spec["terminationGracePeriodSeconds"]?.intValue ?? 30
        guard graceSeconds >= 0 else {
            throw Self.problem("spec.terminationGracePeriodSeconds", "is \(graceSeconds): give 0 or more")
        }
    }

    static func problem(_ field: String, _ what: String) -> PlatformFailure {
        PlatformFailure(.rejected, "pod template: \(field) \(what)")
    }

    static func words(_ value: JSONValue?, _ field: String) throws(PlatformFailure) -> [String] {
        guard let value, !value.isNull else { return [] }
        guard let elements = value.arrayValue else { throw problem(field, "is not a list of texts") }
        var words: [String] = []
        for element in elements {
            guard let word = element.stringValue, !word.contains("\0") else {
                throw problem(field, "has an element that is no text: put it in quotes")
            }
            words.append(word)
        }
        return words
    }
}

extension ReadinessProbe {
    init(_ probe: JSONValue, at field: String, ports: [PodSpec.Port]) throws(PlatformFailure) {
        func port(_ value: JSONValue?, _ field: String) throws(PlatformFailure) -> String {
            let text = value?.intValue.map(String.init) ?? value?.stringValue ?? ""
            guard ports.contains(where: { $0.name == text || String($0.number) == text }) else {
                throw PodSpec.problem(
                    field, "is “\(text)”, which no entry of ports declares: add it there as containerPort")
            }
            return text
        }
        if let http = probe["httpGet"] {
            if let scheme = http["scheme"]?.stringValue, scheme.uppercased() != "HTTP" {
                throw PodSpec.problem("\(field).httpGet.scheme", "is \(scheme): the local platform probes by HTTP only")
            }
            let path = http["path"]?.stringValue ?? "/"
            guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                throw PodSpec.problem("\(field).httpGet.path", "is “\(path)”: use no spaces or control characters")
            }
            let headers = (http["httpHeaders"]?.arrayValue ?? []).map {
                PodSpec.Variable(name: $0["name"]?.stringValue ?? "", value: $0["value"]?.stringValue ?? "")
            }
            check = .http(
                path: path.hasPrefix("/") ? path : "/" + path, port: try port(http["port"], "\(field).httpGet.port"),
                headers: headers)
        } else if let tcp = probe["tcpSocket"] {
            check = .tcp(port: try port(tcp["port"], "\(field).tcpSocket.port"))
        } else if let exec = probe["exec"] {
            let command = try PodSpec.words(exec["command"], "\(field).exec.command")
            guard !command.isEmpty else { throw PodSpec.problem("\(field).exec.command", "is empty") }
            check = .exec(command)
        } else {
            throw PodSpec.problem(field, "names no check: give it httpGet, tcpSocket or exec")
        }
        func number(_ key: String, _ standard: Int, atLeast least: Int) throws(PlatformFailure) -> Int {
            guard let value = probe[key], !value.isNull else { return standard }
            guard let number = value.intValue, number >= least else {
                throw PodSpec.problem("\(field).\(key)", "is not a whole number from \(least) up")
            }
            return number
        }
        initialDelaySeconds = try number("initialDelaySeconds", 0, atLeast: 0)
        periodSeconds = try number("periodSeconds", 10, atLeast: 1)
        timeoutSeconds = try number("timeoutSeconds", 1, atLeast: 1)
        successThreshold = try number("successThreshold", 1, atLeast: 1)
        failureThreshold = try number("failureThreshold", 3, atLeast: 1)
    }
}
