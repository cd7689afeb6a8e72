//! Keeps the heartbeat record: a task in the background that notes in one ConfigMap that the cluster runs.
//!
//! Whatever happens to it, reviews are answered: without access, rights, object or a sensible answer it says so once,
//! counts it, and tries again later. What is noted, and why it can be believed, stands in [`aksarc_shared::facts::heartbeat`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aksarc_shared::facts::heartbeat::life::{Beat, Sight, SteadyClock};
use aksarc_shared::facts::heartbeat::{KEY, NAME, NAMESPACE, Record};
use aksarc_shared::jiff::{SignedDuration, Timestamp};
use http::StatusCode;
use serde_json::{Map, Value};
use tokio::time::sleep;

use crate::api::{Access, Answer, ApiError, Connection, jitter};
use crate::metrics::Metrics;

/// How the record is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// How to reach the API server.
    pub access: Access,
    /// How often.
    pub every: Every,
}

/// The least time between two writes, of all replicas together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every(Duration);

impl Every {
    /// Ten minutes to an hour: more often is a burden on etcd for nothing, less often comes near to what counts as a gap.
    ///
    /// # Errors
    /// A line for people.
    pub fn new(every: Duration) -> Result<Self, String> {
        let refused = || format!("expected {} to {} minutes", LEAST.as_secs() / 60, MOST.as_secs() / 60);
        (LEAST..=MOST).contains(&every).then_some(Every(every)).ok_or_else(refused)
    }

    /// Of any length, for tests that cannot wait for ten minutes.
    #[doc(hidden)]
    pub fn for_tests(every: Duration) -> Self {
        Every(every)
    }
}

impl Default for Every {
    fn default() -> Self {
        Every(LEAST)
    }
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration: SignedDuration = text.parse().map_err(|_| "expected 10m or 1h".to_owned())?;
        Every::new(Duration::try_from(duration).unwrap_or_default())
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}m", self.0.as_secs() / 60)
    }
}

/// Keeps the record until it is dropped.
pub(crate) async fn run(options: Options, metrics: Arc<Metrics>) {
    let every = options.every.0;
    let mut keeper = Keeper {
        connection: Connection::new(options.access),
        every: SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX),
        started: Instant::now(),
        life: SteadyClock::default(),
    };
    let mut trouble = None;
    // Replicas that start together don't all ask at once.
    sleep(jitter(START_SPREAD.min(every / 10))).await;
    loop {
        let outcome = keeper.beat().await;
        metrics.heartbeat(&outcome);
        tell(&mut trouble, &outcome);
        let pause = match outcome {
            Outcome::Written(_) | Outcome::Held => every,
            Outcome::Recent(_, due) => due,
            Outcome::Failed(..) => every.min(RETRY),
        };
        sleep(pause + jitter(every / 10)).await;
    }
}

/// What became of one beat.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is in the record, at this time.
    Written(Timestamp),
    /// Somebody else's is; the next is due in this time.
    Recent(Timestamp, Duration),
    /// The clock must be steady first.
    Held,
    /// Nothing was noted.
    Failed(Trouble, String),
}

/// Why nothing was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Conflict,
    Forbidden,
    Missing,
    NoAccess,
    NoTime,
    Refused,
    Unreachable,
    Unreadable,
}

impl Outcome {
    /// The word in metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Outcome::Written(_) => "written",
            Outcome::Recent(..) => "recent",
            Outcome::Held => "held",
            Outcome::Failed(Trouble::Conflict, _) => "conflict",
            Outcome::Failed(Trouble::Forbidden, _) => "forbidden",
            Outcome::Failed(Trouble::Missing, _) => "missing",
            Outcome::Failed(Trouble::NoAccess, _) => "no_access",
            Outcome::Failed(Trouble::NoTime, _) => "no_time",
            Outcome::Failed(Trouble::Refused, _) => "refused",
            Outcome::Failed(Trouble::Unreachable, _) => "unreachable",
            Outcome::Failed(Trouble::Unreadable, _) => "unreadable",
        }
    }

    /// All words.
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

    /// Up to when the cluster is noted as seen.
    pub(crate) fn seen(&self) -> Option<Timestamp> {
        match self {
            Outcome::Written(at) | Outcome::Recent(at, _) => Some(*at),
            Outcome::Held | Outcome::Failed(..) => None,
        }
    }
}

/// Each trouble once, until it ends.
fn tell(trouble: &mut Option<Trouble>, outcome: &Outcome) {
    match outcome {
        Outcome::Failed(what, why) if *trouble != Some(*what) => {
            tracing::warn!(error = why, "no heartbeat is noted; reviews are answered all the same");
            *trouble = Some(*what);
        }
        Outcome::Failed(..) => {}
        Outcome::Held => tracing::debug!("heartbeat held back until the API server's clock was steady for a while"),
        Outcome::Written(_) | Outcome::Recent(..) => {
            if trouble.take().is_some() {
                tracing::info!("heartbeat noted again");
            }
        }
    }
}

struct Keeper {
    connection: Connection,
    every: SignedDuration,
    started: Instant,
    life: SteadyClock,
}

impl Keeper {
    async fn beat(&mut self) -> Outcome {
        // Another replica's write in between is read, and beaten into.
        for _ in 0..ATTEMPTS {
            match self.attempt().await {
                Outcome::Failed(Trouble::Conflict, _) => {}
                outcome => return outcome,
            }
        }
        Outcome::Failed(Trouble::Conflict, format!("{NAME} was changed by others {ATTEMPTS} times in a row"))
    }

    async fn attempt(&mut self) -> Outcome {
        let api = match self.connection.api().await {
            Ok(api) => api,
            Err(error) => return unanswered(&error),
        };
        let read = match api.get(&path()).await {
            Ok(answer) if answer.status == StatusCode::OK => answer,
            Ok(answer) => return refused("reading", &answer),
            Err(error) => return unanswered(&error),
        };
        let alive = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        let Some(at) = read.date else {
            return Outcome::Failed(Trouble::NoTime, "the API server's answer bears no date".to_owned());
        };
        let Ok(Value::Object(mut object)) = serde_json::from_slice::<Value>(&read.body) else {
            return Outcome::Failed(Trouble::Unreadable, format!("the ConfigMap {NAME} came as something else"));
        };
        let mut record = match Record::parse(text(&object)) {
            Ok(record) => record,
            Err(error) if error.may_be_replaced() => {
                tracing::warn!(%error, "a new heartbeat record takes its place");
                Record::in_place_of(&error, at)
            }
            Err(error) => return Outcome::Failed(Trouble::Unreadable, error.to_string()),
        };
        let mut life = self.life.clone();
        match life.beat(&mut record, Sight { at, alive }, self.every) {
            Beat::Held => {
                self.life = life;
                return Outcome::Held;
            }
            Beat::Recent(due) => {
                self.life = life;
                return Outcome::Recent(at, Duration::try_from(due).unwrap_or_default());
            }
            Beat::Write => {}
        }
        put(&mut object, record.text());
        // The object bears the version it was read with, so that nothing in between is overwritten.
        match api.put(&format!("{}?fieldManager={MANAGER}", path()), &Value::Object(object)).await {
            Ok(answer) if answer.status.is_success() => {
                self.life = life;
                Outcome::Written(at)
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

fn refused(what: &str, answer: &Answer) -> Outcome {
    let trouble = match answer.status {
        StatusCode::CONFLICT => Trouble::Conflict,
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Trouble::Forbidden,
        StatusCode::NOT_FOUND => Trouble::Missing,
        _ => Trouble::Refused,
    };
    let hint = match trouble {
        Trouble::Forbidden | Trouble::Missing => "; the guard's manifest, applied anew, provides object and rights",
        _ => "",
    };
    Outcome::Failed(trouble, format!("{what} the ConfigMap {NAMESPACE}/{NAME}: {}{hint}", answer.refusal()))
}

fn unanswered(error: &ApiError) -> Outcome {
    let trouble = if matches!(error, ApiError::NoAccess(_)) { Trouble::NoAccess } else { Trouble::Unreachable };
    Outcome::Failed(trouble, error.to_string())
}

fn path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}")
}

/// In managedFields.
const MANAGER: &str = "aksarc-guard";

const LEAST: Duration = Duration::from_mins(10);
/// A third of what counts as a gap.
const MOST: Duration = Duration::from_hours(1);
/// Long against one request, short against a rollout.
const START_SPREAD: Duration = Duration::from_secs(5);
/// Only reads: what fails before a write may come back soon after a start.
const RETRY: Duration = Duration::from_mins(1);
/// There are two replicas, and a third while they roll.
const ATTEMPTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_interval_is_at_least_ten_minutes_and_well_below_a_gap() {
        assert_eq!("10m".parse(), Ok(Every::default()));
        assert_eq!("1h".parse::<Every>().unwrap().to_string(), "60m");
        for bad in ["9m59s", "61m", "-10m", "0s", "600", "often", ""] {
            assert!(bad.parse::<Every>().unwrap_err().starts_with("expected 10"), "{bad}");
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
            Trouble::Conflict,
            Trouble::Forbidden,
            Trouble::Missing,
            Trouble::NoAccess,
            Trouble::NoTime,
            Trouble::Refused,
            Trouble::Unreachable,
            Trouble::Unreadable,
        ];
        let now = Timestamp::UNIX_EPOCH;
        let mut words: Vec<_> =
            troubles.map(|trouble| Outcome::Failed(trouble, String::new())).iter().map(Outcome::word).collect();
        words.extend([Outcome::Written(now), Outcome::Recent(now, LEAST), Outcome::Held].iter().map(Outcome::word));
        words.sort_unstable();
        assert_eq!(words, Outcome::WORDS);
    }
}
