//! An existing snapshot, taken into a bundle: reduced, and with pseudonyms where they are wanted.

use std::path::Path;

use aksarc_shared::facts::probe::Probe;
use serde_json::Value;

use super::index::{self, KIND, PROBE_KIND};
use super::reduce;
use crate::input::documents::{self, Depth};
use crate::ticket::contents::{BundlePart, SNAPSHOT};
use crate::ticket::redaction::Redaction;

/// The files of a snapshot, in memory: what goes into a support ticket has to fit into a mail or an upload.
#[derive(Debug)]
pub(crate) struct RecordedSnapshot {
    files: Vec<(String, RecordedFile)>,
}

/// A file of a snapshot.
#[derive(Debug)]
enum RecordedFile {
    /// The answer to a probe, or the time.
    Text(String),
    /// Documents, reduced.
    Documents(Vec<Value>),
}

impl RecordedSnapshot {
    /// Reads a snapshot: a file, a directory or a .tar.gz.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let texts: Vec<&str> = index::TEXTS.map(index::file_of).into_iter().chain([index::TAKEN]).collect();
        let mut files = Vec::new();
        documents::files(path, Depth::Recursive, &texts, &mut |name, bytes| {
            let plain = Path::new(name).file_name().is_some_and(|own| texts.iter().any(|text| own == *text));
            let file = if plain {
                RecordedFile::Text(documents::text(name, &bytes)?.to_owned())
            } else {
                let mut found = Vec::new();
                documents::each_document(name, &bytes, &mut |_, json| {
                    let mut document: Value = serde_json::from_slice(json)?;
                    reduced(&mut document);
                    found.push(document);
                    Ok(())
                })?;
                RecordedFile::Documents(found)
            };
            let inside = if Path::new(name) == path {
                path.file_name().unwrap_or_default().to_string_lossy().into_owned()
            } else {
                name.replace('\\', "/")
            };
            files.push((inside, file));
            Ok(())
        })?;
        if files.is_empty() {
            anyhow::bail!("{} holds no snapshot", path.display());
        }
        Ok(RecordedSnapshot { files })
    }

    /// Passes every object and its kind.
    pub(crate) fn each_object(&self, look: &mut dyn FnMut(&str, &Value)) {
        for document in self.documents() {
            let kind = text(document, "kind");
            match document.get("items").and_then(Value::as_array) {
                Some(items) => {
                    let single = kind.strip_suffix("List").unwrap_or_default();
                    for item in items {
                        look(if single.is_empty() { text(item, "kind") } else { single }, item);
                    }
                }
                None => look(kind, document),
            }
        }
    }

    /// The contexts that it was taken from.
    pub(crate) fn contexts(&self) -> impl Iterator<Item = &str> {
        self.documents().filter(|document| text(document, "kind") == KIND).map(|index| text(index, "context"))
    }

    fn documents(&self) -> impl Iterator<Item = &Value> {
        self.files.iter().flat_map(|(_, file)| match file {
            RecordedFile::Documents(documents) => &**documents,
            RecordedFile::Text(_) => &[],
        })
    }

    /// The files of the snapshot for a bundle.
    ///
    /// # Errors
    /// A document cannot be serialized.
    pub(crate) fn parts(self, redaction: Option<&Redaction>) -> anyhow::Result<Vec<BundlePart>> {
        let certificate = index::file_of(Probe::Certificate);
        let mut parts = Vec::new();
        for (name, file) in self.files {
            // The names of hosts stand in it in a form that no search finds.
            if redaction.is_some() && Path::new(&name).file_name().is_some_and(|own| own == certificate) {
                continue;
            }
            let bytes = match file {
                RecordedFile::Text(text) => redaction.map_or(text.clone(), |own| own.text(&text)).into_bytes(),
                RecordedFile::Documents(documents) => {
                    let mut bytes = Vec::new();
                    for mut document in documents {
                        if let Some(redaction) = redaction {
                            without_certificates(&mut document, certificate);
                            redaction.value(&mut document);
                        }
                        serde_json::to_writer(&mut bytes, &document)?;
                        bytes.push(b'\n');
                    }
                    bytes
                }
            };
            let name = redaction.map_or(name.clone(), |own| own.text(&name));
            let name = Path::new(&name).with_extension(if is_text(&name) { "txt" } else { "json" });
            parts.push(BundlePart { name: format!("{SNAPSHOT}{}", name.display()), about: "", bytes });
        }
        parts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(parts)
    }
}

fn is_text(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|own| own == "txt")
}

/// Removes the parts of an object, or of each object of a list, that snapshots of this program do not hold.
fn reduced(document: &mut Value) {
    let kind = text(document, "kind").to_owned();
    match document.get_mut("items").and_then(Value::as_array_mut) {
        Some(items) => {
            let single = kind.strip_suffix("List").unwrap_or_default();
            for item in items {
                let own = if single.is_empty() { text(item, "kind").to_owned() } else { single.to_owned() };
                reduce::object(item, &own);
            }
        }
        None => reduce::object(document, &kind),
    }
}

/// Removes certificates: of webhooks, of APIServices, in published ConfigMaps and in answers to probes.
fn without_certificates(value: &mut Value, probe_file: &str) {
    let is_certificate = text(value, "kind") == PROBE_KIND
        && probe_file.starts_with(value.get("probe").and_then(Value::as_str).unwrap_or("none"));
    match value {
        Value::Object(fields) => {
            if is_certificate {
                fields.insert("text".to_owned(), Value::from(""));
            }
            if fields.get("probe").and_then(Value::as_str).is_some_and(|probe| probe_file.starts_with(probe)) {
                fields.insert("state".to_owned(), Value::from("forbidden"));
                fields.remove("file");
            }
            fields.remove("caBundle");
            if fields.get("data").is_some_and(|data| data.to_string().contains("-----BEGIN")) {
                fields.remove("data");
            }
            fields.values_mut().for_each(|own| without_certificates(own, probe_file));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without_certificates(item, probe_file)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
