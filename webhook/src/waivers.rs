//! Reads the waivers that the cluster keeps, `SupportWaiver` objects: a task in the background that lists them again and
//! again and has the guard put together anew when they changed.
//!
//! A waiver only ever loosens, so when in doubt it doesn't count. What that means here:
//!
//! - An object that is gone from the list, or with the whole resource, counts no more.
//! - An object that is no waiver, or breaks a term, is left out, said once and counted; the others count.
//! - A list that can't be read, for whatever reason, changes nothing for a while ([`Options::keep`]): an API server that is
//!   renewed must not bring every waived denial back. After that no waiver of the cluster counts until a list is read again.
//! - When the task ends, what it brought ends with it.

use std::sync::Arc;
use std::time::Duration;

use aksarc_shared::jiff::Timestamp;
use aksarc_shared::people::waiver::{Objects, SUPPORT_WAIVER};
use http::StatusCode;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use crate::api::{Access, Answer, ApiError, Connection, jitter};
use crate::guards::{ClusterWaivers, Counts, Guards};
use crate::metrics::Metrics;

/// How they are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// How to reach the API server.
    pub access: Access,
    /// How often.
    pub every: Duration,
    /// How long the last list counts when none can be read.
    pub keep: Duration,
}

impl Options {
    /// As often and as long as is usual.
    pub fn new(access: Access) -> Self {
        Options { access, every: EVERY, keep: KEEP }
    }
}

/// Reads them until it is dropped.
pub(crate) async fn run(options: Options, guards: Arc<Guards>, metrics: Arc<Metrics>) {
    let Options { access, every, keep } = options;
    let kept = Kept(guards);
    let mut connection = Connection::new(access);
    let (mut trouble, mut last) = (None, Instant::now());
    loop {
        // At once at the start: until then a change that is waived is refused.
        let outcome = match timeout(LIST_TIMEOUT, list(&mut connection)).await {
            Ok(Ok(found)) => kept.take(found).await,
            Ok(Err(failure)) => Outcome::Failed(failure),
            Err(_) => Outcome::Failed(Failure::new(
                Trouble::Unreachable,
                format!("the list of SupportWaivers did not end within {LIST_TIMEOUT:?}"),
            )),
        };
        metrics.waivers_read(&outcome);
        tell(&mut trouble, &outcome);
        if !matches!(outcome, Outcome::Failed(_)) {
            last = Instant::now();
        } else if last.elapsed() >= keep && kept.forget() {
            tracing::warn!("the cluster's waivers were not read for {keep:?}; none of them counts until they are");
        }
        sleep(every + jitter(every / 10)).await;
    }
}

/// What became of one list.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// There is no such resource, so there are no such waivers.
    Absent,
    /// Nothing was read.
    Failed(Failure),
    /// It was read to its end.
    Read,
}

/// Why nothing was read, as a word and for people.
#[derive(Debug)]
pub(crate) struct Failure {
    trouble: Trouble,
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Forbidden,
    NoAccess,
    Refused,
    TooLarge,
    Unreachable,
    Unreadable,
}

impl Outcome {
    /// The word in metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Outcome::Absent => "absent",
            Outcome::Read => "read",
            Outcome::Failed(failure) => match failure.trouble {
                Trouble::Forbidden => "forbidden",
                Trouble::NoAccess => "no_access",
                Trouble::Refused => "refused",
                Trouble::TooLarge => "too_large",
                Trouble::Unreachable => "unreachable",
                Trouble::Unreadable => "unreadable",
            },
        }
    }

    /// All words.
    pub(crate) const WORDS: [&'static str; 8] =
        ["absent", "forbidden", "no_access", "read", "refused", "too_large", "unreachable", "unreadable"];
}

impl Failure {
    fn new(trouble: Trouble, why: impl Into<String>) -> Self {
        Failure { trouble, why: why.into() }
    }

    fn unreadable(why: impl std::fmt::Display) -> Self {
        Failure::new(Trouble::Unreadable, format!("the list of SupportWaivers: {why}"))
    }

    fn too_large(why: impl std::fmt::Display) -> Self {
        Failure::new(Trouble::TooLarge, format!("{why}; delete those that are over or not needed any more"))
    }

    fn refused(answer: &Answer) -> Self {
        let (trouble, hint) = match answer.status {
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => (
                Trouble::Forbidden,
                "; the guard's manifest, applied anew, provides the right, and --cluster-waivers=off does without",
            ),
            _ => (Trouble::Refused, ""),
        };
        Failure::new(trouble, format!("listing SupportWaivers: {}{hint}", answer.refusal()))
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::NoAccess(_) => Failure::new(Trouble::NoAccess, error.to_string()),
            ApiError::TimedOut | ApiError::Unreachable(_) => Failure::new(Trouble::Unreachable, error.to_string()),
            ApiError::TooLarge => Failure::too_large(format_args!("listing SupportWaivers: {error}")),
        }
    }
}

/// Each trouble once, until it ends. That there is no such resource is nothing to speak of.
fn tell(trouble: &mut Option<Trouble>, outcome: &Outcome) {
    match outcome {
        Outcome::Failed(failure) if *trouble != Some(failure.trouble) => {
            let error = &*failure.why;
            tracing::warn!(error, "the cluster's waivers are not read; those of the configuration count all the same");
            *trouble = Some(failure.trouble);
        }
        Outcome::Failed(_) => {}
        Outcome::Absent | Outcome::Read => {
            if trouble.take().is_some() {
                tracing::info!("the cluster's waivers are read again");
            }
        }
    }
}

/// What was read, for as long as somebody reads.
struct Kept(Arc<Guards>);

impl Kept {
    /// Puts the guard together from what was found; `None` is a cluster without the resource.
    async fn take(&self, found: Option<ClusterWaivers>) -> Outcome {
        let outcome = if found.is_some() { Outcome::Read } else { Outcome::Absent };
        let guards = Arc::clone(&self.0);
        // Up to a thousand waivers are compared with each other, which must not hold up the reviews.
        match spawn_blocking(move || guards.keep(found.unwrap_or_default())).await {
            Ok(Some(Counts { taken, ignored, expired })) => {
                tracing::info!(taken, ignored, expired, "the cluster's waivers changed");
                outcome
            }
            Ok(None) => outcome,
            Err(error) => Outcome::Failed(Failure::unreadable(error)),
        }
    }

    /// Tells whether there was something to forget.
    fn forget(&self) -> bool {
        self.0.keep(ClusterWaivers::default()).is_some()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.forget();
    }
}

async fn list(connection: &mut Connection) -> Result<Option<ClusterWaivers>, Failure> {
    let api = connection.api().await?;
    let (mut objects, mut size, mut token) = (Objects::default(), 0, None);
    loop {
        let answer = api.get(&SUPPORT_WAIVER.page_path(None, PAGE, token.as_deref())).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND if token.is_none() => return Ok(None),
            _ => return Err(Failure::refused(&answer)),
        }
        size += answer.body.len();
        if size > MAX_SIZE {
            return Err(Failure::too_large(format_args!("the list of SupportWaivers has more than {MAX_SIZE} bytes")));
        }
        // A large page takes milliseconds, and a parser meets what others wrote: the reviews are to feel neither.
        let parsed = spawn_blocking(move || objects.page(&answer.body).map(|page| (objects, page)));
        let page;
        (objects, page) = parsed.await.map_err(Failure::unreadable)?.map_err(Failure::unreadable)?;
        if page.kind != LIST {
            return Err(Failure::unreadable(format_args!("it came as something else than a {LIST}")));
        }
        match page.continue_token {
            None => return current(objects).map(Some),
            Some(next) if token.as_ref() == Some(&next) => {
                return Err(Failure::unreadable("the same continue token twice"));
            }
            next => token = next,
        }
    }
}

/// What is over never counts again, and would only take up room. All other times are looked at by each review.
fn current(mut objects: Objects) -> Result<ClusterWaivers, Failure> {
    let (all, now) = (objects.waivers.len(), Timestamp::now());
    objects.waivers.retain(|waiver| !waiver.is_over(now));
    let left = objects.waivers.len();
    if left > MAX_WAIVERS {
        return Err(Failure::too_large(format_args!("{left} SupportWaivers are not over, more than {MAX_WAIVERS}")));
    }
    Ok(ClusterWaivers { objects, expired: all - left })
}

const LIST: &str = "SupportWaiverList";

/// Soon enough for somebody who waits for a waiver, seldom enough that two replicas are nothing to an API server.
const EVERY: Duration = Duration::from_secs(30);
/// Longer than an API server is away when it is renewed. Nobody can take a waiver back for as long.
const KEEP: Duration = Duration::from_mins(10);
/// For all pages.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// Objects of one page: an ordinary one has two KiB, and an answer at most two MiB.
const PAGE: usize = 100;
/// Bytes of all pages, of which only the waivers are kept.
const MAX_SIZE: usize = 8 << 20;
/// Far more than anybody looks after, and still nothing to go through for a finding.
const MAX_WAIVERS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use aksarc_shared::data;
    use aksarc_shared::verdict::guard::{Guard, Settings};

    #[test]
    fn when_the_task_ends_what_it_brought_ends_with_it() {
        let configured = Guard::new(data::embedded(), Settings::default()).unwrap();
        let guards = Arc::new(Guards::new(configured, Arc::new(Metrics::new())));
        let in_use = || guards.in_use().load().settings().waivers.len();
        let kept = Kept(Arc::clone(&guards));
        let item = r#"{"metadata": {"name": "w"}, "spec": {"rules": ["AA205"], "match": {"kind": "Node", "name": "a"},
            "reason": "r", "requestedBy": "a", "approvedBy": "b", "expires": "9999-01-01T00:00:00Z"}}"#;
        let mut objects = Objects::default();
        objects.page(format!("{{\"items\": [{item}]}}").as_bytes()).unwrap();
        guards.keep(current(objects).unwrap()).unwrap();
        assert_eq!(in_use(), 1);
        drop(kept);
        assert_eq!(in_use(), 0);
    }

    #[test]
    fn every_outcome_has_a_word_of_its_own() {
        let troubles = [
            Trouble::Forbidden,
            Trouble::NoAccess,
            Trouble::Refused,
            Trouble::TooLarge,
            Trouble::Unreachable,
            Trouble::Unreadable,
        ];
        let failed = troubles.map(|trouble| Outcome::Failed(Failure::new(trouble, "")));
        let mut words: Vec<_> = failed.iter().chain(&[Outcome::Absent, Outcome::Read]).map(Outcome::word).collect();
        words.sort_unstable();
        assert_eq!(words, Outcome::WORDS);
    }
}
