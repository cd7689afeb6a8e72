//! The platform's objects that stand in no namespace: `data/cluster-objects.yaml`.

use serde::Deserialize;

use super::confidence::Confidence;
use super::node_keys::Place;
use super::platform::Platform;
use crate::k8s::object::Object;

/// The platform's objects that stand in no namespace, and metadata on them that has to be as it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterObjects {
    /// The objects.
    pub objects: Vec<ClusterObject>,
    /// Metadata by which the system treats them.
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
    /// Exact names; empty where marks alone tell.
    #[serde(default)]
    pub names: Vec<String>,
    /// How its name begins.
    #[serde(default)]
    pub prefix: Option<String>,
    /// How its name ends: a custom resource definition's is its group.
    #[serde(default)]
    pub suffix: Option<String>,
    /// A label that it has, by key, and the value where that counts.
    #[serde(default)]
    pub label: Option<KeyValue>,
    /// The value of a top-level field.
    #[serde(default)]
    pub field: Option<KeyValue>,
    /// Whose it is: `arc` for the Arc agents, who have a rule of their own.
    pub owner: String,
    /// What it belongs to, for people.
    pub product: String,
    /// Platforms it exists on; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
    /// When it was looked at.
    pub checked: String,
}

/// A key, and the value where that counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyValue {
    /// Exact key.
    pub key: String,
    /// Exact value; any without one.
    #[serde(default)]
    pub value: Option<String>,
}

/// A key on the platform's objects that has to be as it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterKey {
    /// On objects of these kinds.
    pub kinds: Vec<String>,
    /// Label or annotation.
    pub on: Place,
    /// Exact key.
    pub key: String,
    /// The value it has to have.
    pub value: String,
    /// What changing it does, for people.
    pub note: String,
    /// Whether that is a risk and no more, whatever the object's weight.
    #[serde(default)]
    pub light: bool,
    /// Where it is written.
    pub source: String,
    /// When it was looked at.
    pub checked: String,
}

/// A webhook configuration of the platform's. What is in the cluster tells whether it is: users install the same products.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformWebhooks {
    /// Kind.
    pub kind: String,
    /// Exact name.
    pub name: String,
    /// The Deployment whose presence proves that the platform brought it.
    pub proof: Named,
    /// Whether it may be missing although the proof is there.
    #[serde(default)]
    pub optional: bool,
    /// Whether it is the platform's wherever it is, so that a policy may protect it by name.
    #[serde(default)]
    pub always: bool,
    /// What it belongs to, for people.
    pub product: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
    /// When it was looked at.
    pub checked: String,
}

/// An object of a namespace, by name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Namespace.
    pub namespace: String,
    /// Exact name.
    pub name: String,
}

impl ClusterObjects {
    /// The row that an object is of.
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
    fn every_row_says_which_objects_it_means() {
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
