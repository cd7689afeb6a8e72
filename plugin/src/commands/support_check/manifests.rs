//! The judgement of manifests, as if a person were about to create their objects.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use aksarc_shared::k8s::kinds;
use aksarc_shared::k8s::read::json;
use aksarc_shared::verdict::check::Check;
use aksarc_shared::verdict::report::v1::{FindingV1, PlaceV1};
use anyhow::Context as _;
use serde_json::Value;

use crate::input::manifests::{self, Given, Manifest};
use crate::input::places::{FilePositions, ObjectInFile, file_name};

/// What was read of manifests: the counts of their objects, and their places.
#[derive(Clone, Debug, Default)]
pub(super) struct ManifestsRead {
    /// All objects.
    pub(super) objects: usize,
    /// Objects that no rule looks at, by kind. Nothing is known about them, which is no praise.
    pub(super) unjudged: BTreeMap<String, usize>,
    /// Objects with fields that only an API server sets, so that they come from a cluster.
    pub(super) recorded: usize,
    /// The files of the objects, in the order in which they were read.
    places: HashMap<ObjectKey, Vec<(Arc<str>, ObjectInFile)>>,
}

/// The group, kind, namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ObjectKey([String; 4]);

impl ObjectKey {
    fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        ObjectKey([group, kind, namespace, name].map(str::to_owned))
    }
}

impl ManifestsRead {
    /// Adds to each finding where its object stands in the files, which are read once more. A file that has become
    /// unreadable gives no place: the verdict does not hang on it.
    pub(super) fn place(&self, findings: &mut [FindingV1]) {
        let directory = std::env::current_dir().ok();
        let mut positions: HashMap<&str, FilePositions> = HashMap::new();
        for finding in findings {
            let object = &finding.object;
            let key = ObjectKey::new(&object.api_version, &object.kind, &object.namespace, &object.name);
            for (source, at) in self.places.get(&key).into_iter().flatten() {
                let file = positions.entry(source).or_insert_with(|| FilePositions::in_file(Path::new(&**source)));
                let Some(found) = file.field(at, &finding.path) else { continue };
                finding.places.push(PlaceV1 {
                    file: file_name(source, directory.as_deref()),
                    line: found.line,
                    column: found.column,
                });
            }
        }
    }
}

/// Passes every object of the manifests to the check, with `namespace` where an object names none.
///
/// # Errors
/// A file cannot be read, or a document is not an object.
pub(super) fn judge(given: Given<'_>, namespace: &str, check: &mut Check<'_>) -> anyhow::Result<ManifestsRead> {
    let mut all = ManifestsRead::default();
    let mut last: Arc<str> = Arc::from("");
    manifests::each(given, &mut |Manifest { source, at, object }| {
        // The objects of a file share its name.
        if *last != *source {
            last = Arc::from(source);
        }
        one(object, at.map(|at| (Arc::clone(&last), at)), namespace, check, &mut all)
    })?;
    Ok(all)
}

fn one(
    mut value: Value,
    at: Option<(Arc<str>, ObjectInFile)>,
    namespace: &str,
    check: &mut Check<'_>,
    all: &mut ManifestsRead,
) -> anyhow::Result<()> {
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
    if let (Some(at), Some(kind)) = (at, known) {
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let namespace = if kind.namespaced { text("/metadata/namespace") } else { "" };
        let key = ObjectKey::new(text("/apiVersion"), text("/kind"), namespace, text("/metadata/name"));
        all.places.entry(key).or_default().push(at);
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
