//! The parts of a pod that values of the chart hold, in Kubernetes' own words.
#![expect(clippy::struct_field_names, reason = "fields have the names that Kubernetes gave them")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// Memory and CPU of a container.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct PodResources {
    /// The most that it may use.
    limits: BTreeMap<String, Quantity>,
    /// What is set aside for it.
    requests: BTreeMap<String, Quantity>,
}

impl PodResources {
    /// A limit of the memory, and what is set aside of CPU and memory.
    pub(super) fn new(most: &str, cpu: &str, memory: &str) -> Self {
        let quantity = |name: &str, text: &str| (name.to_owned(), Quantity(text.to_owned()));
        PodResources {
            limits: BTreeMap::from([quantity("memory", most)]),
            requests: BTreeMap::from([quantity("cpu", cpu), quantity("memory", memory)]),
        }
    }
}

impl Default for PodResources {
    fn default() -> Self {
        PodResources::new("128Mi", "20m", "32Mi")
    }
}

/// A quantity, such as 64Mi, 20m or 1.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Quantity(String);

impl JsonSchema for Quantity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "number"]})
    }
}

/// A taint that is tolerated.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Toleration {
    /// The taint's effect; all unless set.
    effect: String,
    /// The taint's key; all unless set.
    key: String,
    /// `Exists` or `Equal`.
    operator: String,
    /// How long a pod stays on a node with such a taint of the effect NoExecute.
    toleration_seconds: i64,
    /// The taint's value.
    value: String,
}

/// Rules for the nodes of pods.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Affinity {
    /// Labels that nodes have to have, or should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "NodeAffinity")]
    node_affinity: Option<NodeAffinity>,
    /// Pods beside which a pod should run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PodAffinity")]
    pod_affinity: Option<PodAffinity>,
    /// Pods beside which a pod should not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PodAffinity")]
    pod_anti_affinity: Option<PodAffinity>,
}

/// Labels that nodes have to have, or should have.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct NodeAffinity {
    /// Nodes that come first, by weight.
    preferred_during_scheduling_ignored_during_execution: Vec<PreferredNodes>,
    /// Nodes that are possible at all.
    required_during_scheduling_ignored_during_execution: NodeSelector,
}

/// Nodes with a weight.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PreferredNodes {
    /// The nodes.
    preference: NodeTerm,
    /// Their weight, from 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    weight: u8,
}

/// Nodes that match one of several terms.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct NodeSelector {
    /// The terms.
    node_selector_terms: Vec<NodeTerm>,
}

/// Requirements that a node has to meet together.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct NodeTerm {
    /// Requirements of labels.
    match_expressions: Vec<LabelRequirement>,
    /// Requirements of fields.
    match_fields: Vec<LabelRequirement>,
}

/// A requirement of a label or field.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct LabelRequirement {
    /// Its key.
    key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`.
    operator: String,
    /// The values.
    values: Vec<String>,
}

/// Pods beside which a pod should or should not run.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PodAffinity {
    /// Terms that count by weight.
    preferred_during_scheduling_ignored_during_execution: Vec<PreferredPods>,
    /// Terms that have to hold.
    required_during_scheduling_ignored_during_execution: Vec<PodTerm>,
}

/// Pods with a weight.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PreferredPods {
    /// The pods.
    pod_affinity_term: PodTerm,
    /// Their weight, from 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    weight: u8,
}

/// Pods, and what counts as beside them.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PodTerm {
    /// Labels of the pods.
    label_selector: PodSelector,
    /// Labels of the pods' namespaces.
    namespace_selector: PodSelector,
    /// Names of the pods' namespaces.
    namespaces: Vec<String>,
    /// The label of nodes whose value is the same for all that are beside each other.
    topology_key: String,
}

/// Labels that objects have to have.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PodSelector {
    /// Requirements.
    match_expressions: Vec<LabelRequirement>,
    /// Labels with their values.
    match_labels: BTreeMap<String, String>,
}
