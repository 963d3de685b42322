/// The fields of templates, analyses and experiments.
///
/// - Source: Argo Rollouts, pkg/apis/rollouts/v1alpha1/analysis_types.go, experiment_types.go.
extension FieldShape {
    private static let fieldReference = FieldShape.object(["fieldPath": .text])

    private static let rolloutArgument = FieldShape.object([
        "name": .text, "value": .text,
        "valueFrom": .object(["podTemplateHashValue": .text, "fieldRef": fieldReference]),
    ])

    private static let templateArgument = FieldShape.object([
        "name": .text, "value": .text,
        "valueFrom": .object([
            "secretKeyRef": .object(["name": .text, "key": .text]), "fieldRef": fieldReference,
        ]),
    ])

    private static let templateReference = FieldShape.object(["templateName": .text, "clusterScope": .flag])
    private static let dryRun = FieldShape.list(.object(["metricName": .text]))
    private static let retention = FieldShape.list(.object(["metricName": .text, "limit": .integer]))

    private static let stepAnalysisFields: [String: FieldShape] = [
        "templates": .list(templateReference), "args": .list(rolloutArgument), "dryRun": dryRun,
        "measurementRetention": retention, "analysisRunMetadata": podLikeMetadata,
    ]

    private static let podLikeMetadata = FieldShape.object(["labels": .map(.text), "annotations": .map(.text)])

    static let stepAnalysis = FieldShape.object(stepAnalysisFields)
    static let backgroundAnalysis = FieldShape.object(
        stepAnalysisFields.merging(["startingStep": .integer]) { $1 })

    private static let experimentAnalysis = FieldShape.object([
        "name": .text, "templateName": .text, "clusterScope": .flag, "args": .list(rolloutArgument),
        "requiredForCompletion": .flag,
    ])

    static let experimentStep = FieldShape.object([
        "templates": .list(
            .object([
                "name": .text, "specRef": .text, "replicas": .integer, "weight": .integer, "service": .any,
                "selector": selector, "metadata": podLikeMetadata,
            ])),
        "duration": .text, "analyses": .list(experimentAnalysis), "dryRun": dryRun,
        "analysisRunMetadata": podLikeMetadata, "scaleDownDelaySeconds": .integer,
    ])

    static let experiment = document(
        spec: .object([
            "templates": .list(
                .object([
                    "name": .text, "replicas": .integer, "minReadySeconds": .integer, "selector": selector,
                    "template": podTemplate, "service": .any,
                ])),
            "duration": .text, "progressDeadlineSeconds": .integer, "terminate": .flag,
            "analyses": .list(experimentAnalysis), "scaleDownDelaySeconds": .integer, "dryRun": dryRun,
            "measurementRetention": retention, "analysisRunMetadata": podLikeMetadata,
        ]))

    private static let metric = FieldShape.object([
        "name": .text, "interval": .text, "initialDelay": .text, "count": .integerOrText, "successCondition": .text,
        "failureCondition": .text, "failureLimit": .integerOrText, "inconclusiveLimit": .integerOrText,
        "consecutiveErrorLimit": .integerOrText, "consecutiveSuccessLimit": .integerOrText,
        "provider": .object(
            Dictionary(uniqueKeysWithValues: providers.map { ($0, .any) })
                .merging(["prometheus": prometheus]) { $1 }),
    ])

    /// The names of Argo's metric providers.
    static let providers = [
        "prometheus", "kayenta", "web", "datadog", "wavefront", "newRelic", "job", "cloudWatch", "graphite",
        "influxdb", "skywalking", "plugin",
    ]

    private static let prometheus = FieldShape.object([
        "address": .text, "query": .text, "authentication": .any, "timeout": .integer, "insecure": .flag,
        "headers": .list(.object(["key": .text, "value": .text])), "rangeQuery": .any,
    ])

    static let analysisTemplate = document(
        spec: .object([
            "metrics": .list(metric), "args": .list(templateArgument), "dryRun": dryRun,
            "measurementRetention": retention, "templates": .list(templateReference),
        ]))

    static let analysisRun = document(
        spec: .object([
            "metrics": .list(metric), "args": .list(templateArgument), "dryRun": dryRun,
            "measurementRetention": retention, "terminate": .flag,
            "ttlStrategy": .object([
                "secondsAfterCompletion": .integer, "secondsAfterFailure": .integer,
                "secondsAfterSuccess": .integer,
            ]),
        ]))
}
