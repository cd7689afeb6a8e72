//! The digest by which a snapshot is known again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use aksarc_shared::text;
use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::index;
use crate::input::documents::{self, Depth};

/// The SHA-256 of a snapshot: of a file its own, which `sha256sum FILE` prints too; of a directory that of its files.
///
/// # Errors
/// It cannot be read.
pub(crate) fn of_path(path: &Path) -> anyhow::Result<String> {
    if fs::metadata(path).is_ok_and(|meta| meta.is_dir()) {
        let texts: Vec<&str> = index::TEXTS.map(index::file_of).into_iter().chain([index::TAKEN]).collect();
        let mut lines = String::new();
        documents::files(path, Depth::Recursive, &texts, &mut |name, bytes| {
            lines.push_str(&line(&name.replace('\\', "/"), &bytes));
            Ok(())
        })?;
        return Ok(hex(lines.as_bytes()));
    }
    of_file(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The SHA-256 of files with these names and contents, as that of a directory which holds them.
pub(crate) fn of_files<'f>(files: impl Iterator<Item = (&'f str, &'f [u8])>) -> String {
    let mut lines: Vec<(&str, String)> = files.map(|(name, bytes)| (name, line(name, bytes))).collect();
    lines.sort();
    hex(lines.into_iter().map(|(_, line)| line).collect::<String>().as_bytes())
}

fn of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(text::hex(&hash.finalize()));
        }
        hash.update(buffer.get(..count).unwrap_or_default());
    }
}

/// A line of `sha256sum`.
fn line(name: &str, bytes: &[u8]) -> String {
    format!("{}  {name}\n", hex(bytes))
}

fn hex(bytes: &[u8]) -> String {
    text::hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_own_digest_and_a_directory_that_of_its_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("deep")).unwrap();
        fs::write(path("b.json"), "{}").unwrap();
        fs::write(path("deep/a.json"), "[]").unwrap();
        fs::write(path("notes.md"), "not read").unwrap();
        // What `sha256sum b.json` and `sha256sum b.json deep/a.json | sha256sum` print.
        let file = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        let whole = "f408b7bedd05207ccc447f01a2d29cbb884284bce6586eac839ad1bcf419f971";
        assert_eq!(of_path(&path("b.json")).unwrap(), file);
        assert_eq!(of_path(directory.path()).unwrap(), whole);
        let files: [(&str, &[u8]); 2] = [("deep/a.json", b"[]"), ("b.json", b"{}")];
        assert_eq!(of_files(files.into_iter()), whole);
    }
}
