//! Configuration and certificates on disk, which are read again when they change.
//!
//! The files are polled: the kubelet renews a ConfigMap or Secret volume by swapping a symlink, and a file watch goes
//! blind with the first swap. Polls run on a thread of their own, never on the request path.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aksarc_shared::chain::Chain;
use aksarc_shared::data;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::verdict::guard::{Guard, Settings};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use sha2::{Digest, Sha256};

use crate::config;
use crate::guards::{GuardGauges, Guards};
use crate::metrics::Metrics;
use crate::presented::PresentedCertificate;
use crate::tls::{CertificatePair, LoadedCertificate};

/// The result of one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// New content is in use.
    Loaded,
    /// New content cannot be used; the old one stays in use.
    Refused,
    /// The content is the same as at the last poll.
    Unchanged,
}

/// The configuration file and the guard built from it.
#[derive(Debug)]
pub struct ConfigFile {
    path: Option<PathBuf>,
    /// The guard in use, which takes each configuration.
    pub(crate) guards: Arc<Guards>,
    seen: SeenContents,
    reloads: ReloadCounters,
    hash: Gauge,
}

impl ConfigFile {
    /// Reads the file. While there is none the guard observes: the ConfigMap that brings the file may be made after the
    /// guard, and a later poll takes it into use.
    ///
    /// # Errors
    /// A line for people. At the start there is no old content to go on with.
    pub fn start(path: Option<PathBuf>, metrics: &mut Metrics) -> Result<Self, String> {
        let content = path.as_deref().map(read_if_there).transpose()?.flatten();
        let guard = match &content {
            Some(bytes) => config::guard(bytes).map_err(|error| Chain(&error).to_string())?,
            None => Guard::new(data::embedded(), Settings::default()).map_err(|error| Chain(&error).to_string())?,
        };
        warn_of(&guard);
        if let (Some(path), None) = (&path, &content) {
            tracing::warn!(path = %path.display(), "no configuration: the guard observes until this file is there");
        }
        let seen = SeenContents::used(content.as_deref().map_or(ContentHash::NONE, ContentHash::of));
        let reloads = ReloadCounters::register(metrics, "config");
        reloads.succeeded(Timestamp::now());
        let hash = metrics.gauge("config_hash", "Of the configuration in use, to compare replicas; 0 without one");
        hash.set(seen.in_use.short());
        let guards = Arc::new(Guards::new(guard, GuardGauges::register(metrics)));
        Ok(ConfigFile { path, guards, seen, reloads, hash })
    }

    /// Reads the file again.
    pub fn poll(&mut self) -> Poll {
        let Some(path) = self.path.as_deref() else { return Poll::Unchanged };
        let found = read_if_there(path);
        let hash = match &found {
            Ok(Some(bytes)) => ContentHash::of(bytes),
            Ok(None) => ContentHash::NONE,
            Err(error) => ContentHash::of(error.as_bytes()),
        };
        let load = || match found? {
            Some(bytes) => config::guard(&bytes).map_err(|error| Chain(&error).to_string()),
            None => Err(format!("{} is gone; a guard that starts without it observes", path.display())),
        };
        self.seen.poll(hash, &self.reloads, "configuration", load, |guard| {
            tracing::info!(mode = guard.settings().mode.as_str(), hash = hash.short(), "configuration taken into use");
            warn_of(&guard);
            self.hash.set(hash.short());
            self.guards.configure(guard);
        })
    }
}

/// Logs the settings of a configuration that do less than they say.
fn warn_of(guard: &Guard) {
    for note in guard.notes() {
        tracing::warn!(note, "a setting of the configuration does less than it says");
    }
    if guard.only_warns_administrators() {
        tracing::warn!(
            "mode enforce refuses no delete and no `kubectl scale` of cluster administrators: name their certificates in \
             actors.people.credentialIds, or set actors.ambiguous: deny"
        );
    }
}

/// The certificate directory and the TLS configuration made from it.
#[derive(Debug)]
pub struct CertificateFiles {
    directory: PathBuf,
    /// What the next handshake presents.
    pub(crate) presented: Arc<PresentedCertificate>,
    seen: SeenContents,
    reloads: ReloadCounters,
    expiry: Gauge,
}

impl CertificateFiles {
    /// Reads the directory.
    ///
    /// # Errors
    /// A line for people.
    pub fn start(directory: PathBuf, metrics: &mut Metrics) -> Result<Self, String> {
        let pair = CertificatePair::read(&directory).map_err(|error| Chain(&error).to_string())?;
        let LoadedCertificate { config, not_after, .. } = usable(&pair)?;
        let reloads = ReloadCounters::register(metrics, "certificate");
        reloads.succeeded(Timestamp::now());
        let expiry = expiry(metrics);
        expiry.set(not_after.as_second());
        let seen = SeenContents::used(pair_hash(&pair));
        Ok(CertificateFiles { directory, presented: Arc::new(PresentedCertificate::of(config)), seen, reloads, expiry })
    }

    /// Reads the directory again.
    pub fn poll(&mut self) -> Poll {
        let pair = CertificatePair::read(&self.directory).map_err(|error| Chain(&error).to_string());
        let hash = match &pair {
            Ok(pair) => pair_hash(pair),
            Err(error) => ContentHash::of(error.as_bytes()),
        };
        let load = || pair.and_then(|pair| usable(&pair));
        self.seen.poll(hash, &self.reloads, "certificate", load, |loaded| {
            tracing::info!(not_after = %loaded.not_after, "certificate taken into use");
            self.expiry.set(loaded.not_after.as_second());
            self.presented.present(loaded.config);
        })
    }
}

/// The pair as a certificate that API servers may take; the error is a line for people.
fn usable(pair: &CertificatePair) -> Result<LoadedCertificate, String> {
    let loaded = pair.load().and_then(|loaded| loaded.valid_at(Timestamp::now()));
    loaded.map_err(|error| Chain(&error).to_string())
}

/// The series of a certificate's end, from files or not.
pub(crate) fn expiry(metrics: &mut Metrics) -> Gauge {
    metrics.gauge(
        "certificate_expiry_timestamp_seconds",
        "When the first certificate of the chain in use to expire does; 0 without one",
    )
}

/// The contents seen so far, so that each is tried and logged once.
#[derive(Debug)]
struct SeenContents {
    in_use: ContentHash,
    last: ContentHash,
}

impl SeenContents {
    fn used(hash: ContentHash) -> Self {
        SeenContents { in_use: hash, last: hash }
    }

    fn poll<T>(
        &mut self,
        hash: ContentHash,
        reloads: &ReloadCounters,
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

/// Counters of how reading a watched file again ended.
#[derive(Debug)]
struct ReloadCounters {
    failures: Counter,
    last_successful: Gauge,
    last_success: Gauge,
}

impl ReloadCounters {
    fn register(metrics: &mut Metrics, what: &str) -> Self {
        ReloadCounters {
            failures: metrics.counter(
                &format!("{what}_reload_failures"),
                &format!("Contents of the {what} that were refused; the old one stayed in use"),
            ),
            last_successful: metrics.gauge(
                &format!("{what}_last_reload_successful"),
                &format!("Whether the {what} in use is the one on disk"),
            ),
            last_success: metrics.gauge(
                &format!("{what}_last_reload_success_timestamp_seconds"),
                &format!("When the {what} in use was taken into use"),
            ),
        }
    }

    fn succeeded(&self, now: Timestamp) {
        self.last_successful.set(1);
        self.last_success.set(now.as_second());
    }

    fn failed(&self) {
        self.failures.inc();
        self.last_successful.set(0);
    }

    /// Notes that the content on disk is again the one in use.
    fn recovered(&self) {
        self.last_successful.set(1);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash of a missing file, which differs from that of an empty one.
    const NONE: ContentHash = ContentHash([0; 32]);

    fn of(content: &[u8]) -> Self {
        ContentHash(Sha256::digest(content).into())
    }

    /// The first 48 bits, which a metric can hold exactly.
    fn short(self) -> i64 {
        self.0.iter().take(6).fold(0, |short, byte| short << 8 | i64::from(*byte))
    }
}

fn pair_hash(pair: &CertificatePair) -> ContentHash {
    ContentHash::of(&[&*pair.chain, b"\0", &*pair.key].concat())
}

/// The content of a file, or `None` where its directory exists and the file does not. The kubelet makes the directory
/// for an optional ConfigMap in any case, so a missing directory means that the path is wrong.
fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound && directory.is_dir() => Ok(None),
        Err(error) => Err(format!("reading {}: {error}", path.display())),
    }
}
