//! What users may create or touch among managed objects.

use serde::Deserialize;
use serde_json::Value;

use super::provenance::ProvenanceMarks;
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;

/// Objects users may create or touch among managed ones.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lawful {
    /// Kinds that never count.
    pub always: Vec<String>,
    /// Objects.
    pub objects: Vec<LawfulObject>,
    /// What objects may do, whatever their name and place.
    pub deeds: Vec<Deed>,
}

/// Something that Microsoft's documents have users do to their nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deed {
    /// Kind of the object that does it.
    pub kind: String,
    /// The kernel module that it forbids.
    pub forbids_module: String,
    /// Why it is lawful.
    pub why: String,
    /// How well it is known.
    pub confidence: super::confidence::Confidence,
    /// Where it is written.
    pub source: String,
    /// When it was last looked up.
    pub checked: jiff::civil::Date,
}

/// What an object has to do to be the one that a document means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// It gives containers defaults, and sets no bounds.
    ContainerDefaults,
    /// All that it runs is Microsoft's, by its registries.
    MicrosoftsImages,
}

/// An object users may create or touch.
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
    /// How its name begins.
    #[serde(default)]
    pub prefix: Option<String>,
    /// What it must do besides; its name alone tells where there is none. Ours to know.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub purpose: Option<Purpose>,
    /// Why it is lawful.
    #[serde(default)]
    pub why: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
}

impl Lawful {
    /// Whether an object is lawful by what it does, and where a document names it, by its name.
    /// `provenance` tells whose its images are.
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

    /// The words of a command by which a deed is told, and no more of it: for recordings, which keep no commands.
    pub fn signs<'w>(&'w self, words: &str) -> Vec<&'w str> {
        let done = self.deeds.iter().filter(|deed| deed.is_said_by(words));
        done.flat_map(|deed| {
            [&*deed.forbids_module].into_iter().chain(FORBIDDING.into_iter().filter(|sign| words.contains(sign)))
        })
        .collect()
    }

    /// Whether an object is lawful by its name.
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
    /// Whether the commands of the object's pod write the module into the lists of what is not to be loaded, or unload it; and
    /// whether nothing else in it has power.
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

/// How a command keeps a kernel module from being loaded, or unloads it (modprobe.d(5), rmmod(8)).
const FORBIDDING: [&str; 4] = ["modprobe.d", "rmmod", "modprobe -r", "blacklist"];
