//! Configuration and certificates, read again when they change.
//!
//! By polling: a ConfigMap or Secret volume is renewed by swapping a symlink, and a file watch goes blind with the first
//! swap. Nothing here is on the request path; it runs on a thread of its own.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aksarc_shared::chain::Chain;
use aksarc_shared::data;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::verdict::guard::{Guard, Settings};
use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::ServerConfig;

use crate::config;
use crate::guards::Guards;
use crate::metrics::{Metrics, Reloads};
use crate::tls::{Loaded, Pair};

/// What a poll of one file found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// A new content is in use.
    Loaded,
    /// A content that cannot be used; the old one stays.
    Refused,
    /// The same as last time.
    Unchanged,
}

/// The configuration file and the guard built from it.
#[derive(Debug)]
pub struct Config {
    path: Option<PathBuf>,
    /// What it is taken into.
    pub(crate) guards: Arc<Guards>,
    seen: Seen,
    metrics: Arc<Metrics>,
}

impl Config {
    /// Reads the file. Without one the guard observes, and takes the file into use once it is there: the ConfigMap that
    /// brings it may be made after the guard.
    ///
    /// # Errors
    /// A line for people: at the start there is no old content to go on with.
    pub fn start(path: Option<PathBuf>, metrics: Arc<Metrics>) -> Result<Self, String> {
        let content = path.as_deref().map(read_if_there).transpose()?.flatten();
        let guard = match &content {
            Some(bytes) => config::guard(bytes).map_err(|error| Chain(&error).to_string())?,
            None => Guard::new(data::embedded(), Settings::default()).map_err(|error| Chain(&error).to_string())?,
        };
        warn_of(&guard);
        if let (Some(path), None) = (&path, &content) {
            tracing::warn!(path = %path.display(), "no configuration: the guard observes until this file is there");
        }
        let seen = Seen::used(content.as_deref().map_or(Hash::NONE, Hash::of));
        metrics.config_hash.set(seen.in_use.short());
        metrics.config.succeeded(Timestamp::now());
        let guards = Arc::new(Guards::new(guard, Arc::clone(&metrics)));
        Ok(Config { path, guards, seen, metrics })
    }

    /// Reads the file again.
    pub fn poll(&mut self) -> Poll {
        let Some(path) = self.path.as_deref() else { return Poll::Unchanged };
        let found = read_if_there(path);
        let hash = match &found {
            Ok(Some(bytes)) => Hash::of(bytes),
            Ok(None) => Hash::NONE,
            Err(error) => Hash::of(error.as_bytes()),
        };
        let load = || match found? {
            Some(bytes) => config::guard(&bytes).map_err(|error| Chain(&error).to_string()),
            None => Err(format!("{} is gone; a guard that starts without it observes", path.display())),
        };
        self.seen.poll(hash, &self.metrics.config, "configuration", load, |guard| {
            tracing::info!(mode = guard.settings().mode.as_str(), hash = hash.short(), "configuration taken into use");
            warn_of(&guard);
            self.metrics.config_hash.set(hash.short());
            self.guards.configure(guard);
        })
    }
}

/// Says what of a configuration does less than it says.
fn warn_of(guard: &Guard) {
    for note in guard.notes() {
        tracing::warn!(note, "configuration");
    }
}

/// The certificate directory and the TLS configuration made from it.
#[derive(Debug)]
pub struct Certificates {
    directory: PathBuf,
    /// For the next handshake.
    pub(crate) tls: Arc<ArcSwap<ServerConfig>>,
    seen: Seen,
    metrics: Arc<Metrics>,
}

impl Certificates {
    /// Reads the directory.
    ///
    /// # Errors
    /// A line for people.
    pub fn start(directory: PathBuf, metrics: Arc<Metrics>) -> Result<Self, String> {
        let pair = Pair::read(&directory).map_err(|error| Chain(&error).to_string())?;
        let Loaded { config, not_after } = pair.load().map_err(|error| Chain(&error).to_string())?;
        metrics.certificate_expiry.set(not_after.as_second());
        metrics.certificate.succeeded(Timestamp::now());
        let seen = Seen::used(pair_hash(&pair));
        Ok(Certificates { directory, tls: Arc::new(ArcSwap::new(config)), seen, metrics })
    }

    /// Reads the directory again.
    pub fn poll(&mut self) -> Poll {
        let pair = Pair::read(&self.directory).map_err(|error| Chain(&error).to_string());
        let hash = match &pair {
            Ok(pair) => pair_hash(pair),
            Err(error) => Hash::of(error.as_bytes()),
        };
        let load = || pair.and_then(|pair| pair.load().map_err(|error| Chain(&error).to_string()));
        self.seen.poll(hash, &self.metrics.certificate, "certificate", load, |loaded| {
            tracing::info!(not_after = %loaded.not_after, "certificate taken into use");
            self.metrics.certificate_expiry.set(loaded.not_after.as_second());
            self.tls.store(loaded.config);
        })
    }
}

/// Which contents were seen, so that each is judged and spoken of once.
#[derive(Debug)]
struct Seen {
    in_use: Hash,
    last: Hash,
}

impl Seen {
    fn used(hash: Hash) -> Self {
        Seen { in_use: hash, last: hash }
    }

    fn poll<T>(
        &mut self,
        hash: Hash,
        reloads: &Reloads,
        what: &str,
        load: impl FnOnce() -> Result<T, String>,
        take: impl FnOnce(T),
    ) -> Poll {
        if hash == std::mem::replace(&mut self.last, hash) {
            return Poll::Unchanged;
        }
        if hash == self.in_use {
            tracing::info!("the {what} on disk is again the one in use");
            reloads.recovered();
            return Poll::Loaded;
        }
        match load() {
            Ok(loaded) => {
                take(loaded);
                self.in_use = hash;
                reloads.succeeded(Timestamp::now());
                Poll::Loaded
            }
            Err(error) => {
                tracing::error!(%error, "the {what} on disk cannot be used; the one in use stays");
                reloads.failed();
                Poll::Refused
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hash([u8; 32]);

impl Hash {
    /// Of no content at all, which is another thing than an empty one.
    const NONE: Hash = Hash([0; 32]);

    fn of(content: &[u8]) -> Self {
        Hash(Sha256::digest(content).into())
    }

    /// The first 48 bits, which a metric can hold exactly.
    fn short(self) -> i64 {
        self.0.iter().take(6).fold(0, |short, byte| short << 8 | i64::from(*byte))
    }
}

fn pair_hash(pair: &Pair) -> Hash {
    Hash::of(&[&*pair.chain, b"\0", &*pair.key].concat())
}

/// The content of a file, or `None` where its directory is there and the file is not: the kubelet makes the directory
/// for an optional ConfigMap in any case, so a missing directory is a path mistaken.
fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound && directory.is_dir() => Ok(None),
        Err(error) => Err(format!("reading {}: {error}", path.display())),
    }
}
