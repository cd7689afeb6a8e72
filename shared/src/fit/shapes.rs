//! The shapes of kinds: Kubernetes API reference, and of custom resources no more than rules look at.

use super::Shape::{self, Any, Fields, Flag, List, Map, Nested, Number, Text, Time};

/// Kinds of one shape, by their names.
type Kinds = &'static [&'static str];

/// The fields of an object beside its metadata, with the shape of each.
type Fieldset = &'static [(&'static str, Shape)];

/// The fields of kinds, by their names; for all others [`OTHERS`].
pub(super) static TYPES: &[(Kinds, Fieldset)] = &[
    (&["Node"], &[("spec", NODE_SPEC), ("status", NODE_STATUS)]),
    (&["Namespace"], &[("spec", Fields(&[("finalizers", TEXTS)])), ("status", MAP)]),
    (&["Pod"], &[("spec", POD_SPEC), ("status", POD_STATUS)]),
    (
        &["DaemonSet", "Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"],
        &[("spec", WORKLOAD), ("status", WORKLOAD_STATUS)],
    ),
    (&["Job"], &[("spec", WORKLOAD), ("status", MAP)]),
    (
        &["CronJob"],
        &[
            ("spec", Fields(&[("schedule", Text), ("suspend", Flag), ("jobTemplate", Fields(&[("spec", WORKLOAD)]))])),
            ("status", MAP),
        ],
    ),
    (&["ConfigMap"], &[("data", STRINGS), ("binaryData", STRINGS), ("immutable", Flag)]),
    (&["Service"], &[("spec", SERVICE), ("status", MAP)]),
    (&["ServiceAccount"], &[("secrets", MAPS), ("imagePullSecrets", MAPS), ("automountServiceAccountToken", Flag)]),
    (&["Role", "ClusterRole"], &[("rules", List(&RBAC_RULE)), ("aggregationRule", MAP)]),
    (&["RoleBinding", "ClusterRoleBinding"], &[("subjects", List(&SUBJECT)), ("roleRef", SUBJECT)]),
    (&["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"], &[("webhooks", List(&WEBHOOK))]),
    (
        &["EndpointSlice"],
        &[
            ("endpoints", List(&Fields(&[("conditions", Fields(&[("ready", Flag)])), ("addresses", TEXTS)]))),
            ("ports", MAPS),
        ],
    ),
    (&["PodDisruptionBudget"], &[("spec", MAP), ("status", BUDGET_STATUS)]),
    (
        &["CustomResourceDefinition"],
        &[("spec", Fields(&[("group", Text), ("names", MAP), ("scope", Text), ("versions", MAPS)])), ("status", MAP)],
    ),
    (
        &["APIService"],
        &[
            ("spec", Fields(&[("group", Text), ("version", Text), ("service", MAP), ("caBundle", Text)])),
            ("status", MAP),
        ],
    ),
    (&["IngressClass"], &[("spec", Fields(&[("controller", Text)]))]),
    (&["PriorityClass"], &[("value", Number), ("globalDefault", Flag), ("description", Text)]),
    (
        &["StorageClass"],
        &[
            ("provisioner", Text),
            ("parameters", STRINGS),
            ("reclaimPolicy", Text),
            ("volumeBindingMode", Text),
            ("allowVolumeExpansion", Flag),
            ("mountOptions", TEXTS),
        ],
    ),
    (
        &["Cluster", "Machine", "MachineDeployment", "MachineSet", "KubeadmControlPlane"],
        &[("spec", Fields(&[("paused", Flag), ("providerID", Text)])), ("status", MAP)],
    ),
    (&["ExtensionConfig"], &[("spec", Fields(&[("extensionType", Text)])), ("status", MAP)]),
];

/// What a kind has of which no more is known.
pub(super) static OTHERS: &[(&str, Shape)] = &[("spec", MAP), ("status", MAP)];

/// What the subresource `scale` shows of any kind (`autoscaling/v1`).
pub(super) static SCALE: &[(&str, Shape)] = &[("spec", Fields(&[("replicas", Number)])), ("status", MAP)];

/// `metadata.ownerReferences`.
pub(super) static OWNERS: Shape = List(&Fields(&[("apiVersion", Text), ("kind", Text), ("name", Text), ("uid", Text)]));

/// An entry of `metadata.managedFields`.
pub(super) static ENTRY: Shape = Fields(&[
    ("manager", Text),
    ("operation", Text),
    ("apiVersion", Text),
    ("time", Time),
    ("subresource", Text),
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
    ("taints", List(&Fields(&[("key", Text), ("value", Text), ("effect", Text)]))),
    ("unschedulable", Flag),
]);

const NODE_STATUS: Shape = Fields(&[
    ("capacity", Fields(&[("cpu", Text), ("memory", Text), ("ephemeral-storage", Text)])),
    ("conditions", List(&CONDITION)),
    (
        "nodeInfo",
        Fields(&[
            ("architecture", Text),
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

const CONDITION: Shape = Fields(&[("type", Text), ("status", Text), ("lastTransitionTime", Text)]);

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
    ("volumes", List(&Fields(&[("name", Text), ("hostPath", Fields(&[("path", Text)]))]))),
    ("tolerations", MAPS),
    ("securityContext", Fields(&[("windowsOptions", WINDOWS)])),
]);

const CONTAINER: Shape = Fields(&[
    ("name", Text),
    ("image", Text),
    ("restartPolicy", Text),
    ("command", TEXTS),
    ("args", TEXTS),
    ("env", List(&Fields(&[("name", Text), ("value", Text), ("valueFrom", MAP)]))),
    ("ports", MAPS),
    ("resources", MAP),
    ("volumeMounts", List(&Fields(&[("name", Text), ("mountPath", Text), ("readOnly", Flag)]))),
    (
        "securityContext",
        Fields(&[("privileged", Flag), ("capabilities", Fields(&[("add", TEXTS)])), ("windowsOptions", WINDOWS)]),
    ),
]);

const WINDOWS: Shape = Fields(&[("hostProcess", Flag)]);

const POD_STATUS: Shape = Fields(&[
    ("phase", Text),
    ("initContainerStatuses", List(&CONTAINER_STATUS)),
    ("containerStatuses", List(&CONTAINER_STATUS)),
]);

const CONTAINER_STATUS: Shape =
    Fields(&[("name", Text), ("restartCount", Number), ("state", Fields(&[("waiting", Fields(&[("reason", Text)]))]))]);

const WORKLOAD: Shape =
    Fields(&[("replicas", Number), ("selector", MAP), ("template", Fields(&[("metadata", MAP), ("spec", POD_SPEC)]))]);

const WORKLOAD_STATUS: Shape = Fields(&[
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
    ("ports", MAPS),
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
