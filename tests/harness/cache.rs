//! The test cache: a directory for downloads and built programs, shared by all clones of the same user.

use std::env;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The directory of one sort of thing, below `AKSARC_TEST_CACHE` or the user's own cache.
///
/// # Errors
/// Nothing in the environment says where.
pub(crate) fn directory(sort: &str) -> anyhow::Result<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let cache = set("AKSARC_TEST_CACHE")
        .or_else(|| set("XDG_CACHE_HOME"))
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .context("no place to keep the programs of tests: set AKSARC_TEST_CACHE")?;
    Ok(cache.join("kubectl-aksarc").join(sort))
}

/// Locks a file until the returned value is dropped, also when its holder is killed. `waiting` is called where another
/// process has the lock.
///
/// # Errors
/// The file cannot be created or locked.
pub(crate) fn lock(path: &Path, waiting: impl FnOnce()) -> anyhow::Result<File> {
    let describe = || format!("cannot lock {}", path.display());
    let file = File::create(path).with_context(describe)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            waiting();
            file.lock().with_context(describe)?;
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(describe),
    }
    Ok(file)
}
