//! Packages of npm that tests use, pinned with their hashes in `npm/` and kept in the user's cache.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::cache;

/// The `node_modules` of a directory in `npm/`, installed first if it has to be.
///
/// # Errors
/// npm is not there or could not install it; the message holds npm's own words.
pub fn modules(name: &str) -> anyhow::Result<PathBuf> {
    install(name, &cache::directory("npm")?, "npm".into())
}

fn install(name: &str, cache: &Path, npm: OsString) -> anyhow::Result<PathBuf> {
    let pins = Path::new(PINS).join(name);
    let directory = cache.join(format!("{name}-{}", fingerprint(&pins)?));
    let modules = directory.join("node_modules");
    if modules.is_dir() {
        return Ok(modules);
    }
    fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let _lock = cache::lock(&cache.join("lock"), || {})?;
    if modules.is_dir() {
        return Ok(modules);
    }
    let unfinished = cache.join(format!("{name}-unfinished-{}", std::process::id()));
    fs::create_dir_all(&unfinished).with_context(|| format!("cannot create {}", unfinished.display()))?;
    for file in FILES {
        fs::copy(pins.join(file), unfinished.join(file)).with_context(|| format!("cannot copy {file} of {name}"))?;
    }
    let ran = Command::new(npm)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&unfinished)
        .output();
    let output = match ran {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "this test needs {name} from npm, and there is no npm to fetch it: install Node.js 20 or newer with npm \
             (https://nodejs.org, or `apt-get install nodejs npm`)"
        ),
        Err(error) => return Err(error).context("cannot start npm"),
    };
    if !output.status.success() {
        bail!("npm could not fetch {name} ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    // A directory with the final name is complete.
    fs::rename(&unfinished, &directory).with_context(|| format!("cannot move {name} to {}", directory.display()))?;
    Ok(modules)
}

/// A hash of the pins, so that a new one never meets an old package.
fn fingerprint(pins: &Path) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    for file in FILES {
        let path = pins.join(file);
        hash.update(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    let digest = hash.finalize();
    Ok(format!("{:016x}", u64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default())))
}

const PINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/npm");

const FILES: [&str; 2] = ["package.json", "package-lock.json"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_npm_the_message_says_what_to_install() {
        let cache = tempfile::tempdir().unwrap();
        let message = install("axe-core", cache.path(), "no-such-npm".into()).unwrap_err().to_string();
        assert!(message.contains("needs axe-core") && message.contains("install Node.js"), "{message}");
    }

    #[test]
    fn a_failure_of_npm_is_reported_in_its_words() {
        let cache = tempfile::tempdir().unwrap();
        // Asked to run a script called `ci`, a shell complains as npm would.
        let message = install("axe-core", cache.path(), "/bin/sh".into()).unwrap_err().to_string();
        assert!(message.contains("npm could not fetch axe-core") && message.contains("ci"), "{message}");
    }
}
