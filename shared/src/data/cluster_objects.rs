//! The platform's cluster-scoped objects: `data/cluster-objects.yaml`.

use serde::Deserialize;

use super::confidence::Confidence;
use super::node_keys::Place;
use super::platform::Platform;
use crate::k8s::object::Object;

/// The platform's cluster-scoped objects, and metadata on them that must not change.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterObjects {
    /// The objects.
    pub objects: Vec<ClusterObject>,
    /// Metadata that decides how the system treats the objects.
    pub keys: Vec<ClusterKey>,
    /// Webhook configurations.
    pub webhooks: Vec<PlatformWebhooks>,
}

/// An object, or a family of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterObject {
    /// Kind.
    pub kind: String,
    /// Exact names. Empty for objects known by their marks alone.
    #[serde(default)]
    pub names: Vec<String>,
    /// The prefix of its name.
    #[serde(default)]
    pub prefix: Option<String>,
    /// The suffix of its name; for a CustomResourceDefinition that is the group.
    #[serde(default)]
    pub suffix: Option<String>,
    /// A label of the object: its key, and its value where that matters.
    #[serde(default)]
    pub label: Option<KeyValue>,
    /// The value of a top-level field.
    #[serde(default)]
    pub field: Option<KeyValue>,
    /// The owner; `arc` for the Arc agents, which have a rule of their own.
    pub owner: String,
    /// The product it belongs to, for people.
    pub product: String,
    /// Platforms it exists on; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
    /// The day on which the source was read.
    pub checked: String,
}

/// A key, and its value where that matters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyValue {
    /// Exact key.
    pub key: String,
    /// The exact value. Without one, any value matches.
    #[serde(default)]
    pub value: Option<String>,
}

/// A label or annotation on the platform's objects that must keep its value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterKey {
    /// The kinds of object it stands on.
    pub kinds: Vec<String>,
    /// Label or annotation.
    pub on: Place,
    /// Exact key.
    pub key: String,
    /// The required value.
    pub value: String,
    /// The effect of a change, for people.
    pub note: String,
    /// Whether a change is only a risk, whatever the weight of the object.
    #[serde(default)]
    pub light: bool,
    /// The source.
    pub source: String,
    /// The day on which the source was read.
    pub checked: String,
}

/// A webhook configuration of the platform. Users install the same products, so `proof` tells whose it is in a cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformWebhooks {
    /// Kind.
    pub kind: String,
    /// Exact name.
    pub name: String,
    /// The Deployment whose presence proves that the platform installed it.
    pub proof: Named,
    /// Whether it may be missing although the proof is present.
    #[serde(default)]
    pub optional: bool,
    /// Whether it belongs to the platform in every cluster, so that a policy may protect it by name.
    #[serde(default)]
    pub always: bool,
    /// The product it belongs to, for people.
    pub product: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
    /// The day on which the source was read.
    pub checked: String,
}

/// A namespaced object, by name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Namespace.
    pub namespace: String,
    /// Exact name.
    pub name: String,
}

impl ClusterObjects {
    /// The row that an object matches.
    pub fn find(&self, kind: &str, object: &Object<'_>) -> Option<&ClusterObject> {
        self.objects.iter().find(|row| row.is(kind, object))
    }
}

impl ClusterObject {
    fn is(&self, kind: &str, object: &Object<'_>) -> bool {
        let name = &*object.meta.name;
        let ends = |at: &Option<String>, has: fn(&str, &str) -> bool| at.as_ref().is_none_or(|part| has(name, part));
        let is_one = |value: Option<&str>, wanted: &KeyValue| {
            value.is_some_and(|value| wanted.value.as_ref().is_none_or(|wanted| *wanted == value))
        };
        self.kind == kind
            && (self.names.is_empty() || self.names.iter().any(|own| own == name))
            && ends(&self.prefix, |name, part| name.starts_with(part))
            && ends(&self.suffix, |name, part| name.ends_with(part))
            && self.label.as_ref().is_none_or(|label| is_one(object.meta.labels.get(&label.key), label))
            && self.field.as_ref().is_none_or(|field| is_one(object.field::<String>(&field.key).as_deref(), field))
    }
}

#[cfg(test)]
mod tests {
    use crate::data::embedded;
    use crate::k8s::kinds;

    #[test]
    fn every_row_identifies_its_objects() {
        for row in &embedded().cluster_objects.objects {
            let told = !row.names.is_empty() || row.prefix.is_some() || row.suffix.is_some() || row.label.is_some();
            assert!(told, "{row:?}");
            let kind = kinds::ALL.iter().find(|kind| kind.kind == row.kind);
            assert!(kind.is_some_and(|kind| !kind.namespaced), "{row:?}");
        }
        for row in &embedded().cluster_objects.webhooks {
            assert!(kinds::ALL.iter().any(|kind| kind.kind == row.kind), "{row:?}");
        }
    }
}
