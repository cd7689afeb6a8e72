//! The shapes of kinds. For Kubernetes' own kinds they cover the fields that objects usually have (Kubernetes API
//! reference, v1.33), for custom resources only those that rules read.

use super::shape::Shape::{self, Amount, Any, Bytes, Fields, Flag, List, Map, Nested, Number, Text, Time};

/// The names of kinds of one shape.
type Kinds = &'static [&'static str];

/// The fields of an object beside its metadata, with the shape of each.
pub(crate) type Fieldset = &'static [(&'static str, Shape)];

/// The fields of a kind, by the name that an object gives itself.
pub(crate) fn of(kind: &str) -> Fieldset {
    if kind == SCALE_KIND {
        return SCALE;
    }
    let own = TYPES.iter().find(|(kinds, _)| kinds.contains(&kind));
    own.map_or(OTHERS, |(_, fields)| fields)
}

/// The shape of one of these fields.
pub(crate) fn of_field(fields: Fieldset, name: &str) -> Option<&'static Shape> {
    fields.iter().find(|(own, _)| *own == name).map(|(_, shape)| shape)
}

/// The kind of the object of a `scale` request.
pub(super) const SCALE_KIND: &str = "Scale";

/// The fields of kinds, by name. All other kinds have [`OTHERS`].
static TYPES: &[(Kinds, Fieldset)] = &[
    (&["Node"], &[("spec", NODE_SPEC), ("status", NODE_STATUS)]),
    (
        &["Namespace"],
        &[
            ("spec", Fields(&[("finalizers", TEXTS)])),
            ("status", Fields(&[("phase", Text), ("conditions", List(&CONDITION))])),
        ],
    ),
    (&["Pod"], &[("spec", POD_SPEC), ("status", POD_STATUS)]),
    (&["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"], &[("spec", WORKLOAD), ("status", WORKLOAD_STATUS)]),
    (
        &["ReplicationController"],
        &[
            ("spec", Fields(&[("replicas", Number), ("selector", STRINGS), ("template", TEMPLATE)])),
            ("status", WORKLOAD_STATUS),
        ],
    ),
    (&["Job"], &[("spec", JOB), ("status", Fields(&[("active", Number), ("startTime", Time)]))]),
    (
        &["CronJob"],
        &[
            (
                "spec",
                Fields(&[
                    ("schedule", Text),
                    ("suspend", Flag),
                    ("concurrencyPolicy", Text),
                    ("jobTemplate", Fields(&[("spec", JOB)])),
                ]),
            ),
            ("status", Fields(&[("lastScheduleTime", Time)])),
        ],
    ),
    (
        &["HorizontalPodAutoscaler"],
        &[
            (
                "spec",
                Fields(&[
                    ("minReplicas", Number),
                    ("maxReplicas", Number),
                    ("scaleTargetRef", Fields(&[("apiVersion", Text), ("kind", Text), ("name", Text)])),
                    ("metrics", List(&METRIC)),
                ]),
            ),
            ("status", MAP),
        ],
    ),
    (&["LimitRange"], &[("spec", Fields(&[("limits", List(&LIMIT))]))]),
    (
        &["ResourceQuota"],
        &[
            ("spec", Fields(&[("hard", QUANTITIES), ("scopes", List(&Text))])),
            ("status", Fields(&[("hard", QUANTITIES), ("used", QUANTITIES)])),
        ],
    ),
    (
        &["NetworkPolicy"],
        &[(
            "spec",
            Fields(&[
                ("podSelector", SELECTOR),
                ("policyTypes", List(&Text)),
                ("ingress", List(&Fields(&[("from", List(&PEER)), ("ports", List(&POLICY_PORT))]))),
                ("egress", List(&Fields(&[("to", List(&PEER)), ("ports", List(&POLICY_PORT))]))),
            ]),
        )],
    ),
    (
        &["Ingress"],
        &[
            (
                "spec",
                Fields(&[
                    ("ingressClassName", Text),
                    ("rules", List(&Fields(&[("host", Text), ("http", Fields(&[("paths", List(&PATH))]))]))),
                    ("tls", List(&Fields(&[("hosts", TEXTS), ("secretName", Text)]))),
                ]),
            ),
            ("status", Fields(&[("loadBalancer", MAP)])),
        ],
    ),
    (&["ConfigMap"], &[("data", STRINGS), ("binaryData", Map(&Bytes)), ("immutable", Flag)]),
    (
        &["Service"],
        &[
            ("spec", SERVICE),
            (
                "status",
                Fields(&[("loadBalancer", Fields(&[("ingress", List(&Fields(&[("ip", Text), ("hostname", Text)])))]))]),
            ),
        ],
    ),
    (
        &["ServiceAccount"],
        &[("secrets", List(&NAMED)), ("imagePullSecrets", List(&NAMED)), ("automountServiceAccountToken", Flag)],
    ),
    (
        &["Role", "ClusterRole"],
        &[("rules", List(&RBAC_RULE)), ("aggregationRule", Fields(&[("clusterRoleSelectors", List(&SELECTOR))]))],
    ),
    (&["RoleBinding", "ClusterRoleBinding"], &[("subjects", List(&SUBJECT)), ("roleRef", SUBJECT)]),
    (&["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"], &[("webhooks", List(&WEBHOOK))]),
    (
        &["EndpointSlice"],
        &[
            ("endpoints", List(&Fields(&[("conditions", Fields(&[("ready", Flag)])), ("addresses", TEXTS)]))),
            ("ports", MAPS),
        ],
    ),
    (
        &["PodDisruptionBudget"],
        &[
            ("spec", Fields(&[("minAvailable", Amount), ("maxUnavailable", Amount), ("selector", SELECTOR)])),
            ("status", BUDGET_STATUS),
        ],
    ),
    (
        &["CustomResourceDefinition"],
        &[
            (
                "spec",
                Fields(&[
                    ("group", Text),
                    ("names", NAMES),
                    ("scope", Text),
                    ("preserveUnknownFields", Flag),
                    ("conversion", Fields(&[("strategy", Text)])),
                    (
                        "versions",
                        List(&Fields(&[
                            ("name", Text),
                            ("served", Flag),
                            ("storage", Flag),
                            ("schema", Fields(&[("openAPIV3Schema", Fields(&[("type", Text)]))])),
                        ])),
                    ),
                ]),
            ),
            ("status", Fields(&[("acceptedNames", NAMES), ("storedVersions", TEXTS)])),
        ],
    ),
    (
        &["APIService"],
        &[
            (
                "spec",
                Fields(&[
                    ("group", Text),
                    ("version", Text),
                    ("groupPriorityMinimum", Number),
                    ("versionPriority", Number),
                    ("insecureSkipTLSVerify", Flag),
                    ("service", Fields(&[("namespace", Text), ("name", Text), ("port", Number)])),
                    ("caBundle", Bytes),
                ]),
            ),
            ("status", Fields(&[("conditions", List(&CONDITION))])),
        ],
    ),
    (&["IngressClass"], &[("spec", Fields(&[("controller", Text)]))]),
    (
        &["PriorityClass"],
        &[("value", Number), ("globalDefault", Flag), ("description", Text), ("preemptionPolicy", Text)],
    ),
    (
        &["FlowSchema"],
        &[
            (
                "spec",
                Fields(&[
                    ("matchingPrecedence", Number),
                    ("priorityLevelConfiguration", NAMED),
                    ("distinguisherMethod", Fields(&[("type", Text)])),
                    ("rules", List(&Fields(&[("subjects", List(&Fields(&[("kind", Text), ("group", NAMED)])))]))),
                ]),
            ),
            ("status", MAP),
        ],
    ),
    (
        &["PriorityLevelConfiguration"],
        &[
            (
                "spec",
                Fields(&[
                    ("type", Text),
                    (
                        "limited",
                        Fields(&[("nominalConcurrencyShares", Number), ("limitResponse", Fields(&[("type", Text)]))]),
                    ),
                ]),
            ),
            ("status", MAP),
        ],
    ),
    (
        &["CSIDriver"],
        &[(
            "spec",
            Fields(&[
                ("attachRequired", Flag),
                ("podInfoOnMount", Flag),
                ("fsGroupPolicy", Text),
                ("volumeLifecycleModes", TEXTS),
                ("tokenRequests", List(&Fields(&[("audience", Text)]))),
            ]),
        )],
    ),
    (
        &["StorageClass"],
        &[
            ("provisioner", Text),
            ("parameters", STRINGS),
            ("reclaimPolicy", Text),
            ("volumeBindingMode", Text),
            ("allowVolumeExpansion", Flag),
            ("mountOptions", TEXTS),
            (
                "allowedTopologies",
                List(&Fields(&[("matchLabelExpressions", List(&Fields(&[("key", Text), ("values", TEXTS)])))])),
            ),
        ],
    ),
    (
        &["Cluster", "Machine", "MachineDeployment", "MachineSet", "KubeadmControlPlane"],
        &[("spec", Fields(&[("paused", Flag), ("providerID", Text)])), ("status", MAP)],
    ),
    (&["ExtensionConfig"], &[("spec", Fields(&[("extensionType", Text)])), ("status", MAP)]),
];

/// The fields of a kind that is not listed.
static OTHERS: &[(&str, Shape)] = &[("spec", MAP), ("status", MAP)];

/// The fields of the subresource `scale` of any kind (`autoscaling/v1`).
static SCALE: &[(&str, Shape)] = &[("spec", Fields(&[("replicas", Number)])), ("status", MAP)];

/// `metadata.ownerReferences`.
pub(super) static OWNERS: Shape = List(&Fields(&[
    ("apiVersion", Text),
    ("kind", Text),
    ("name", Text),
    ("uid", Text),
    ("controller", Flag),
    ("blockOwnerDeletion", Flag),
]));

/// An entry of `metadata.managedFields`.
pub(super) static ENTRY: Shape = Fields(&[
    ("manager", Text),
    ("operation", Text),
    ("apiVersion", Text),
    ("time", Time),
    ("subresource", Text),
    ("fieldsType", Text),
    ("fieldsV1", Nested),
]);

const MAP: Shape = Map(&Any);
const MAPS: Shape = List(&MAP);
const STRINGS: Shape = Map(&Text);
const TEXTS: Shape = List(&Text);

const NODE_SPEC: Shape = Fields(&[
    ("providerID", Text),
    ("podCIDR", Text),
    ("podCIDRs", TEXTS),
    ("taints", List(&Fields(&[("key", Text), ("value", Text), ("effect", Text), ("timeAdded", Time)]))),
    ("unschedulable", Flag),
]);

const NODE_STATUS: Shape = Fields(&[
    ("capacity", QUANTITIES),
    ("allocatable", QUANTITIES),
    ("conditions", List(&CONDITION)),
    ("addresses", List(&Fields(&[("type", Text), ("address", Text)]))),
    // Its content is most of a node, and no rule reads it.
    ("images", MAPS),
    ("daemonEndpoints", Fields(&[("kubeletEndpoint", Fields(&[("Port", Number)]))])),
    (
        "nodeInfo",
        Fields(&[
            ("architecture", Text),
            ("bootID", Text),
            ("machineID", Text),
            ("containerRuntimeVersion", Text),
            ("kernelVersion", Text),
            ("kubeProxyVersion", Text),
            ("kubeletVersion", Text),
            ("operatingSystem", Text),
            ("osImage", Text),
            ("systemUUID", Text),
        ]),
    ),
]);

const CONDITION: Shape = Fields(&[
    ("type", Text),
    ("status", Text),
    ("reason", Text),
    ("message", Text),
    ("lastHeartbeatTime", Time),
    ("lastTransitionTime", Time),
]);

const POD_SPEC: Shape = Fields(&[
    ("hostNetwork", Flag),
    ("hostPID", Flag),
    ("hostIPC", Flag),
    ("nodeName", Text),
    ("nodeSelector", STRINGS),
    ("serviceAccountName", Text),
    ("initContainers", List(&CONTAINER)),
    ("containers", List(&CONTAINER)),
    ("ephemeralContainers", List(&CONTAINER)),
    ("volumes", List(&VOLUME)),
    ("tolerations", List(&TOLERATION)),
    ("securityContext", Fields(&[("runAsUser", Number), ("fsGroup", Number), ("windowsOptions", WINDOWS)])),
    ("affinity", Fields(&[("nodeAffinity", Fields(&[(REQUIRED, Fields(&[("nodeSelectorTerms", List(&SELECTOR))]))]))])),
    ("automountServiceAccountToken", Flag),
    ("dnsPolicy", Text),
    ("enableServiceLinks", Flag),
    ("hostname", Text),
    ("imagePullSecrets", List(&NAMED)),
    ("priority", Number),
    ("priorityClassName", Text),
    ("restartPolicy", Text),
    ("schedulerName", Text),
    ("serviceAccount", Text),
    ("terminationGracePeriodSeconds", Number),
]);

const CONTAINER: Shape = Fields(&[
    ("name", Text),
    ("image", Text),
    ("restartPolicy", Text),
    ("command", TEXTS),
    ("args", TEXTS),
    ("env", List(&Fields(&[("name", Text), ("value", Text), ("valueFrom", Fields(&[("secretKeyRef", KEY)]))]))),
    ("envFrom", List(&Fields(&[("configMapRef", NAMED), ("secretRef", NAMED)]))),
    ("ports", List(&Fields(&[("name", Text), ("containerPort", Number), ("hostPort", Number), ("protocol", Text)]))),
    ("resources", Fields(&[("limits", QUANTITIES), ("requests", QUANTITIES)])),
    ("volumeMounts", List(&Fields(&[("name", Text), ("mountPath", Text), ("readOnly", Flag), ("subPath", Text)]))),
    ("livenessProbe", PROBE),
    ("readinessProbe", PROBE),
    ("startupProbe", PROBE),
    ("imagePullPolicy", Text),
    ("workingDir", Text),
    ("terminationMessagePath", Text),
    ("targetContainerName", Text),
    ("stdin", Flag),
    ("tty", Flag),
    (
        "securityContext",
        Fields(&[
            ("privileged", Flag),
            ("allowPrivilegeEscalation", Flag),
            ("runAsUser", Number),
            ("capabilities", Fields(&[("add", TEXTS), ("drop", TEXTS)])),
            ("windowsOptions", WINDOWS),
        ]),
    ),
]);

const WINDOWS: Shape = Fields(&[("hostProcess", Flag)]);

const POD_STATUS: Shape = Fields(&[
    ("phase", Text),
    ("podIP", Text),
    ("conditions", List(&CONDITION)),
    ("initContainerStatuses", List(&CONTAINER_STATUS)),
    ("containerStatuses", List(&CONTAINER_STATUS)),
]);

const CONTAINER_STATUS: Shape = Fields(&[
    ("name", Text),
    ("image", Text),
    ("imageID", Text),
    ("ready", Flag),
    ("restartCount", Number),
    ("state", Fields(&[("waiting", Fields(&[("reason", Text), ("message", Text)]))])),
]);

const VOLUME: Shape = Fields(&[
    ("name", Text),
    ("hostPath", Fields(&[("path", Text), ("type", Text)])),
    ("configMap", Fields(&[("name", Text), ("items", List(&Fields(&[("key", Text), ("path", Text)])))])),
    ("emptyDir", Fields(&[("medium", Text)])),
]);

const TOLERATION: Shape =
    Fields(&[("key", Text), ("operator", Text), ("value", Text), ("effect", Text), ("tolerationSeconds", Number)]);

const PROBE: Shape = Fields(&[("httpGet", Fields(&[("path", Text), ("port", Amount)])), ("periodSeconds", Number)]);

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

const KEY: Shape = Fields(&[("name", Text), ("key", Text)]);

const NAMED: Shape = Fields(&[("name", Text)]);

/// An amount for each resource. Numbers are accepted as well: `cpu: 1` is in many manifests (resource.Quantity,
/// kubernetes/apimachinery).
const QUANTITIES: Shape = Map(&Amount);

const TEMPLATE: Shape =
    Fields(&[("metadata", Fields(&[("labels", STRINGS), ("annotations", STRINGS)])), ("spec", POD_SPEC)]);

const WORKLOAD: Shape = Fields(&[
    ("replicas", Number),
    ("selector", SELECTOR),
    ("template", TEMPLATE),
    ("minReadySeconds", Number),
    ("paused", Flag),
    ("podManagementPolicy", Text),
    ("progressDeadlineSeconds", Number),
    ("revisionHistoryLimit", Number),
    ("serviceName", Text),
    ("strategy", STRATEGY),
    ("updateStrategy", STRATEGY),
    (
        "volumeClaimTemplates",
        List(&Fields(&[("metadata", Fields(&[("name", Text)])), ("spec", Fields(&[("accessModes", TEXTS)]))])),
    ),
]);

const STRATEGY: Shape = Fields(&[
    ("type", Text),
    ("rollingUpdate", Fields(&[("maxUnavailable", Amount), ("maxSurge", Amount), ("partition", Number)])),
]);

const JOB: Shape = Fields(&[
    ("parallelism", Number),
    ("completions", Number),
    ("backoffLimit", Number),
    ("suspend", Flag),
    ("selector", SELECTOR),
    ("template", TEMPLATE),
]);

const METRIC: Shape = Fields(&[
    ("type", Text),
    ("resource", Fields(&[("name", Text), ("target", Fields(&[("type", Text), ("averageUtilization", Number)]))])),
]);

const PEER: Shape = Fields(&[
    ("podSelector", SELECTOR),
    ("namespaceSelector", SELECTOR),
    ("ipBlock", Fields(&[("cidr", Text), ("except", List(&Text))])),
]);

const POLICY_PORT: Shape = Fields(&[("port", Amount), ("endPort", Number), ("protocol", Text)]);

const LIMIT: Shape = Fields(&[
    ("type", Text),
    ("default", QUANTITIES),
    ("defaultRequest", QUANTITIES),
    ("max", QUANTITIES),
    ("min", QUANTITIES),
]);

const PATH: Shape = Fields(&[
    ("path", Text),
    ("pathType", Text),
    (
        "backend",
        Fields(&[("service", Fields(&[("name", Text), ("port", Fields(&[("number", Number), ("name", Text)]))]))]),
    ),
]);

const NAMES: Shape = Fields(&[("kind", Text), ("plural", Text), ("singular", Text), ("shortNames", TEXTS)]);

const WORKLOAD_STATUS: Shape = Fields(&[
    ("replicas", Number),
    ("observedGeneration", Number),
    ("currentNumberScheduled", Number),
    ("numberMisscheduled", Number),
    ("readyReplicas", Number),
    ("desiredNumberScheduled", Number),
    ("numberReady", Number),
    ("conditions", List(&CONDITION)),
]);

const SERVICE: Shape = Fields(&[
    ("type", Text),
    ("clusterIP", Text),
    ("externalName", Text),
    ("externalIPs", TEXTS),
    ("clusterIPs", TEXTS),
    ("ipFamilies", TEXTS),
    ("sessionAffinity", Text),
    (
        "ports",
        List(&Fields(&[
            ("name", Text),
            ("port", Number),
            ("protocol", Text),
            ("targetPort", Amount),
            ("nodePort", Number),
        ])),
    ),
    ("selector", STRINGS),
]);

const RBAC_RULE: Shape = Fields(&[
    ("apiGroups", TEXTS),
    ("resources", TEXTS),
    ("resourceNames", TEXTS),
    ("nonResourceURLs", TEXTS),
    ("verbs", TEXTS),
]);

const SUBJECT: Shape = Fields(&[("apiGroup", Text), ("kind", Text), ("name", Text), ("namespace", Text)]);

const WEBHOOK: Shape = Fields(&[
    ("name", Text),
    ("failurePolicy", Text),
    ("sideEffects", Text),
    (
        "clientConfig",
        Fields(&[("caBundle", Text), ("service", Fields(&[("namespace", Text), ("name", Text), ("path", Text)]))]),
    ),
    (
        "rules",
        List(&Fields(&[
            ("apiGroups", TEXTS),
            ("apiVersions", TEXTS),
            ("operations", TEXTS),
            ("resources", TEXTS),
            ("scope", Text),
        ])),
    ),
    ("namespaceSelector", SELECTOR),
    ("objectSelector", SELECTOR),
    ("matchConditions", MAPS),
]);

const SELECTOR: Shape = Fields(&[
    ("matchLabels", STRINGS),
    ("matchExpressions", List(&Fields(&[("key", Text), ("operator", Text), ("values", TEXTS)]))),
]);

const BUDGET_STATUS: Shape = Fields(&[
    ("currentHealthy", Number),
    ("desiredHealthy", Number),
    ("disruptionsAllowed", Number),
    ("expectedPods", Number),
]);
