/// The fields of a Rollout and of the objects beside it.
///
/// - Source: Argo Rollouts, pkg/apis/rollouts/v1alpha1/types.go; Kubernetes API, core/v1 and networking.k8s.io/v1.
extension FieldShape {
    /// A whole document: envelope and `spec`.
    static func document(spec: FieldShape, _ others: [String: FieldShape] = [:]) -> FieldShape {
        let envelope: [String: FieldShape] = [
            "apiVersion": .text, "kind": .text, "metadata": metadata, "spec": spec, "status": .any,
        ]
        return .object(envelope.merging(others) { $1 })
    }

    static let metadata = FieldShape.object([
        "name": .text, "namespace": .text, "labels": .map(.text), "annotations": .map(.text), "generateName": .text,
        "uid": .text, "resourceVersion": .text, "generation": .any, "creationTimestamp": .any,
        "deletionTimestamp": .any, "deletionGracePeriodSeconds": .any, "ownerReferences": .any, "finalizers": .any,
        "managedFields": .any, "selfLink": .text,
    ])

    static let rollout = document(
        spec: .object([
            "replicas": .integer, "selector": selector, "template": podTemplate,
            "workloadRef": .object(["apiVersion": .text, "kind": .text, "name": .text, "scaleDown": .text]),
            "minReadySeconds": .integer, "rollbackWindow": .object(["revisions": .integer]),
            "strategy": .object(["canary": canary, "blueGreen": blueGreen]),
            "revisionHistoryLimit": .integer, "paused": .flag, "progressDeadlineSeconds": .integer,
            "progressDeadlineAbort": .flag, "restartAt": .text,
            "analysis": .object(["successfulRunHistoryLimit": .integer, "unsuccessfulRunHistoryLimit": .integer]),
        ]))

    static let selector = FieldShape.object([
        "matchLabels": .map(.text),
        "matchExpressions": .list(.object(["key": .text, "operator": .text, "values": .list(.text)])),
    ])

    private static let podMetadata = FieldShape.object(["labels": .map(.text), "annotations": .map(.text)])

    private static let antiAffinity = FieldShape.object([
        "preferredDuringSchedulingIgnoredDuringExecution": .object(["weight": .integer]),
        "requiredDuringSchedulingIgnoredDuringExecution": .any,
    ])

    private static let canary = FieldShape.object([
        "canaryService": .text, "stableService": .text, "steps": .list(step), "trafficRouting": trafficRouting,
        "maxUnavailable": .integerOrText, "maxSurge": .integerOrText, "analysis": backgroundAnalysis,
        "antiAffinity": antiAffinity, "canaryMetadata": podMetadata, "stableMetadata": podMetadata,
        "scaleDownDelaySeconds": .integer, "scaleDownDelayRevisionLimit": .integer,
        "abortScaleDownDelaySeconds": .integer, "dynamicStableScale": .flag,
        "pingPong": .object(["pingService": .text, "pongService": .text]), "minPodsPerReplicaSet": .integer,
        "replicaProgressThreshold": .object(["type": .text, "value": .integer]),
    ])

    private static let blueGreen = FieldShape.object([
        "activeService": .text, "previewService": .text, "previewReplicaCount": .integer,
        "autoPromotionEnabled": .flag, "autoPromotionSeconds": .integer, "maxUnavailable": .integerOrText,
        "scaleDownDelaySeconds": .integer, "scaleDownDelayRevisionLimit": .integer,
        "prePromotionAnalysis": stepAnalysis, "postPromotionAnalysis": stepAnalysis, "antiAffinity": antiAffinity,
        "previewMetadata": podMetadata, "activeMetadata": podMetadata, "abortScaleDownDelaySeconds": .integer,
    ])

    private static let match = FieldShape.object(["exact": .text, "regex": .text, "prefix": .text])

    private static let step = FieldShape.object([
        "setWeight": .integer, "pause": .object(["duration": .integerOrText]),
        "setCanaryScale": .object(["weight": .integer, "replicas": .integer, "matchTrafficWeight": .flag]),
        "setHeaderRoute": .object([
            "name": .text, "match": .list(.object(["headerName": .text, "headerValue": match])),
        ]),
        "setMirrorRoute": .object([
            "name": .text, "percentage": .integer,
            "match": .list(.object(["method": match, "path": match, "headers": .map(match)])),
        ]),
        "analysis": stepAnalysis, "experiment": experimentStep, "plugin": .object(["name": .text, "config": .any]),
    ])

    private static let trafficRouting = FieldShape.object([
        "nginx": .object([
            "stableIngress": .text, "stableIngresses": .list(.text), "annotationPrefix": .text,
            "additionalIngressAnnotations": .map(.text), "canaryIngressAnnotations": .map(.text),
        ]),
        "istio": .any, "alb": .any, "smi": .any, "ambassador": .any, "appMesh": .any, "traefik": .any,
        "apisix": .any, "plugins": .any, "managedRoutes": .list(.object(["name": .text])),
        "maxTrafficWeight": .integer,
    ])

    static let podTemplate = FieldShape.object(["metadata": metadata, "spec": podSpec])

    /// Known by name as far as the whole is concerned; what a pod does with it is the platform's business.
    private static let podSpec = FieldShape.object(
        Dictionary(
            uniqueKeysWithValues: [
                "volumes", "initContainers", "containers", "ephemeralContainers", "restartPolicy",
                "terminationGracePeriodSeconds", "activeDeadlineSeconds", "dnsPolicy", "nodeSelector",
                "serviceAccountName", "serviceAccount", "automountServiceAccountToken", "nodeName", "hostNetwork",
                "hostPID", "hostIPC", "shareProcessNamespace", "securityContext", "imagePullSecrets", "hostname",
                "subdomain", "affinity", "schedulerName", "tolerations", "hostAliases", "priorityClassName",
                "priority", "dnsConfig", "readinessGates", "runtimeClassName", "enableServiceLinks",
                "preemptionPolicy", "overhead", "topologySpreadConstraints", "setHostnameAsFQDN", "os", "hostUsers",
                "schedulingGates", "resourceClaims", "resources", "hostnameOverride",
            ].map { ($0, $0 == "containers" || $0 == "initContainers" ? .list(container) : podShapes[$0] ?? .any) }))

    private static let podShapes: [String: FieldShape] = [
        "restartPolicy": .text, "terminationGracePeriodSeconds": .integer, "serviceAccountName": .text,
        "hostNetwork": .flag, "nodeSelector": .map(.text),
    ]

    private static let container = FieldShape.object([
        "name": .text, "image": .text, "command": .list(.text), "args": .list(.text), "workingDir": .text,
        "ports": .list(
            .object([
                "name": .text, "containerPort": .integer, "hostPort": .integer, "protocol": .text, "hostIP": .text,
            ])),
        "envFrom": .any, "env": .list(.object(["name": .text, "value": .text, "valueFrom": .any])),
        "resources": .any, "resizePolicy": .any, "restartPolicy": .text, "restartPolicyRules": .any,
        "volumeMounts": .any, "volumeDevices": .any, "livenessProbe": probe, "readinessProbe": probe,
        "startupProbe": probe, "lifecycle": .any, "terminationMessagePath": .text,
        "terminationMessagePolicy": .text, "imagePullPolicy": .text, "securityContext": .any, "stdin": .flag,
        "stdinOnce": .flag, "tty": .flag,
    ])

    private static let probe = FieldShape.object([
        "httpGet": .object([
            "path": .text, "port": .integerOrText, "host": .text, "scheme": .text, "httpHeaders": .any,
        ]),
        "tcpSocket": .object(["port": .integerOrText, "host": .text]), "exec": .object(["command": .list(.text)]),
        "grpc": .any, "initialDelaySeconds": .integer, "timeoutSeconds": .integer, "periodSeconds": .integer,
        "successThreshold": .integer, "failureThreshold": .integer, "terminationGracePeriodSeconds": .integer,
    ])

    static let service = document(
        spec: .object(
            Dictionary(
                uniqueKeysWithValues: [
                    "type", "clusterIP", "clusterIPs", "externalIPs", "sessionAffinity", "sessionAffinityConfig",
                    "loadBalancerIP", "loadBalancerSourceRanges", "loadBalancerClass", "externalName",
                    "externalTrafficPolicy", "internalTrafficPolicy", "healthCheckNodePort",
                    "publishNotReadyAddresses", "ipFamilies", "ipFamilyPolicy", "allocateLoadBalancerNodePorts",
                    "trafficDistribution",
                ].map { ($0, .any) }
            ).merging([
                "selector": .map(.text),
                "ports": .list(
                    .object([
                        "name": .text, "port": .integer, "targetPort": .integerOrText, "nodePort": .integer,
                        "protocol": .text, "appProtocol": .text,
                    ])),
            ]) { $1 }))

    private static let ingressBackend = FieldShape.object([
        "service": .object(["name": .text, "port": .object(["number": .integer, "name": .text])]), "resource": .any,
    ])

    static let ingress = document(
        spec: .object([
            "ingressClassName": .text, "defaultBackend": ingressBackend, "tls": .any,
            "rules": .list(
                .object([
                    "host": .text,
                    "http": .object([
                        "paths": .list(.object(["path": .text, "pathType": .text, "backend": ingressBackend]))
                    ]),
                ])),
        ]))
}
