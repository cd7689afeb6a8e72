//! What the guard observed: a task in the background that adds up who would have been denied or warned of, and writes it
//! into one ConfigMap at intervals.
//!
//! Reviews only put what they saw into a bounded queue. Replicas share the ConfigMap: each adds what it saw since its
//! last write to what is there, and reads again when another one wrote in between. What cannot be written is kept, as
//! far as a record has room, and written later. What a replica saw since its last write is lost when it stops. The record
//! is described in [`aksarc_shared::verdict::observed`].

use std::time::Duration;

use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::user::User;
use aksarc_shared::verdict::guard::{Decision, Judgement};
use aksarc_shared::verdict::observed::{KEY, NAME, NAMESPACE, Observed, ObservedRecord, Sightings};
use http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use serde_json::{Map, Value};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, sleep_until};

use crate::api::{Access, Api, ApiAnswer, ApiError, jitter};
use crate::log::LoggedFailure;
use crate::metrics::{Metrics, OutcomeCounters};

/// How what was observed is written.
#[derive(Clone, Debug)]
pub struct ObservedOptions {
    /// How to reach the API server.
    pub access: Access,
    /// How often it is written, where there is anything new.
    pub every: Duration,
}

/// The end of the queue into which reviews put what they saw.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    queue: Sender<(Observed, Sightings)>,
    lost: Counter,
}

impl Observer {
    /// Notes a change that was made, by each rule that `enforce` would deny or warn of. This waits for nothing: what
    /// finds the queue full is counted and lost.
    pub(crate) fn note(&self, judgement: &Judgement, user: &User, (operation, resource): (&str, &str), now: Timestamp) {
        let credential = user.credential_ids.first().map(String::as_str).unwrap_or_default();
        let mut noted: Vec<&str> = Vec::new();
        for judged in judgement.judged.iter().filter(|judged| judged.in_enforce > Decision::Allow) {
            let rule = judged.finding.code.as_str();
            if noted.contains(&rule) {
                continue;
            }
            noted.push(rule);
            // The findings of a rule differ in weight; the heaviest of them counts.
            let of_rule = judgement.judged.iter().filter(|other| other.finding.code.as_str() == rule);
            let in_enforce = of_rule.map(|other| other.in_enforce).max().unwrap_or(judged.in_enforce);
            let Ok(place) = self.queue.try_reserve() else {
                self.lost.inc();
                continue;
            };
            let seen = Sightings {
                actor: judgement.actor,
                in_enforce,
                resource: resource.to_owned(),
                operation: operation.to_owned(),
                count: 1,
                first: now,
                last: now,
            };
            let who = Observed::new(&user.name, credential, &user.field_manager, rule);
            place.send((who, seen));
        }
    }
}

/// The queue between reviews and the task, with both ends.
pub(crate) fn queue(counters: &ObservedCounters) -> (Observer, Receiver<(Observed, Sightings)>) {
    let (queue, seen) = mpsc::channel(MOST_WAITING);
    (Observer { queue, lost: counters.lost.clone() }, seen)
}

/// Writes what comes out of the queue again and again, until the other end is gone.
pub(crate) async fn run(
    options: ObservedOptions,
    mut queue: Receiver<(Observed, Sightings)>,
    counters: ObservedCounters,
) {
    let ObservedOptions { access, every } = options;
    let mut keeper = ObservedKeeper { api: Api::new(access), fresh: ObservedRecord::default() };
    let mut logged = LoggedFailure::default();
    loop {
        let Some((who, seen)) = queue.recv().await else { return };
        keeper.fresh.add(who, seen);
        // More of the same usually follows. To be woken for each would cost the reviews more than to note it.
        let due = Instant::now() + every + jitter(every / 10);
        while Instant::now() < due && !queue.is_closed() {
            sleep_until(due.min(Instant::now() + COLLECT)).await;
            keeper.collect(&mut queue);
        }
        while !keeper.fresh.is_empty() {
            let outcome = keeper.write().await;
            counters.count(&outcome);
            log_change(&mut logged, &outcome);
            if matches!(outcome, WriteOutcome::Written) {
                break;
            }
            sleep_until(Instant::now() + RETRY.max(every) + jitter(every / 10)).await;
            keeper.collect(&mut queue);
        }
    }
}

/// The outcome of one attempt to write.
#[derive(Debug)]
enum WriteOutcome {
    Written,
    Failed(WriteTrouble, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteTrouble {
    Conflict,
    Forbidden,
    Missing,
    NoAccess,
    Refused,
    Unreachable,
    Unreadable,
}

impl WriteOutcome {
    const WORDS: [&'static str; 8] =
        ["conflict", "forbidden", "missing", "no_access", "refused", "unreachable", "unreadable", "written"];

    fn word(&self) -> &'static str {
        match self {
            WriteOutcome::Written => "written",
            WriteOutcome::Failed(trouble, _) => match trouble {
                WriteTrouble::Conflict => "conflict",
                WriteTrouble::Forbidden => "forbidden",
                WriteTrouble::Missing => "missing",
                WriteTrouble::NoAccess => "no_access",
                WriteTrouble::Refused => "refused",
                WriteTrouble::Unreachable => "unreachable",
                WriteTrouble::Unreadable => "unreadable",
            },
        }
    }
}

/// Counters of what was observed.
#[derive(Debug)]
pub(crate) struct ObservedCounters {
    writes: OutcomeCounters,
    lost: Counter,
}

impl ObservedCounters {
    pub(crate) fn register(metrics: &mut Metrics) -> Self {
        ObservedCounters {
            writes: OutcomeCounters::register(
                metrics,
                "observed_writes",
                "Attempts to write down who would have been denied or warned of, by outcome",
                &WriteOutcome::WORDS,
            ),
            lost: metrics.counter(
                "observed_lost",
                "Changes that are not in the record of who would have been denied or warned of, since too many came at once",
            ),
        }
    }

    fn count(&self, outcome: &WriteOutcome) {
        self.writes.count(outcome.word());
    }
}

fn log_change(logged: &mut LoggedFailure<WriteTrouble>, outcome: &WriteOutcome) {
    match outcome {
        WriteOutcome::Failed(what, why) if logged.is_new(*what) => {
            tracing::warn!(error = why, "what was observed cannot be written; reviews are answered all the same");
        }
        WriteOutcome::Failed(..) => {}
        WriteOutcome::Written => {
            if logged.ends() {
                tracing::info!("what was observed is written again");
            }
        }
    }
}

struct ObservedKeeper {
    api: Api,
    /// What no write has taken yet.
    fresh: ObservedRecord,
}

impl ObservedKeeper {
    /// Takes all that waits in the queue.
    fn collect(&mut self, queue: &mut Receiver<(Observed, Sightings)>) {
        while let Ok((who, seen)) = queue.try_recv() {
            self.fresh.add(who, seen);
        }
    }

    async fn write(&mut self) -> WriteOutcome {
        for _ in 0..ATTEMPTS {
            match self.attempt().await {
                // Another replica wrote in between: its record is read, and ours goes into that.
                WriteOutcome::Failed(WriteTrouble::Conflict, _) => {}
                outcome => return outcome,
            }
        }
        let why = format!("{NAME} was changed by others {ATTEMPTS} times in a row");
        WriteOutcome::Failed(WriteTrouble::Conflict, why)
    }

    async fn attempt(&mut self) -> WriteOutcome {
        let read = match self.api.get(&path()).await {
            Ok(answer) if answer.status == StatusCode::OK => answer,
            Ok(answer) => return refused("reading", &answer),
            Err(error) => return unanswered(&error),
        };
        let Ok(Value::Object(mut object)) = serde_json::from_slice::<Value>(&read.body) else {
            let why = format!("the API server's answer to a read of the ConfigMap {NAME} is no JSON object");
            return WriteOutcome::Failed(WriteTrouble::Unreadable, why);
        };
        let text = object.get("data").and_then(|data| data.get(KEY)?.as_str()).unwrap_or_default();
        let mut record = ObservedRecord::parse(text).unwrap_or_else(|error| {
            tracing::warn!(error, "the record of what was observed cannot be read; a new one replaces it");
            ObservedRecord::default()
        });
        record.merge(&self.fresh);
        let data = object.entry("data").or_insert(Value::Null);
        if !data.is_object() {
            *data = Value::Object(Map::new());
        }
        if let Value::Object(data) = data {
            data.insert(KEY.to_owned(), Value::String(record.text()));
        }
        // The object carries the resourceVersion it was read with, so that no write in between is lost.
        match self.api.put(&format!("{}?fieldManager={MANAGER}", path()), &Value::Object(object)).await {
            Ok(answer) if answer.status.is_success() => {
                self.fresh = ObservedRecord::default();
                WriteOutcome::Written
            }
            Ok(answer) => refused("writing", &answer),
            Err(error) => unanswered(&error),
        }
    }
}

fn refused(what: &str, answer: &ApiAnswer) -> WriteOutcome {
    let (trouble, hint) = match answer.status {
        StatusCode::CONFLICT => (WriteTrouble::Conflict, ""),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => (WriteTrouble::Forbidden, HINT),
        StatusCode::NOT_FOUND => (WriteTrouble::Missing, HINT),
        _ => (WriteTrouble::Refused, ""),
    };
    WriteOutcome::Failed(trouble, format!("{what} the ConfigMap {NAMESPACE}/{NAME}: {}{hint}", answer.refusal()))
}

fn unanswered(error: &ApiError) -> WriteOutcome {
    let trouble =
        if matches!(error, ApiError::NoAccess(_)) { WriteTrouble::NoAccess } else { WriteTrouble::Unreachable };
    WriteOutcome::Failed(trouble, error.to_string())
}

fn path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}")
}

const HINT: &str = "; the guard's manifest, applied anew, provides object and right, and --observed=off does without";

/// The field manager of our writes.
const MANAGER: &str = "aksarc-guard";

/// Sightings that wait, in some hundred KiB: 50,000 a second between two looks at the queue.
const MOST_WAITING: usize = 1024;

/// The time between two looks at the queue.
const COLLECT: Duration = Duration::from_millis(20);

/// The pause after a failure, at least.
const RETRY: Duration = Duration::from_secs(10);

/// Attempts for one write: there are two replicas, and a third while they roll.
const ATTEMPTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use aksarc_shared::facts::actor::Actor;
    use aksarc_shared::finding::{Code, Finding};
    use aksarc_shared::verdict::guard::{Judged, Preset};

    fn judgement(found: &[(&'static str, Decision)]) -> Judgement {
        let judged = found.iter().map(|(code, in_enforce)| Judged {
            finding: Finding { code: Code::new(code), ..Finding::example() },
            decision: Decision::Allow,
            in_enforce: *in_enforce,
            instead: "",
        });
        Judgement { actor: Actor::Person, preset: Preset::Observe, judged: judged.collect(), not_evaluated: None }
    }

    #[test]
    fn each_rule_counts_once_by_its_heaviest_finding_and_what_is_only_recorded_not_at_all() {
        let counters = ObservedCounters::register(&mut Metrics::new());
        let (observer, mut seen) = queue(&counters);
        let user = User { name: "alice".to_owned(), credential_ids: vec!["X".to_owned()], ..User::default() };
        let all = [
            ("AA201", Decision::Warn),
            ("AA201", Decision::Deny),
            ("AA204", Decision::Warn),
            ("AA205", Decision::Allow),
        ];
        observer.note(&judgement(&all), &user, ("UPDATE", "nodes"), Timestamp::UNIX_EPOCH);
        let mut rows = Vec::new();
        while let Ok((who, seen)) = seen.try_recv() {
            assert_eq!((&*who.user, &*who.credential_id, seen.count), ("alice", "X", 1));
            rows.push((who.rule, seen.in_enforce));
        }
        assert_eq!(rows, [("AA201".to_owned(), Decision::Deny), ("AA204".to_owned(), Decision::Warn)]);
    }

    #[test]
    fn a_full_queue_costs_sightings_and_holds_up_nobody() {
        let counters = ObservedCounters::register(&mut Metrics::new());
        let (observer, _seen) = queue(&counters);
        let found = judgement(&[("AA201", Decision::Deny)]);
        for _ in 0..MOST_WAITING + 5 {
            observer.note(&found, &User::default(), ("UPDATE", "nodes"), Timestamp::UNIX_EPOCH);
        }
        assert_eq!(counters.lost.get(), 5);
    }

    #[test]
    fn every_outcome_has_a_word_of_its_own() {
        let troubles = [
            WriteTrouble::Conflict,
            WriteTrouble::Forbidden,
            WriteTrouble::Missing,
            WriteTrouble::NoAccess,
            WriteTrouble::Refused,
            WriteTrouble::Unreachable,
            WriteTrouble::Unreadable,
        ];
        let failed = troubles.map(|trouble| WriteOutcome::Failed(trouble, String::new()));
        let words: Vec<_> = failed.iter().chain(&[WriteOutcome::Written]).map(WriteOutcome::word).collect();
        assert_eq!(words, WriteOutcome::WORDS);
    }
}
