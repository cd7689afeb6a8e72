//! The cluster's waivers, `SupportWaiver` objects: a task in the background lists them at intervals and takes them into
//! use when they changed.
//!
//! A waiver only ever allows more, so in doubt it does not count:
//!
//! - An object that is gone from the list, or together with the resource, counts no more.
//! - An object that is no waiver, or breaks a term, is left out, logged once and counted; the others count.
//! - A list that can't be read, for whatever reason, changes nothing for a while ([`WaiverReadOptions::keep`]): an API
//!   server that is renewed must not bring every waived denial back. After that no waiver of the cluster counts until a
//!   list is read again.
//! - When the task ends, none of its waivers counts any more.
//!
//! Each object's status tells whether it counts.

mod status;

use std::sync::Arc;
use std::time::Duration;

use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::read::json::ReadError;
use aksarc_shared::people::waiver::{Objects, SUPPORT_WAIVER};
use http::StatusCode;
use prometheus_client::metrics::gauge::Gauge;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use crate::api::{Access, Api, ApiAnswer, ApiError, jitter};
use crate::guards::{ClusterWaiverCounts, ClusterWaivers, Guards};
use crate::log::LoggedFailure;
use crate::metrics::{Metrics, OutcomeCounters};
use status::StoredWaiver;

/// How the cluster's waivers are read.
#[derive(Clone, Debug)]
pub struct WaiverReadOptions {
    /// How to reach the API server.
    pub access: Access,
    /// How often they are read.
    pub every: Duration,
    /// How long the last list counts when none can be read.
    pub keep: Duration,
}

impl WaiverReadOptions {
    /// The usual interval and the usual time to keep the last list.
    pub fn new(access: Access) -> Self {
        WaiverReadOptions { access, every: EVERY, keep: KEEP }
    }
}

/// Reads the waivers again and again, until the future is dropped.
pub(crate) async fn run(options: WaiverReadOptions, guards: Arc<Guards>, counters: WaiverReadCounters) {
    let WaiverReadOptions { access, every, keep } = options;
    let kept = WaiverFeed(guards);
    let api = Api::new(access);
    let (mut logged, mut last) = (LoggedFailure::default(), Instant::now());
    let mut unwritten = LoggedFailure::default();
    loop {
        let mut stored = Vec::new();
        // The first list is read at once: until then a change is refused although it is waived.
        let outcome = match timeout(LIST_TIMEOUT, list(&api, &mut stored)).await {
            Ok(Ok(found)) => kept.take(found).await,
            Ok(Err(failure)) => WaiverReadOutcome::Failed(failure),
            Err(_) => WaiverReadOutcome::Failed(WaiverReadError::new(
                WaiverReadTrouble::Unreachable,
                format!("the list of SupportWaivers did not end within {LIST_TIMEOUT:?}"),
            )),
        };
        counters.count(&outcome);
        log_change(&mut logged, &outcome);
        if !matches!(outcome, WaiverReadOutcome::Failed(_)) {
            last = Instant::now();
        } else if last.elapsed() >= keep && kept.forget() {
            tracing::warn!(
                "the cluster's waivers could not be read for {keep:?}; none of them counts until a list is read again"
            );
        }
        if matches!(outcome, WaiverReadOutcome::Read) {
            match status::write(&api, &counters.statuses, &stored, &kept.0.ignored()).await {
                Ok(()) => {
                    unwritten.ends();
                }
                Err(error) if unwritten.is_new(()) => {
                    tracing::warn!(error, "the status of SupportWaivers cannot be written; they count all the same");
                }
                Err(_) => {}
            }
        }
        sleep(every + jitter(every / 10)).await;
    }
}

/// The outcome of one reading.
#[derive(Debug)]
pub(crate) enum WaiverReadOutcome {
    /// The cluster has no such resource, and so no such waivers.
    Absent,
    /// The list was not read, for this reason.
    Failed(WaiverReadError),
    /// The list was read to its end.
    Read,
}

/// Why a list was not read, as a word and for people.
#[derive(Debug)]
pub(crate) struct WaiverReadError {
    trouble: WaiverReadTrouble,
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WaiverReadTrouble {
    Forbidden,
    NoAccess,
    Refused,
    TooLarge,
    Unreachable,
    Unreadable,
}

impl WaiverReadOutcome {
    /// The word for the outcome in metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            WaiverReadOutcome::Absent => "absent",
            WaiverReadOutcome::Read => "read",
            WaiverReadOutcome::Failed(failure) => match failure.trouble {
                WaiverReadTrouble::Forbidden => "forbidden",
                WaiverReadTrouble::NoAccess => "no_access",
                WaiverReadTrouble::Refused => "refused",
                WaiverReadTrouble::TooLarge => "too_large",
                WaiverReadTrouble::Unreachable => "unreachable",
                WaiverReadTrouble::Unreadable => "unreadable",
            },
        }
    }

    /// Every word that an outcome can have.
    pub(crate) const WORDS: [&'static str; 8] =
        ["absent", "forbidden", "no_access", "read", "refused", "too_large", "unreachable", "unreadable"];
}

impl WaiverReadError {
    fn new(trouble: WaiverReadTrouble, why: impl Into<String>) -> Self {
        WaiverReadError { trouble, why: why.into() }
    }

    fn unreadable(why: impl std::fmt::Display) -> Self {
        WaiverReadError::new(WaiverReadTrouble::Unreadable, format!("the list of SupportWaivers: {why}"))
    }

    fn too_large(why: impl std::fmt::Display) -> Self {
        WaiverReadError::new(
            WaiverReadTrouble::TooLarge,
            format!("{why}; delete those that are over or not needed any more"),
        )
    }

    fn refused(answer: &ApiAnswer) -> Self {
        let (trouble, hint) = match answer.status {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => (
                WaiverReadTrouble::Forbidden,
                "; the guard's manifest, applied anew, provides the right, and --cluster-waivers=off does without",
            ),
            _ => (WaiverReadTrouble::Refused, ""),
        };
        WaiverReadError::new(trouble, format!("listing SupportWaivers: {}{hint}", answer.refusal()))
    }
}

impl From<ApiError> for WaiverReadError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::NoAccess(_) => WaiverReadError::new(WaiverReadTrouble::NoAccess, error.to_string()),
            ApiError::TimedOut | ApiError::Unreachable(_) => {
                WaiverReadError::new(WaiverReadTrouble::Unreachable, error.to_string())
            }
            ApiError::TooLarge => WaiverReadError::too_large(format_args!("listing SupportWaivers: {error}")),
        }
    }
}

/// Counters of readings, and of the writes that follow.
#[derive(Debug)]
pub(crate) struct WaiverReadCounters {
    reads: OutcomeCounters,
    statuses: OutcomeCounters,
    last_read: Gauge,
}

impl WaiverReadCounters {
    pub(crate) fn register(metrics: &mut Metrics) -> Self {
        WaiverReadCounters {
            reads: OutcomeCounters::register(
                metrics,
                "cluster_waiver_reads",
                "Attempts to read the waivers that the cluster keeps, by outcome",
                &WaiverReadOutcome::WORDS,
            ),
            statuses: OutcomeCounters::register(
                metrics,
                "cluster_waiver_status_writes",
                "Attempts to write the status of a waiver that the cluster keeps, by outcome",
                &status::WORDS,
            ),
            last_read: metrics.gauge(
                "cluster_waivers_last_read_timestamp_seconds",
                "When the waivers that the cluster keeps were last read, or it was seen to have none",
            ),
        }
    }

    fn count(&self, outcome: &WaiverReadOutcome) {
        self.reads.count(outcome.word());
        if !matches!(outcome, WaiverReadOutcome::Failed(_)) {
            self.last_read.set(Timestamp::now().as_second());
        }
    }
}

/// Logs how a reading ended. A missing resource is no failure.
fn log_change(logged: &mut LoggedFailure<WaiverReadTrouble>, outcome: &WaiverReadOutcome) {
    match outcome {
        WaiverReadOutcome::Failed(failure) if logged.is_new(failure.trouble) => {
            let error = &*failure.why;
            tracing::warn!(
                error,
                "the cluster's waivers cannot be read; those of the configuration count all the same"
            );
        }
        WaiverReadOutcome::Failed(_) => {}
        WaiverReadOutcome::Absent | WaiverReadOutcome::Read => {
            if logged.ends() {
                tracing::info!("the cluster's waivers are read again");
            }
        }
    }
}

/// The guards, as this task feeds them. Dropping it takes the cluster's waivers out of use.
struct WaiverFeed(Arc<Guards>);

impl WaiverFeed {
    /// Takes a reading into use; `None` is a cluster without the resource.
    async fn take(&self, found: Option<ClusterWaivers>) -> WaiverReadOutcome {
        let outcome = if found.is_some() { WaiverReadOutcome::Read } else { WaiverReadOutcome::Absent };
        let guards = Arc::clone(&self.0);
        // Up to a thousand waivers are compared with each other, which must not hold up the reviews.
        match spawn_blocking(move || guards.take(found.unwrap_or_default())).await {
            Ok(Some(ClusterWaiverCounts { taken, ignored, expired })) => {
                tracing::info!(taken, ignored, expired, "the cluster's waivers changed");
                outcome
            }
            Ok(None) => outcome,
            Err(error) => WaiverReadOutcome::Failed(WaiverReadError::unreadable(error)),
        }
    }

    /// Takes the cluster's waivers out of use. Returns whether there were any.
    fn forget(&self) -> bool {
        self.0.take(ClusterWaivers::default()).is_some()
    }
}

impl Drop for WaiverFeed {
    fn drop(&mut self) {
        self.forget();
    }
}

async fn list(api: &Api, stored: &mut Vec<StoredWaiver>) -> Result<Option<ClusterWaivers>, WaiverReadError> {
    let (mut objects, mut size, mut token) = (Objects::default(), 0, None);
    loop {
        let answer = api.get(&SUPPORT_WAIVER.page_path(None, PAGE, token.as_deref())).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND if token.is_none() => return Ok(None),
            _ => return Err(WaiverReadError::refused(&answer)),
        }
        size += answer.body.len();
        if size > MAX_SIZE {
            return Err(WaiverReadError::too_large(format_args!(
                "the list of SupportWaivers has more than {MAX_SIZE} bytes"
            )));
        }
        // On another thread: parsing a large page takes milliseconds, and may panic over what users wrote.
        let parsed = spawn_blocking(move || {
            let page = objects.page(&answer.body)?;
            Ok::<_, ReadError>((objects, status::stored(&answer.body), page))
        });
        let (page, more);
        (objects, more, page) =
            parsed.await.map_err(WaiverReadError::unreadable)?.map_err(WaiverReadError::unreadable)?;
        stored.extend(more);
        if page.kind != LIST {
            return Err(WaiverReadError::unreadable(format_args!("the answer is no {LIST}")));
        }
        match page.continue_token {
            None => return current(objects).map(Some),
            Some(next) if token.as_ref() == Some(&next) => {
                return Err(WaiverReadError::unreadable("two pages have the same continue token"));
            }
            next => token = next,
        }
    }
}

/// The waivers of a reading whose time is not over. The others never count again and would only take room. When a
/// waiver begins and ends to count, each review looks at itself.
fn current(mut objects: Objects) -> Result<ClusterWaivers, WaiverReadError> {
    let (all, now) = (objects.waivers.len(), Timestamp::now());
    objects.waivers.retain(|waiver| !waiver.is_over(now));
    let left = objects.waivers.len();
    if left > MAX_WAIVERS {
        return Err(WaiverReadError::too_large(format_args!(
            "{left} SupportWaivers are not over, more than {MAX_WAIVERS}"
        )));
    }
    Ok(ClusterWaivers { objects, expired: all - left })
}

const LIST: &str = "SupportWaiverList";

/// Between two readings: soon enough for a user who waits for a waiver, seldom enough that two replicas are no burden.
const EVERY: Duration = Duration::from_secs(30);
/// How long the last list counts when none can be read: longer than an API server is away when it is renewed. For as
/// long, nobody can take a waiver back.
const KEEP: Duration = Duration::from_mins(10);
/// For reading all pages.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// Objects of one page: an ordinary object has two KiB, and an answer at most two MiB.
const PAGE: usize = 100;
/// Bytes of all pages, of which only the waivers are kept.
const MAX_SIZE: usize = 8 << 20;
/// Waivers in use: far more than people look after, and still few to search for one finding.
const MAX_WAIVERS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::GuardGauges;
    use aksarc_shared::data;
    use aksarc_shared::verdict::guard::{Guard, Settings};

    #[test]
    fn when_the_task_ends_none_of_its_waivers_counts() {
        let configured = Guard::new(data::embedded(), Settings::default()).unwrap();
        let guards = Arc::new(Guards::new(configured, GuardGauges::register(&mut Metrics::new())));
        let in_use = || guards.in_use().load().settings().waivers.len();
        let kept = WaiverFeed(Arc::clone(&guards));
        let item = r#"{"metadata": {"name": "w"}, "spec": {"rules": ["AA205"], "match": {"kind": "Node", "name": "a"},
            "reason": "r", "requestedBy": "a", "approvedBy": "b", "expires": "9999-01-01T00:00:00Z"}}"#;
        let mut objects = Objects::default();
        objects.page(format!("{{\"items\": [{item}]}}").as_bytes()).unwrap();
        guards.take(current(objects).unwrap()).unwrap();
        assert_eq!(in_use(), 1);
        drop(kept);
        assert_eq!(in_use(), 0);
    }

    #[test]
    fn every_outcome_has_a_word_of_its_own() {
        let troubles = [
            WaiverReadTrouble::Forbidden,
            WaiverReadTrouble::NoAccess,
            WaiverReadTrouble::Refused,
            WaiverReadTrouble::TooLarge,
            WaiverReadTrouble::Unreachable,
            WaiverReadTrouble::Unreadable,
        ];
        let failed = troubles.map(|trouble| WaiverReadOutcome::Failed(WaiverReadError::new(trouble, "")));
        let mut words: Vec<_> = failed
            .iter()
            .chain(&[WaiverReadOutcome::Absent, WaiverReadOutcome::Read])
            .map(WaiverReadOutcome::word)
            .collect();
        words.sort_unstable();
        assert_eq!(words, WaiverReadOutcome::WORDS);
    }
}
