//! Objects that users may create or change among managed ones.

use serde::Deserialize;
use serde_json::Value;

use super::provenance::ProvenanceMarks;
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;

/// Objects that users may create or change among managed ones.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lawful {
    /// Kinds that never count.
    pub always: Vec<String>,
    /// Objects.
    pub objects: Vec<LawfulObject>,
    /// Deeds that make an object lawful, whatever its name and namespace.
    pub deeds: Vec<Deed>,
}

/// A change to nodes that Microsoft's documents tell users to make.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deed {
    /// The kind of the object that makes it.
    pub kind: String,
    /// The kernel module that it forbids.
    pub forbids_module: String,
    /// Why it is lawful.
    pub why: String,
    /// How well it is known.
    pub confidence: super::confidence::Confidence,
    /// The source.
    pub source: String,
    /// The day on which the source was last read.
    pub checked: jiff::civil::Date,
}

/// The purpose by which an object is recognised as the one that a document describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The object gives containers defaults and sets no bounds.
    ContainerDefaults,
    /// All images of the object come from Microsoft's registries.
    MicrosoftsImages,
}

/// An object that users may create or change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LawfulObject {
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Exact name; or `prefix`.
    #[serde(default)]
    pub name: Option<String>,
    /// The prefix of its name.
    #[serde(default)]
    pub prefix: Option<String>,
    /// The purpose that the object must have besides its name. Without one the name is enough. Not configurable.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub purpose: Option<Purpose>,
    /// Why it is lawful.
    #[serde(default)]
    pub why: String,
    /// The source.
    #[serde(default)]
    pub source: String,
}

impl Lawful {
    /// Whether an object is lawful by its purpose and, where the document gives one, by its name. `provenance` tells
    /// which images are Microsoft's.
    pub fn allows(
        &self,
        kind: &Kind,
        (namespace, name): (&str, &str),
        object: &Object<'_>,
        provenance: &ProvenanceMarks,
    ) -> bool {
        self.always.iter().any(|own| own == kind.kind)
            || self.objects.iter().any(|row| {
                row.is(kind.kind, namespace, name)
                    && row.purpose.is_none_or(|purpose| purpose.is_of(object, kind, provenance))
            })
            || self.deeds.iter().any(|deed| deed.kind == kind.kind && deed.is_done_by(object, kind))
    }

    /// The words of a command that reveal a deed, and no others: for recordings, which do not keep commands.
    pub fn signs<'w>(&'w self, words: &str) -> Vec<&'w str> {
        let done = self.deeds.iter().filter(|deed| deed.is_said_by(words));
        done.flat_map(|deed| {
            [&*deed.forbids_module].into_iter().chain(FORBIDDING.into_iter().filter(|sign| words.contains(sign)))
        })
        .collect()
    }

    /// Whether an object is lawful by its name alone.
    pub fn covers(&self, kind: &str, namespace: &str, name: &str) -> bool {
        self.always.iter().any(|own| own == kind) || self.objects.iter().any(|row| row.is(kind, namespace, name))
    }
}

impl LawfulObject {
    fn is(&self, kind: &str, namespace: &str, name: &str) -> bool {
        self.kind == kind
            && self.namespace == namespace
            && match (&self.name, &self.prefix) {
                (Some(own), _) => own == name,
                (None, Some(prefix)) => name.starts_with(&**prefix),
                (None, None) => false,
            }
    }
}

impl Purpose {
    fn is_of(self, object: &Object<'_>, kind: &Kind, provenance: &ProvenanceMarks) -> bool {
        if self == Purpose::MicrosoftsImages {
            let Some(pod) = object.pod(kind) else { return true };
            return pod.images().all(|image| provenance.is_microsofts(image));
        }
        let spec: Value = object.field("spec").unwrap_or_default();
        let limits = spec.get("limits").and_then(Value::as_array);
        limits.into_iter().flatten().all(|limit| {
            limit.get("type").and_then(Value::as_str).is_none_or(|of| of == "Container")
                && limit
                    .as_object()
                    .is_some_and(|own| own.keys().all(|key| matches!(&**key, "default" | "defaultRequest" | "type")))
        })
    }
}

impl Deed {
    /// Whether the pod of the object does the deed: its commands put the module on a deny list or unload it, and
    /// nothing else in the pod has power over the node.
    fn is_done_by(&self, object: &Object<'_>, kind: &Kind) -> bool {
        let Some(pod) = object.pod(kind) else { return false };
        let told = pod.all_containers().map(|own| (own.is_privileged(), self.is_said_by(&own.words())));
        let all: Vec<(bool, bool)> = told.collect();
        all.iter().any(|(_, says)| *says) && all.iter().all(|(privileged, says)| !privileged || *says)
    }

    fn is_said_by(&self, words: &str) -> bool {
        words.contains(&*self.forbids_module) && FORBIDDING.iter().any(|sign| words.contains(sign))
    }
}

/// The words with which a command keeps a kernel module from loading, or unloads it (modprobe.d(5), rmmod(8)).
const FORBIDDING: [&str; 4] = ["modprobe.d", "rmmod", "modprobe -r", "blacklist"];
