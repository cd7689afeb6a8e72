//! Manifests, judged as if a person were about to create them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aksarc_shared::check::Check;
use aksarc_shared::kinds;
use aksarc_shared::read::json;
use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::input::documents::{self, Depth};

/// What manifests held.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// How many objects.
    pub objects: usize,
    /// How many of them no rule looks at, by kind: nothing is known of them, and that is no praise.
    pub unjudged: BTreeMap<String, usize>,
    /// How many of them bear what only a cluster gives: they were recorded from one.
    pub recorded: usize,
    /// A kustomization was among them: what it would make of the others was not judged.
    pub kustomization: bool,
}

/// Judges every object in files, directories and standard input (`-`).
///
/// # Errors
/// When a file cannot be read, or a document is no object.
pub fn judge(paths: &[PathBuf], recursive: bool, namespace: &str, check: &mut Check<'_>) -> anyhow::Result<Manifests> {
    let depth = if recursive { Depth::Recursive } else { Depth::Flat };
    let mut all = Manifests::default();
    for path in paths {
        let before = all.objects;
        let mut each = |name: &str, bytes: Vec<u8>| {
            documents::each_document(name, &bytes, &mut |_, document| document_of(document, namespace, check, &mut all))
        };
        if path == Path::new("-") {
            each("standard input", documents::standard_input()?)?;
        } else if path.to_str().is_some_and(|text| text.contains("://")) {
            bail!("{} is an address: fetch it first, nothing but the API server is ever asked", path.display());
        } else {
            documents::files(path, depth, &[], &mut each)?;
        }
        if all.objects == before {
            let name = if path == Path::new("-") { "standard input".into() } else { path.to_string_lossy() };
            bail!("{name} holds no objects");
        }
    }
    Ok(all)
}

fn document_of(bytes: &[u8], namespace: &str, check: &mut Check<'_>, all: &mut Manifests) -> anyhow::Result<()> {
    let value: Value = serde_json::from_slice(bytes).context("it is no object")?;
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if kind.is_empty() {
        bail!("it has no `kind`, so it is no Kubernetes object");
    }
    if api_version.is_empty() {
        bail!("it has no `apiVersion`");
    }
    let Some(items) = kind.strip_suffix("List").and_then(|_| value.get("items")?.as_array()) else {
        return one(value, namespace, check, all);
    };
    for item in items {
        let mut item = item.clone();
        // A typed list, such as NodeList, leaves the type out of its items.
        if let Some(fields) = item.as_object_mut()
            && kind != "List"
        {
            let single = kind.strip_suffix("List").unwrap_or_default();
            fields.entry("apiVersion").or_insert_with(|| Value::from(&*api_version));
            fields.entry("kind").or_insert_with(|| Value::from(single));
        }
        if item.get("kind").and_then(Value::as_str).unwrap_or_default().is_empty() {
            bail!("an item of its list has no `kind`");
        }
        one(item, namespace, check, all)?;
    }
    Ok(())
}

fn one(mut value: Value, namespace: &str, check: &mut Check<'_>, all: &mut Manifests) -> anyhow::Result<()> {
    let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
    let known = kinds::of(text("apiVersion"), text("kind"));
    all.objects += 1;
    all.kustomization |= text("apiVersion").starts_with("kustomize.config.k8s.io/");
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
    check.manifest(json::object(&bytes).context("it is no Kubernetes object")?);
    Ok(())
}

/// Whether an object bears what only an API server gives. A definition's empty status is in many manifests.
fn is_recorded(value: &Value) -> bool {
    let given = |field: &str| value.pointer(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let status = value.get("status").and_then(Value::as_object).is_some_and(|status| !status.is_empty());
    let definition = value.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition");
    given("/metadata/uid") || given("/metadata/resourceVersion") || (status && !definition)
}
