//! The heartbeat: a task in the background that notes in one ConfigMap that the cluster runs.
//!
//! Reviews are answered whatever happens to this task. Without access, rights, the object or a sensible answer it logs
//! that once, counts it, and tries again later. The record, and why it can be believed, is described in
//! [`aksarc_shared::facts::heartbeat`].

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use aksarc_shared::facts::heartbeat::life::{Beat, Sight, SteadyClock};
use aksarc_shared::facts::heartbeat::{KEY, NAME, NAMESPACE, Record};
use aksarc_shared::jiff::{SignedDuration, Timestamp};
use http::StatusCode;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Map, Value};
use tokio::time::sleep;

use crate::api::{Access, Api, ApiAnswer, ApiError, jitter};
use crate::log::LoggedFailure;
use crate::metrics::{Metrics, OutcomeCounters};

/// How the heartbeat is kept.
#[derive(Clone, Debug)]
pub struct HeartbeatOptions {
    /// How to reach the API server.
    pub access: Access,
    /// How often a beat is written.
    pub every: HeartbeatInterval,
}

/// The least time between two writes, of all replicas together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatInterval(Duration);

impl HeartbeatInterval {
    /// An interval of ten minutes to an hour. A shorter one is a burden on etcd for nothing, a longer one comes near to
    /// what counts as a gap.
    ///
    /// # Errors
    /// A line for people.
    pub fn new(every: Duration) -> Result<Self, String> {
        let refused = || format!("expected {} to {} minutes", LEAST.as_secs() / 60, MOST.as_secs() / 60);
        (LEAST..=MOST).contains(&every).then_some(HeartbeatInterval(every)).ok_or_else(refused)
    }

    /// An interval of any length, for tests that cannot wait for ten minutes.
    #[doc(hidden)]
    pub fn for_tests(every: Duration) -> Self {
        HeartbeatInterval(every)
    }
}

impl Default for HeartbeatInterval {
    fn default() -> Self {
        HeartbeatInterval(LEAST)
    }
}

impl FromStr for HeartbeatInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration: SignedDuration = text.parse().map_err(|_| "expected 10m or 1h".to_owned())?;
        HeartbeatInterval::new(Duration::try_from(duration).unwrap_or_default())
    }
}

impl fmt::Display for HeartbeatInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}m", self.0.as_secs() / 60)
    }
}

/// Writes a beat again and again, until the future is dropped.
pub(crate) async fn run(options: HeartbeatOptions, counters: HeartbeatCounters) {
    let every = options.every.0;
    let mut keeper = HeartbeatKeeper {
        api: Api::new(options.access),
        every: SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX),
        started: Instant::now(),
        life: SteadyClock::default(),
    };
    let mut logged = LoggedFailure::default();
    // Spreads the requests of replicas that start together.
    sleep(jitter(START_SPREAD.min(every / 10))).await;
    loop {
        let outcome = keeper.beat().await;
        counters.count(&outcome);
        log_change(&mut logged, &outcome);
        let pause = match outcome {
            BeatOutcome::Written(_) | BeatOutcome::Held => every,
            BeatOutcome::Recent(_, due) => due,
            BeatOutcome::Failed(..) => every.min(RETRY),
        };
        sleep(pause + jitter(every / 10)).await;
    }
}

/// The outcome of one beat.
#[derive(Debug)]
pub(crate) enum BeatOutcome {
    /// The beat is in the record, at this time.
    Written(Timestamp),
    /// Another replica wrote one at this time, and the next is due after this duration.
    Recent(Timestamp, Duration),
    /// Nothing was written yet: the API server's clock has to be steady first.
    Held,
    /// Nothing was written, for this reason.
    Failed(BeatTrouble, String),
}

/// Why a beat was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BeatTrouble {
    Conflict,
    Forbidden,
    Missing,
    NoAccess,
    NoTime,
    Refused,
    Unreachable,
    Unreadable,
}

impl BeatOutcome {
    /// The word for the outcome in metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            BeatOutcome::Written(_) => "written",
            BeatOutcome::Recent(..) => "recent",
            BeatOutcome::Held => "held",
            BeatOutcome::Failed(BeatTrouble::Conflict, _) => "conflict",
            BeatOutcome::Failed(BeatTrouble::Forbidden, _) => "forbidden",
            BeatOutcome::Failed(BeatTrouble::Missing, _) => "missing",
            BeatOutcome::Failed(BeatTrouble::NoAccess, _) => "no_access",
            BeatOutcome::Failed(BeatTrouble::NoTime, _) => "no_time",
            BeatOutcome::Failed(BeatTrouble::Refused, _) => "refused",
            BeatOutcome::Failed(BeatTrouble::Unreachable, _) => "unreachable",
            BeatOutcome::Failed(BeatTrouble::Unreadable, _) => "unreadable",
        }
    }

    /// Every word that an outcome can have.
    pub(crate) const WORDS: [&'static str; 11] = [
        "conflict",
        "forbidden",
        "held",
        "missing",
        "no_access",
        "no_time",
        "recent",
        "refused",
        "unreachable",
        "unreadable",
        "written",
    ];

    /// The time up to which the record says that the cluster ran.
    pub(crate) fn seen(&self) -> Option<Timestamp> {
        match self {
            BeatOutcome::Written(at) | BeatOutcome::Recent(at, _) => Some(*at),
            BeatOutcome::Held | BeatOutcome::Failed(..) => None,
        }
    }
}

/// Counters of beats.
#[derive(Debug)]
pub(crate) struct HeartbeatCounters {
    attempts: OutcomeCounters,
    last_seen: Gauge,
}

impl HeartbeatCounters {
    pub(crate) fn register(metrics: &mut Metrics) -> Self {
        HeartbeatCounters {
            attempts: OutcomeCounters::register(
                metrics,
                "heartbeat_attempts",
                "Attempts to note that the cluster runs, by outcome",
                &BeatOutcome::WORDS,
            ),
            last_seen: metrics.gauge(
                "heartbeat_last_seen_timestamp_seconds",
                "Up to when this guard knows the cluster to be noted as running, by the API server's clock",
            ),
        }
    }

    fn count(&self, outcome: &BeatOutcome) {
        self.attempts.count(outcome.word());
        if let Some(seen) = outcome.seen() {
            self.last_seen.set(seen.as_second());
        }
    }
}

fn log_change(logged: &mut LoggedFailure<BeatTrouble>, outcome: &BeatOutcome) {
    match outcome {
        BeatOutcome::Failed(what, why) if logged.is_new(*what) => {
            tracing::warn!(error = why, "the heartbeat cannot be written; reviews are answered all the same");
        }
        BeatOutcome::Failed(..) => {}
        BeatOutcome::Held => tracing::debug!("the heartbeat waits until the API server's clock was steady for a while"),
        BeatOutcome::Written(_) | BeatOutcome::Recent(..) => {
            if logged.ends() {
                tracing::info!("the heartbeat is written again");
            }
        }
    }
}

struct HeartbeatKeeper {
    api: Api,
    every: SignedDuration,
    started: Instant,
    life: SteadyClock,
}

impl HeartbeatKeeper {
    async fn beat(&mut self) -> BeatOutcome {
        // A conflict means that another replica wrote in between: its record is read, and the beat goes into that.
        for _ in 0..ATTEMPTS {
            match self.attempt().await {
                BeatOutcome::Failed(BeatTrouble::Conflict, _) => {}
                outcome => return outcome,
            }
        }
        BeatOutcome::Failed(BeatTrouble::Conflict, format!("{NAME} was changed by others {ATTEMPTS} times in a row"))
    }

    async fn attempt(&mut self) -> BeatOutcome {
        let read = match self.api.get(&path()).await {
            Ok(answer) if answer.status == StatusCode::OK => answer,
            Ok(answer) => return refused("reading", &answer),
            Err(error) => return unanswered(&error),
        };
        let alive = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        let Some(at) = read.date else {
            return BeatOutcome::Failed(BeatTrouble::NoTime, "the API server's answer bears no date".to_owned());
        };
        let Ok(Value::Object(mut object)) = serde_json::from_slice::<Value>(&read.body) else {
            return BeatOutcome::Failed(
                BeatTrouble::Unreadable,
                format!("the API server's answer to a read of the ConfigMap {NAME} is no JSON object"),
            );
        };
        let mut record = match Record::parse(text(&object)) {
            Ok(record) => record,
            Err(error) if error.may_be_replaced() => {
                tracing::warn!(%error, "the heartbeat record cannot be read; a new one replaces it");
                Record::in_place_of(&error, at)
            }
            Err(error) => return BeatOutcome::Failed(BeatTrouble::Unreadable, error.to_string()),
        };
        let mut life = self.life.clone();
        match life.beat(&mut record, Sight { at, alive }, self.every) {
            Beat::Held => {
                self.life = life;
                return BeatOutcome::Held;
            }
            Beat::Recent(due) => {
                self.life = life;
                return BeatOutcome::Recent(at, Duration::try_from(due).unwrap_or_default());
            }
            Beat::Write => {}
        }
        put(&mut object, record.text());
        // The object carries the resourceVersion it was read with, so that no write in between is lost.
        match self.api.put(&format!("{}?fieldManager={MANAGER}", path()), &Value::Object(object)).await {
            Ok(answer) if answer.status.is_success() => {
                self.life = life;
                BeatOutcome::Written(at)
            }
            Ok(answer) => refused("writing", &answer),
            Err(error) => unanswered(&error),
        }
    }
}

fn text(object: &Map<String, Value>) -> &str {
    object.get("data").and_then(|data| data.get(KEY)).and_then(Value::as_str).unwrap_or_default()
}

fn put(object: &mut Map<String, Value>, text: String) {
    let data = object.entry("data").or_insert(Value::Null);
    if !data.is_object() {
        *data = Value::Object(Map::new());
    }
    if let Value::Object(data) = data {
        data.insert(KEY.to_owned(), Value::String(text));
    }
}

fn refused(what: &str, answer: &ApiAnswer) -> BeatOutcome {
    let trouble = match answer.status {
        StatusCode::CONFLICT => BeatTrouble::Conflict,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => BeatTrouble::Forbidden,
        StatusCode::NOT_FOUND => BeatTrouble::Missing,
        _ => BeatTrouble::Refused,
    };
    let hint = match trouble {
        BeatTrouble::Forbidden | BeatTrouble::Missing => {
            "; the guard's manifest, applied anew, provides object and rights"
        }
        _ => "",
    };
    BeatOutcome::Failed(trouble, format!("{what} the ConfigMap {NAMESPACE}/{NAME}: {}{hint}", answer.refusal()))
}

fn unanswered(error: &ApiError) -> BeatOutcome {
    let trouble = if matches!(error, ApiError::NoAccess(_)) { BeatTrouble::NoAccess } else { BeatTrouble::Unreachable };
    BeatOutcome::Failed(trouble, error.to_string())
}

fn path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}")
}

/// The field manager of our writes.
const MANAGER: &str = "aksarc-guard";

const LEAST: Duration = Duration::from_mins(10);
/// A third of the time that counts as a gap.
const MOST: Duration = Duration::from_hours(1);
/// The longest wait before the first beat: long against one request, short against a rollout.
const START_SPREAD: Duration = Duration::from_secs(5);
/// The pause after a failure. Failed beats only read, so trying soon is no burden.
const RETRY: Duration = Duration::from_mins(1);
/// Attempts for one beat: there are two replicas, and a third while they roll.
const ATTEMPTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_interval_is_at_least_ten_minutes_and_well_below_a_gap() {
        assert_eq!("10m".parse(), Ok(HeartbeatInterval::default()));
        assert_eq!("1h".parse::<HeartbeatInterval>().unwrap().to_string(), "60m");
        for bad in ["9m59s", "61m", "-10m", "0s", "600", "often", ""] {
            assert!(bad.parse::<HeartbeatInterval>().unwrap_err().starts_with("expected 10"), "{bad}");
        }
        assert!(SignedDuration::try_from(MOST).unwrap() * 3 <= aksarc_shared::facts::heartbeat::SLACK);
    }

    #[test]
    fn the_record_goes_into_its_key_and_nothing_else_changes() {
        for (before, after) in [
            (json!({"kind": "ConfigMap"}), json!({"kind": "ConfigMap", "data": {KEY: "new"}})),
            (json!({"data": null}), json!({"data": {KEY: "new"}})),
            (json!({"data": {"other": "1", KEY: "old"}}), json!({"data": {"other": "1", KEY: "new"}})),
        ] {
            let Value::Object(mut object) = before else { panic!() };
            put(&mut object, "new".to_owned());
            assert_eq!(Value::Object(object), after);
        }
        let Value::Object(object) = json!({"data": {KEY: 7}}) else { panic!() };
        assert_eq!(text(&object), "");
    }

    #[test]
    fn every_outcome_has_a_word_of_its_own() {
        let troubles = [
            BeatTrouble::Conflict,
            BeatTrouble::Forbidden,
            BeatTrouble::Missing,
            BeatTrouble::NoAccess,
            BeatTrouble::NoTime,
            BeatTrouble::Refused,
            BeatTrouble::Unreachable,
            BeatTrouble::Unreadable,
        ];
        let now = Timestamp::UNIX_EPOCH;
        let mut words: Vec<_> =
            troubles.map(|trouble| BeatOutcome::Failed(trouble, String::new())).iter().map(BeatOutcome::word).collect();
        words.extend(
            [BeatOutcome::Written(now), BeatOutcome::Recent(now, LEAST), BeatOutcome::Held]
                .iter()
                .map(BeatOutcome::word),
        );
        words.sort_unstable();
        assert_eq!(words, BeatOutcome::WORDS);
    }
}
