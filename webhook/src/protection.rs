//! A task in the background that looks after the protection of the guard's webhook configuration and namespace.
//!
//! It closes what somebody opened: it removes the annotation `aksarc.dev/open` a quarter of an hour after it saw that.
//! The time counts from the look at which this replica saw the reason first. A time in the object would not do: whoever
//! opens an object could write that time too. So a guard that is restarted begins anew, and another reason has a time
//! of its own.
//!
//! It also tries, as a dry run, what the policy has to refuse it. Only a refusal shows that a policy is in force: one
//! that exists may have lost its binding, or its binding the word `Deny`, and no policy is asked about policies.

use std::time::Duration;

use aksarc_shared::data::own::{CONFIGURATION, NAMESPACE, OPEN};
use http::StatusCode;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::api::{Access, Api, ApiAnswer, ApiError, jitter};
use crate::log::LoggedFailure;
use crate::manifest::protection::{NAMESPACE_POLICY, POLICY};
use crate::metrics::{Metrics, OutcomeCounters, by};

/// How the protection is looked after.
#[derive(Clone, Debug)]
pub struct ProtectionOptions {
    /// How to reach the API server.
    pub access: Access,
    /// How often to look.
    pub every: Duration,
    /// How long an object stays open.
    pub close_after: Duration,
    /// How often to try what has to be refused.
    pub try_every: Duration,
}

impl ProtectionOptions {
    /// The usual times.
    pub fn new(access: Access) -> Self {
        ProtectionOptions { access, every: EVERY, close_after: CLOSE_AFTER, try_every: TRY_EVERY }
    }
}

/// Looks again and again, until the future is dropped.
pub(crate) async fn run(options: ProtectionOptions, counters: ProtectionCounters) {
    let every = options.every.min(options.close_after).min(options.try_every);
    let api = Api::new(options.access.clone());
    let mut watched = OBJECTS.map(WatchedObject::new);
    loop {
        // Spread, so that replicas look at different times.
        sleep(every.saturating_sub(jitter(every / 4))).await;
        for (object, series) in watched.iter_mut().zip(&counters.objects) {
            let outcome = object.look(&api, &options).await;
            counters.looked(&outcome);
            series.open.set(i64::from(object.opening.is_some()));
            series.armed.set(i64::from(object.armed == Some(true)));
            object.tell(&outcome);
        }
    }
}

/// An object that a policy protects, and that people can open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProtectedObject {
    /// The word for it in metrics.
    word: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    collection: &'static str,
    policy: &'static str,
}

/// What this replica knows of a protected object.
#[derive(Debug)]
struct WatchedObject {
    object: ProtectedObject,
    opening: Option<Opening>,
    /// Whether the policy refused what it has to; `None` before the first try.
    armed: Option<bool>,
    tried: Option<Instant>,
    logged: LoggedFailure<LookTrouble>,
}

/// What this replica knows of an object that is open.
#[derive(Debug)]
struct Opening {
    reason: String,
    seen: Instant,
}

/// How a look at one object ended.
#[derive(Debug, PartialEq, Eq)]
enum LookOutcome {
    /// The object was closed; this was the reason to open it.
    Closed(String),
    /// Nobody opened it.
    Shut,
    /// It is open, and may be for a while.
    Open,
    /// It could not be read or closed, for this reason.
    Failed(LookTrouble, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LookTrouble {
    Conflict,
    Forbidden,
    NoAccess,
    Refused,
    Unreachable,
}

impl LookOutcome {
    fn word(&self) -> &'static str {
        match self {
            LookOutcome::Closed(_) => "closed",
            LookOutcome::Shut => "shut",
            LookOutcome::Open => "open",
            LookOutcome::Failed(LookTrouble::Conflict, _) => "conflict",
            LookOutcome::Failed(LookTrouble::Forbidden, _) => "forbidden",
            LookOutcome::Failed(LookTrouble::NoAccess, _) => "no_access",
            LookOutcome::Failed(LookTrouble::Refused, _) => "refused",
            LookOutcome::Failed(LookTrouble::Unreachable, _) => "unreachable",
        }
    }

    const WORDS: [&'static str; 8] =
        ["closed", "conflict", "forbidden", "no_access", "open", "refused", "shut", "unreachable"];
}

impl WatchedObject {
    fn new(object: ProtectedObject) -> Self {
        WatchedObject { object, opening: None, armed: None, tried: None, logged: LoggedFailure::default() }
    }

    /// One look: reads the object, closes it where it has been open for long enough, and tries the policy where that is
    /// due.
    async fn look(&mut self, api: &Api, options: &ProtectionOptions) -> LookOutcome {
        let answer = match api.get(&self.object.path()).await {
            Ok(answer) if answer.status == StatusCode::OK => answer,
            Ok(answer) if answer.status == StatusCode::NOT_FOUND => {
                (self.opening, self.armed, self.tried) = (None, None, None);
                return LookOutcome::Shut;
            }
            Ok(answer) => return self.object.refused("reading", &answer),
            Err(error) => return unanswered(&error),
        };
        let outcome = self.close_when_due(api, reason(&answer), options.close_after).await;
        let is_due = self.tried.is_none_or(|tried| tried.elapsed() >= options.try_every);
        if !is_due || !matches!(outcome, LookOutcome::Open | LookOutcome::Shut) {
            return outcome;
        }
        match self.object.tries(api).await {
            Ok(armed) => {
                self.note(armed);
                outcome
            }
            Err(trouble) => trouble,
        }
    }

    async fn close_when_due(&mut self, api: &Api, reason: Option<String>, after: Duration) -> LookOutcome {
        let Some(reason) = reason else {
            self.opening = None;
            return LookOutcome::Shut;
        };
        let seen = match &self.opening {
            Some(opening) if opening.reason == reason => opening.seen,
            _ => self.opening.insert(Opening { reason: reason.clone(), seen: Instant::now() }).seen,
        };
        if seen.elapsed() < after {
            return LookOutcome::Open;
        }
        match self.object.close(api, &reason).await {
            Ok(()) => {
                self.opening = None;
                LookOutcome::Closed(reason)
            }
            Err(outcome) => outcome,
        }
    }

    /// Notes whether the policy is in force, and logs a change of that.
    fn note(&mut self, armed: bool) {
        let (kind, name, policy) = (self.object.kind, self.object.name, self.object.policy);
        self.tried = Some(Instant::now());
        if self.armed.replace(armed) == Some(armed) {
            return;
        }
        if armed {
            tracing::info!(kind, name, policy, "the policy protects the object: it refused a change");
        } else {
            tracing::warn!(kind, name, policy, "no policy protects the object: a change was not refused");
        }
    }

    /// Logs what was closed, and what keeps the object from being looked after.
    fn tell(&mut self, outcome: &LookOutcome) {
        let (kind, name) = (self.object.kind, self.object.name);
        match outcome {
            LookOutcome::Failed(what, why) => {
                if self.logged.is_new(*what) {
                    tracing::warn!(kind, name, error = why, "the protection of the object cannot be looked after");
                }
                return;
            }
            LookOutcome::Closed(reason) => tracing::info!(kind, name, reason, "closed what was open for a change"),
            LookOutcome::Open | LookOutcome::Shut => {}
        }
        if self.logged.ends() {
            tracing::info!(kind, name, "the protection of the object is looked after again");
        }
    }
}

impl ProtectedObject {
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.collection, self.name)
    }

    /// Whether the policy refuses a change that nobody may make without opening the object. Nothing is stored.
    async fn tries(&self, api: &Api) -> Result<bool, LookOutcome> {
        let label = json!([{"op": "add", "path": "/metadata/labels", "value": {"aksarc.dev/try": ""}}]);
        let path = format!("{}?dryRun=All&fieldManager={MANAGER}", self.path());
        let answer = api.json_patch(&path, &label).await.map_err(|error| unanswered(&error))?;
        if answer.status.is_success() {
            return Ok(false);
        }
        let by_policy = format!("ValidatingAdmissionPolicy '{}'", self.policy);
        let refused = answer.status == StatusCode::FORBIDDEN && answer.refusal().contains(&by_policy);
        if refused { Ok(true) } else { Err(self.refused("trying to change", &answer)) }
    }

    /// Removes the annotation. Only what was seen is removed: another reason was given for another change.
    async fn close(&self, api: &Api, reason: &str) -> Result<(), LookOutcome> {
        let at = format!("/metadata/annotations/{}", OPEN.replace('/', "~1"));
        let operations = json!([{"op": "test", "path": at, "value": reason}, {"op": "remove", "path": at}]);
        let path = format!("{}?fieldManager={MANAGER}", self.path());
        let answer = api.json_patch(&path, &operations).await.map_err(|error| unanswered(&error))?;
        if answer.status.is_success() { Ok(()) } else { Err(self.refused("closing", &answer)) }
    }

    fn refused(&self, what: &str, answer: &ApiAnswer) -> LookOutcome {
        let (trouble, hint) = match answer.status {
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => (LookTrouble::Conflict, ""),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
                (LookTrouble::Forbidden, "; the guard's manifest, applied anew, provides the right")
            }
            _ => (LookTrouble::Refused, ""),
        };
        LookOutcome::Failed(trouble, format!("{what} {} {}: {}{hint}", self.kind, self.name, answer.refusal()))
    }
}

/// The series of the protection.
#[derive(Debug)]
pub(crate) struct ProtectionCounters {
    looks: OutcomeCounters,
    /// One for each object.
    objects: Vec<ObjectSeries>,
}

#[derive(Debug)]
struct ObjectSeries {
    open: Gauge,
    armed: Gauge,
}

impl ProtectionCounters {
    pub(crate) fn register(metrics: &mut Metrics) -> Self {
        let objects = by("object", &OBJECTS.map(|object| object.word));
        let open = metrics.gauges(
            "protection_open",
            "Whether the object is open for changes by the annotation aksarc.dev/open, at the last look",
            &objects,
        );
        let armed = metrics.gauges(
            "protection_armed",
            "Whether the policy that protects the object refused what it has to, at the last try",
            &objects,
        );
        ProtectionCounters {
            looks: OutcomeCounters::register(
                metrics,
                "protection_looks",
                "Looks at the protection of the guard's webhook configuration and namespace, by outcome",
                &LookOutcome::WORDS,
            ),
            objects: open.into_iter().zip(armed).map(|(open, armed)| ObjectSeries { open, armed }).collect(),
        }
    }

    fn looked(&self, outcome: &LookOutcome) {
        self.looks.count(outcome.word());
    }
}

/// The reason for which an object is open. One without text opens nothing.
fn reason(object: &ApiAnswer) -> Option<String> {
    let object: Value = serde_json::from_slice(&object.body).ok()?;
    let reason = object.get("metadata")?.get("annotations")?.get(OPEN)?.as_str()?;
    (!reason.trim().is_empty()).then(|| reason.to_owned())
}

fn unanswered(error: &ApiError) -> LookOutcome {
    let trouble = if matches!(error, ApiError::NoAccess(_)) { LookTrouble::NoAccess } else { LookTrouble::Unreachable };
    LookOutcome::Failed(trouble, error.to_string())
}

pub(crate) const OBJECTS: [ProtectedObject; 2] = [
    ProtectedObject {
        word: "configuration",
        kind: "ValidatingWebhookConfiguration",
        name: CONFIGURATION,
        collection: "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        policy: POLICY,
    },
    ProtectedObject {
        word: "namespace",
        kind: "Namespace",
        name: NAMESPACE,
        collection: "/api/v1/namespaces",
        policy: NAMESPACE_POLICY,
    },
];
/// The field manager of our writes.
const MANAGER: &str = "aksarc-guard";
/// Often enough that the end comes at about its time.
const EVERY: Duration = Duration::from_secs(30);
/// Longer than an upgrade by Helm takes, whose own limit is five minutes, and too short for an opening to be forgotten.
const CLOSE_AFTER: Duration = Duration::from_mins(15);
/// Each try is a line in the API server's audit log.
const TRY_EVERY: Duration = Duration::from_mins(5);
