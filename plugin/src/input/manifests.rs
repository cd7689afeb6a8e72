//! Manifests, as `-f` accepts them: files, directories, archives and standard input.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::documents::{self, Depth};
use super::kustomize;
use super::places::ObjectInFile;

/// An object of a manifest, and its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The file, or `standard input`.
    pub source: String,
    /// Where the object stands in its file; nothing where the source is no file that can be opened again.
    pub at: Option<ObjectInFile>,
    /// The object.
    pub object: Value,
}

/// Manifests as the flags give them.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// Files, directories, archives and standard input: `-f`.
    Files(&'a [PathBuf], Depth),
    /// A directory with a kustomization: `-k`.
    Kustomization(&'a Path),
}

impl<'a> Given<'a> {
    /// The manifests of both flags, which exclude each other.
    pub(crate) fn of(paths: &'a [PathBuf], depth: Depth, kustomization: Option<&'a Path>) -> Self {
        kustomization.map_or(Given::Files(paths, depth), Given::Kustomization)
    }
}

/// Passes every object of the given manifests to `take`, one at a time and in the order of the files. `-` is standard input.
/// Lists are split into their items.
///
/// # Errors
/// A file cannot be read, a document is not a Kubernetes object, a path contains no objects, or `take` fails.
pub fn each(given: Given<'_>, take: &mut dyn FnMut(Manifest) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let (paths, depth) = match given {
        Given::Files(paths, depth) => (paths, depth),
        Given::Kustomization(path) if is_address(path) => bail!(
            "{0} is an address, and only the API server is contacted: build it first, as with `kubectl kustomize {0}`, \
             and give the output by -f -",
            path.display()
        ),
        Given::Kustomization(path) => {
            let mut count = 0;
            let shown = path.display().to_string();
            each_in(&ManifestSource::Made(&shown), &kustomize::build(path)?, &mut |manifest| {
                count += 1;
                take(manifest)
            })?;
            if count == 0 {
                bail!("the output of `kubectl kustomize {shown}` holds no objects");
            }
            return Ok(());
        }
    };
    for path in paths {
        let mut count = 0;
        let mut counted = |manifest| {
            count += 1;
            take(manifest)
        };
        if path == Path::new(STANDARD_INPUT) {
            each_in(&ManifestSource::Made(INPUT_NAME), &documents::standard_input()?, &mut counted)?;
        } else if is_address(path) {
            bail!(
                "{0} is an address, and only the API server is contacted: download it first, as with `curl -fsSL {0}`, and give the \
                 output by -f -",
                path.display()
            );
        } else {
            let source = |name: &str| match path.to_string_lossy() {
                whole if whole == name => name.to_owned(),
                _ => path.join(name).display().to_string(),
            };
            documents::files(path, depth, &[], &mut |name, bytes| {
                let name = source(name);
                // A part of an archive is no file, and a pipe is empty once it was read.
                let source =
                    if Path::new(&name).is_file() { ManifestSource::File(&name) } else { ManifestSource::Made(&name) };
                each_in(&source, &bytes, &mut counted)
            })?;
        }
        if count == 0 {
            let name = if path == Path::new(STANDARD_INPUT) { INPUT_NAME.into() } else { path.to_string_lossy() };
            bail!("{name} holds no objects");
        }
    }
    Ok(())
}

fn is_address(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.contains("://"))
}

/// All objects of the given manifests, as [`each`] reads them.
///
/// # Errors
/// As for [`each`].
pub(crate) fn read(given: Given<'_>) -> anyhow::Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    each(given, &mut |manifest| {
        manifests.push(manifest);
        Ok(())
    })?;
    Ok(manifests)
}

/// The source of objects, by its name.
#[derive(Clone, Copy, Debug)]
enum ManifestSource<'s> {
    /// A file that can be opened again.
    File(&'s str),
    /// Something that is read once.
    Made(&'s str),
}

impl<'s> ManifestSource<'s> {
    fn name(self) -> &'s str {
        let (ManifestSource::File(name) | ManifestSource::Made(name)) = self;
        name
    }
}

/// Passes every object of one file to `take`.
fn each_in(
    source: &ManifestSource<'_>,
    bytes: &[u8],
    take: &mut dyn FnMut(Manifest) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    documents::each_document(source.name(), bytes, &mut |number, document| {
        let object: Value = serde_json::from_slice(document).context("it is no object")?;
        // Its type may be left out of a file of that name.
        let file = Path::new(source.name()).file_name().and_then(OsStr::to_str).unwrap_or_default();
        if text(&object, "apiVersion").starts_with(KUSTOMIZE)
            || (text(&object, "kind").is_empty() && KUSTOMIZATIONS.contains(&file))
        {
            bail!("it is a Kustomization, which -f does not build: give its directory by -k");
        }
        if text(&object, "kind").is_empty() {
            bail!("it has no `kind`, so it is not a Kubernetes object");
        }
        if text(&object, "apiVersion").is_empty() {
            bail!("it has no `apiVersion`");
        }
        flatten(source, &ObjectInFile { document: number, items: Vec::new() }, object, take)
    })
}

/// Passes an object to `take`, or each item of a list.
fn flatten(
    source: &ManifestSource<'_>,
    at: &ObjectInFile,
    mut object: Value,
    take: &mut dyn FnMut(Manifest) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if !is_list(&object) {
        let at = matches!(source, ManifestSource::File(_)).then(|| at.clone());
        return take(Manifest { source: source.name().to_owned(), at, object });
    }
    let Some(Value::Array(items)) = object.get_mut("items").map(Value::take) else { return Ok(()) };
    let (api_version, kind) = (text(&object, "apiVersion"), text(&object, "kind"));
    let single = kind.strip_suffix("List").unwrap_or_default();
    for (number, mut item) in items.into_iter().enumerate() {
        // A typed list, such as NodeList, leaves the type out of its items.
        if let Some(fields) = item.as_object_mut()
            && !single.is_empty()
        {
            fields.entry("apiVersion").or_insert_with(|| Value::from(api_version));
            fields.entry("kind").or_insert_with(|| Value::from(single));
        }
        if text(&item, "kind").is_empty() {
            bail!("an item of its list has no `kind`");
        }
        let mut at = at.clone();
        at.items.push(number);
        flatten(source, &at, item, take)?;
    }
    Ok(())
}

/// Whether an object is a list of objects. A custom resource may have a kind `…List` and a field `items` too, but it
/// has a name, which a list lacks.
fn is_list(object: &Value) -> bool {
    let items = object.get("items").and_then(Value::as_array);
    let named = ["/metadata/name", "/metadata/generateName"].iter().any(|field| object.pointer(field).is_some());
    text(object, "kind").ends_with("List") && !named && items.is_some_and(|items| items.iter().all(Value::is_object))
}

fn text<'v>(object: &'v Value, field: &str) -> &'v str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The beginning of the `apiVersion` of Kustomize's own files.
const KUSTOMIZE: &str = "kustomize.config.k8s.io/";

/// The names of files that Kustomize looks for.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The path that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Its name in messages.
const INPUT_NAME: &str = "standard input";

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(text: &str) -> anyhow::Result<Vec<Value>> {
        let mut objects = Vec::new();
        each_in(&ManifestSource::File("some.yaml"), text.as_bytes(), &mut |manifest| {
            assert_eq!(manifest.source, "some.yaml");
            objects.push(manifest.object);
            Ok(())
        })?;
        Ok(objects)
    }

    fn kinds(text: &str) -> Vec<String> {
        objects(text).unwrap().iter().map(|object| super::text(object, "kind").to_owned()).collect()
    }

    #[track_caller]
    fn assert_refused(text: &str, words: &str) {
        let error = format!("{:#}", objects(text).unwrap_err());
        assert!(error.contains("some.yaml") && error.contains(words), "{error}");
    }

    #[test]
    fn lists_are_taken_apart_also_within_lists() {
        let lists = "apiVersion: v1\nkind: List\nitems:\n- kind: A\n- kind: BList\n  items: [{kind: B}, {}]\n---\napiVersion: v1\nkind: C\n";
        assert_eq!(kinds(lists), ["A", "B", "B", "C"]);
        assert_eq!(
            kinds(r#"{"apiVersion": "v1", "kind": "List", "items": [{"kind": "A"}]}{"apiVersion":"v1","kind":"B"}"#),
            ["A", "B"]
        );
        assert_refused("apiVersion: v1\nkind: List\nitems: [{a: 1}]\n", "an item of its list has no `kind`");
        let mut places = Vec::new();
        each_in(&ManifestSource::File("some.yaml"), lists.as_bytes(), &mut |manifest| {
            places.extend(manifest.at.map(|at| (at.document, at.items)));
            Ok(())
        })
        .unwrap();
        assert_eq!(places, [(1, vec![0]), (1, vec![1, 0]), (1, vec![1, 1]), (2, vec![])]);
    }

    #[test]
    fn items_of_a_typed_list_are_of_its_type() {
        let nodes = objects(
            "apiVersion: v1\nkind: NodeList\nmetadata: {resourceVersion: '1'}\nitems: [{metadata: {name: a}}]\n",
        );
        assert_eq!(
            nodes.unwrap(),
            [serde_json::json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}})]
        );
    }

    #[test]
    fn a_custom_resource_named_list_is_an_object() {
        let head = "apiVersion: example.com/v1\nkind: AllowList\n";
        for rest in ["items: [a, b]", "items: {a: 1}", "spec: {}", "metadata: {name: a}\nitems: [{host: b}]"] {
            assert_eq!(kinds(&format!("{head}{rest}\n")), ["AllowList"], "{rest}");
        }
        assert_eq!(kinds(&format!("{head}items: [{{host: b}}]\n")), ["Allow"]);
    }

    #[test]
    fn other_documents_are_refused() {
        assert_refused("a: 1", "no `kind`");
        assert_refused("kind: Node", "no `apiVersion`");
        assert_refused("[1]", "no `kind`");
        assert_refused("a: [", "cannot read some.yaml");
    }

    #[test]
    fn addresses_are_not_fetched() {
        let error = read(Given::Files(&["https://example.com/a.yaml".into()], Depth::Flat)).unwrap_err();
        assert!(error.to_string().contains("the API server is contacted"), "{error}");
    }

    #[test]
    fn directories_are_read_in_order_and_down_into_when_asked() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, kind: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("apiVersion: v1\nkind: {kind}\n")).unwrap();
        };
        write("b.yaml", "B");
        write("a.json.yml", "A");
        write("c/d.yaml", "D");
        write("notes.txt", "Note");
        let read = |depth| {
            let manifests = super::read(Given::Files(&[directory.path().to_owned()], depth)).unwrap();
            let names = manifests.iter().map(|manifest| {
                let below = Path::new(&manifest.source).strip_prefix(directory.path()).unwrap();
                format!("{} {}", below.display(), text(&manifest.object, "kind"))
            });
            names.collect::<Vec<_>>()
        };
        assert_eq!(read(Depth::Flat), ["a.json.yml A", "b.yaml B"]);
        assert_eq!(read(Depth::Recursive), ["a.json.yml A", "b.yaml B", "c/d.yaml D"]);
        let named =
            super::read(Given::Files(&[directory.path().join("notes.txt"), directory.path().join("c")], Depth::Flat));
        assert_eq!(named.unwrap().len(), 2, "a file given by name is read whatever its name");
    }

    #[test]
    fn archives_are_read_and_their_files_named() {
        let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let bytes = b"apiVersion: v1\nkind: NodeList\nitems: [{}]\n";
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, "deep/nodes.yaml", &bytes[..]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), archive.into_inner().unwrap().finish().unwrap()).unwrap();
        let manifests = read(Given::Files(&[file.path().to_owned()], Depth::Flat)).unwrap();
        assert_eq!(manifests.len(), 1);
        assert_eq!(manifests[0].source, file.path().join("deep/nodes.yaml").display().to_string());
        assert_eq!(text(&manifests[0].object, "kind"), "Node");
    }
}
