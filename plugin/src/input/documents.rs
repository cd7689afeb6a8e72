//! Files of Kubernetes objects: a file, a directory or a .tar.gz, JSON or YAML, with limits on all of them.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};

use aksarc_shared::chain::Chain;
use aksarc_shared::k8s::read::yaml;
use anyhow::{Context as _, anyhow, bail};
use flate2::bufread::MultiGzDecoder;
use serde_json::value::RawValue;

/// The depth of the search in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Only its own files.
    Flat,
    /// Files of subdirectories too.
    Recursive,
}

/// Calls `each` with every JSON or YAML file below `path`, one at a time, and its name. Files of other names are passed
/// too if they are `wanted`.
pub(crate) fn files(
    path: &Path,
    depth: Depth,
    wanted: &[&str],
    each: &mut dyn FnMut(&str, Vec<u8>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let meta = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if meta.is_dir() {
        let mut found = Vec::new();
        walk(path, depth, wanted, 0, &mut found)?;
        found.sort();
        for file in found {
            let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
            each(&name, whole(&file)?)?;
        }
        return Ok(());
    }
    if is_gzip(path)? {
        return archive(path, wanted, each);
    }
    each(&path.to_string_lossy(), whole(path)?)
}

/// Calls `each` with every document of a file, as JSON, and its number from 1 on.
pub(crate) fn each_document(
    name: &str,
    bytes: &[u8],
    each: &mut dyn FnMut(usize, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let begins = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let mut number = 0;
    if begins == Some(&b'{') {
        for document in serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>() {
            number += 1;
            let document = document.map_err(|error| json_fault(name, number, &error))?;
            each(number, document.get().as_bytes()).with_context(|| format!("{name}, document {number}"))?;
        }
        return Ok(());
    }
    if bytes.len() > MAX_YAML {
        bail!("{name} has more than {} MiB of YAML; JSON may have more", MAX_YAML >> 20);
    }
    let text = text(name, bytes)?;
    let template =
        if text.contains("{{") { "; it holds {{, as templates do: judge what `helm template` prints" } else { "" };
    let read = yaml::documents(text).map_err(|error| anyhow!("cannot read {name}: {}{template}", Chain(&error)));
    for document in read? {
        number += 1;
        let json = serde_json::to_vec(&document)?;
        each(number, &json).with_context(|| format!("{name}, document {number}"))?;
    }
    Ok(())
}

/// The text of a file.
///
/// # Errors The text is not UTF-8; the message names its likely encoding, and a command that converts it.
pub(crate) fn text<'b>(name: &str, bytes: &'b [u8]) -> anyhow::Result<&'b str> {
    std::str::from_utf8(bytes).map_err(|error| {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return anyhow!(
                "{name} is UTF-16: save it as UTF-8, in PowerShell with `… | Out-File -Encoding utf8 FILE`"
            );
        }
        if bytes.contains(&0) {
            return anyhow!("{name} is not text");
        }
        let line = 1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
        anyhow!("{name} is not UTF-8 at line {line}: save it as UTF-8, as with `iconv -f ISO-8859-1 -t UTF-8`")
    })
}

/// The content of standard input.
pub(crate) fn standard_input() -> anyhow::Result<Vec<u8>> {
    limited(std::io::stdin().lock(), "standard input")
}

fn json_fault(name: &str, number: usize, error: &serde_json::Error) -> anyhow::Error {
    let what = if error.is_eof() { "ends early: it is cut short" } else { "is not JSON" };
    anyhow!("{name}, document {number} {what} ({error})")
}

fn walk(directory: &Path, depth: Depth, wanted: &[&str], level: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if level > MAX_LEVELS {
        bail!("{} is more than {MAX_LEVELS} directories deep: does a link lead back up?", directory.display());
    }
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry.with_context(|| format!("cannot read {}", directory.display()))?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            if depth == Depth::Recursive {
                walk(&path, depth, wanted, level + 1, found)?;
            }
        } else if is_document(&path) || is_wanted(&path, wanted) {
            // A pipe may be given by its own name. Among files it is skipped, since nobody may ever write to it.
            if fs::metadata(&path).is_ok_and(|meta| !meta.is_file()) {
                bail!("{} is no regular file", path.display());
            }
            found.push(path);
        }
    }
    Ok(())
}

fn is_document(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    matches!(extension.as_deref(), Some("json" | "yaml" | "yml"))
}

fn is_wanted(path: &Path, wanted: &[&str]) -> bool {
    path.file_name().is_some_and(|name| wanted.iter().any(|own| name == *own))
}

fn is_gzip(path: &Path) -> anyhow::Result<bool> {
    // A program that writes to a closed pipe learns that nobody reads it.
    if !fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.is_file() {
        return Ok(false);
    }
    let mut magic = [0; 2];
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b])
}

/// The content of a file.
pub(super) fn whole(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let size = file.metadata().map_or(0, |meta| meta.len());
    if size > MAX_FILE {
        bail!(
            "{} has {} MiB, and one file may have {}: split it, or take a snapshot, which does",
            path.display(),
            size >> 20,
            MAX_FILE >> 20
        );
    }
    limited(file, &path.display().to_string())
}

pub(super) fn limited(reader: impl Read, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE {
        bail!("{name} has more than {} MiB", MAX_FILE >> 20);
    }
    Ok(bytes)
}

/// Reads an archive. Nothing of it is written to disk; names that point elsewhere are refused nevertheless, since they
/// are an attack.
fn archive(
    path: &Path,
    wanted: &[&str],
    each: &mut dyn FnMut(&str, Vec<u8>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
    let unpacked = MultiGzDecoder::new(BufReader::new(file)).take(MAX_TOTAL);
    let mut archive = tar::Archive::new(unpacked);
    let broken = || {
        format!(
            "{shown} is no whole .tar.gz archive (cut short, damaged, or more than {} MiB unpacked)",
            MAX_TOTAL >> 20
        )
    };
    for entry in archive.entries().with_context(broken)? {
        let entry = entry.with_context(broken)?;
        let name = entry.path().with_context(broken)?.into_owned();
        let inside = name.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let name = name.to_string_lossy().into_owned();
        let name = aksarc_shared::text::line(&name, 200);
        if !inside {
            bail!(
                "{shown} holds {name:?}, which lies outside of it: this is not a snapshot made by this program or with kubectl"
            );
        }
        match entry.header().entry_type() {
            tar::EntryType::Regular => {}
            tar::EntryType::Directory | tar::EntryType::XGlobalHeader => continue,
            _ => bail!("{shown} holds {name:?}, which is neither a file nor a directory"),
        }
        if !is_document(Path::new(&name)) && !is_wanted(Path::new(&name), wanted) {
            continue;
        }
        if entry.size() > MAX_FILE {
            bail!("{name} in {shown} has more than {} MiB", MAX_FILE >> 20);
        }
        let size = entry.size();
        let bytes = limited(entry, &name).with_context(broken)?;
        if u64::try_from(bytes.len()).ok() != Some(size) {
            bail!("{}", broken());
        }
        each(&name, bytes)?;
    }
    Ok(())
}

/// The largest file. One page of 500 nodes has 4 MiB; a whole list of 30,000 pods in one file has 80.
const MAX_FILE: u64 = 256 << 20;

/// The most bytes of an archive. A gzip file can expand to a thousand times its size.
const MAX_TOTAL: u64 = 1 << 30;

/// The largest YAML text, which is a hundred times slower to read than JSON.
const MAX_YAML: usize = 64 << 20;

const MAX_LEVELS: usize = 16;
