//! Manifests from files, directories and stdin, as `-f` takes them.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use aksarc_shared::k8s::read::yaml;
use anyhow::{Context as _, bail};
use serde_json::Value;

/// An object of a manifest, and where it stood.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The file, or `stdin`.
    pub source: String,
    /// The object.
    pub object: Value,
}

/// Reads every object of the files; directories are read in the order of their names, and down into when `recursive`.
///
/// # Errors
/// A sentence with the file, for the first that cannot be read or holds something else.
pub fn read(files: &[String], recursive: bool) -> anyhow::Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for file in files {
        if file == "-" {
            let mut text = String::new();
            std::io::stdin().lock().read_to_string(&mut text).context("cannot read manifests from stdin")?;
            parse("stdin", &text, &mut manifests)?;
            continue;
        }
        if file.contains("://") {
            bail!("{file}: manifests are read from files and stdin only; nothing but the API server is contacted");
        }
        let path = Path::new(file);
        let paths = if path.is_dir() { walk(path, recursive)? } else { vec![path.to_owned()] };
        for path in paths {
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            parse(&path.display().to_string(), &text, &mut manifests)?;
        }
    }
    if manifests.is_empty() {
        bail!("no objects in {}", files.join(", "));
    }
    Ok(manifests)
}

/// Reads the objects of one text. Lists are taken apart.
///
/// # Errors
/// A sentence with the source.
pub fn parse(source: &str, text: &str, manifests: &mut Vec<Manifest>) -> anyhow::Result<()> {
    for document in yaml::documents(text).with_context(|| source.to_owned())? {
        flatten(source, document, manifests)?;
    }
    Ok(())
}

fn flatten(source: &str, mut document: Value, manifests: &mut Vec<Manifest>) -> anyhow::Result<()> {
    let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
    if kind.is_empty() {
        bail!("{source}: an object without kind is no manifest");
    }
    if kind.ends_with("List")
        && let Some(Value::Array(items)) = document.get_mut("items").map(Value::take)
    {
        for item in items {
            flatten(source, item, manifests)?;
        }
        return Ok(());
    }
    manifests.push(Manifest { source: source.to_owned(), object: document });
    Ok(())
}

fn walk(directory: &Path, recursive: bool) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.with_context(|| format!("cannot read {}", directory.display()))?.path());
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        // A symbolic link to a directory could lead back up.
        if path.is_dir() && !path.is_symlink() {
            if recursive {
                files.extend(walk(&path, true)?);
            }
        } else if path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|own| extension == *own)) {
            files.push(path);
        }
    }
    Ok(files)
}

/// What kubectl reads from directories.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_apart_and_other_things_refused() {
        let mut manifests = Vec::new();
        parse(
            "f",
            "kind: List\nitems:\n- kind: A\n- kind: BList\n  items: [{kind: B}]\n---\nkind: C\n",
            &mut manifests,
        )
        .unwrap();
        let kinds: Vec<_> = manifests.iter().filter_map(|m| m.object.get("kind").and_then(Value::as_str)).collect();
        assert_eq!(kinds, ["A", "B", "C"]);
        assert!(parse("f", "a: 1", &mut manifests).unwrap_err().to_string().contains("f: "));
        assert!(parse("f", "a: [", &mut manifests).is_err());
    }

    #[test]
    fn addresses_are_not_fetched() {
        let error = read(&["https://example.com/a.yaml".to_owned()], false).unwrap_err();
        assert!(error.to_string().contains("nothing but the API server is contacted"));
    }
}
