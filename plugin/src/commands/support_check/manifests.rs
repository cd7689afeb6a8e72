//! The judgement of manifests, as if a person were about to create their objects.

use std::collections::BTreeMap;

use aksarc_shared::k8s::kinds;
use aksarc_shared::k8s::read::json;
use aksarc_shared::verdict::check::Check;
use anyhow::Context as _;
use serde_json::Value;

use crate::input::manifests::{self, Given};

/// Counts of the objects in manifests.
#[derive(Clone, Debug, Default)]
pub(super) struct ManifestCounts {
    /// All objects.
    pub(super) objects: usize,
    /// Objects that no rule looks at, by kind. Nothing is known about them, which is no praise.
    pub(super) unjudged: BTreeMap<String, usize>,
    /// Objects with fields that only an API server sets, so that they come from a cluster.
    pub(super) recorded: usize,
}

/// Passes every object of the manifests to the check, with `namespace` where an object names none.
///
/// # Errors
/// A file cannot be read, or a document is not an object.
pub(super) fn judge(given: Given<'_>, namespace: &str, check: &mut Check<'_>) -> anyhow::Result<ManifestCounts> {
    let mut all = ManifestCounts::default();
    manifests::each(given, &mut |manifest| one(manifest.object, namespace, check, &mut all))?;
    Ok(all)
}

fn one(mut value: Value, namespace: &str, check: &mut Check<'_>, all: &mut ManifestCounts) -> anyhow::Result<()> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    let known = kinds::of(text("apiVersion"), text("kind"));
    all.objects += 1;
    all.recorded += usize::from(is_recorded(&value));
    if known.is_none() {
        *all.unjudged.entry(text("kind").to_owned()).or_default() += 1;
    }
    if known.is_some_and(|kind| kind.namespaced)
        && let Some(fields) = value.as_object_mut()
    {
        let meta = fields.entry("metadata").or_insert_with(|| Value::Object(serde_json::Map::new()));
        if let Some(meta) = meta.as_object_mut() {
            meta.entry("namespace").or_insert_with(|| Value::from(namespace));
        }
    }
    let bytes = serde_json::to_vec(&value)?;
    check.manifest(json::object(&bytes).context("it is not a Kubernetes object")?);
    Ok(())
}

/// Whether an object has fields that only an API server sets. An empty status of a definition does not count, since
/// many manifests have one.
fn is_recorded(value: &Value) -> bool {
    let given = |field: &str| value.pointer(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let status = value.get("status").and_then(Value::as_object).is_some_and(|status| !status.is_empty());
    let definition = value.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition");
    given("/metadata/uid") || given("/metadata/resourceVersion") || (status && !definition)
}
