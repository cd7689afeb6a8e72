//! From the bytes of a review to the bytes of its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aksarc_shared::actor::User;
use aksarc_shared::change::Change;
use aksarc_shared::guard::{Decision, Guard, Judged, Judgement};
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::read::review::{self, Review, ReviewError};
use aksarc_shared::text;
use arc_swap::ArcSwap;
use http::StatusCode;
use serde::Serialize;

use crate::metrics::Metrics;

/// Judges a change; a parameter so that a test can put something broken in its place.
pub type Judge = fn(&Guard, &Change<'_>, &User, Timestamp) -> Judgement;

/// Answers reviews with the guard that is in use at that moment.
#[derive(Debug)]
pub struct Reviewer {
    guard: Arc<ArcSwap<Guard>>,
    metrics: Arc<Metrics>,
    judge: Judge,
    lines: LineBudget,
}

impl Reviewer {
    /// Answers with `guard`, counting in `metrics`.
    pub fn new(guard: Arc<ArcSwap<Guard>>, metrics: Arc<Metrics>) -> Self {
        Reviewer { guard, metrics, judge: Guard::judge, lines: LineBudget::default() }
    }

    /// Judges by another function.
    #[must_use]
    pub fn with_judge(self, judge: Judge) -> Self {
        Reviewer { judge, ..self }
    }

    /// The answer to a review, an AdmissionReview in JSON.
    ///
    /// What cannot be judged is allowed and counted, even when judging panics.
    ///
    /// # Errors
    /// [`Refusal`] when there is no uid to answer to, or no such version.
    pub fn answer(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let start = Instant::now();
        // Nothing that a panic could leave half done is shared: the guard is only read, and counters are atomics.
        let answer = catch_unwind(AssertUnwindSafe(|| self.review(body)));
        let answer = answer.unwrap_or_else(|_| {
            let uid = uid(body).ok_or_else(|| Refusal::malformed("the review has no request.uid"))?;
            self.metrics.not_evaluated(PANIC);
            Ok(allowed_unjudged(&uid, PANIC))
        });
        self.metrics.took(start.elapsed());
        answer
    }

    fn review(&self, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let Review { uid, user, change, dry_run } = review::review(body)?;
        let change = match change {
            Ok(change) => change,
            Err(why) => {
                self.metrics.not_evaluated(why.reason());
                tracing::debug!(reason = why.reason(), "allowed without being judged");
                return Ok(allowed_unjudged(&uid, why.reason()));
            }
        };
        let guard = self.guard.load();
        let judgement = (self.judge)(&guard, &change, &user, Timestamp::now());
        self.metrics.judged(&judgement);
        if judgement.judged.is_empty() {
            return Ok(serialize(&Response { uid: &uid, allowed: true, ..Response::default() }));
        }
        self.log(&judgement, &change, &user, dry_run);
        let decision = judgement.decision();
        Ok(serialize(&Response {
            uid: &uid,
            allowed: decision != Decision::Deny,
            status: (decision == Decision::Deny).then(|| refusal_status(&judgement)),
            warnings: if decision == Decision::Warn { warnings(&judgement.judged) } else { Vec::new() },
            audit_annotations: Some(annotations(&judgement)),
        }))
    }

    /// One line for a review with findings; whoever can cause findings can cause many, so their number is bounded too.
    fn log(&self, judgement: &Judgement, change: &Change<'_>, user: &User, dry_run: bool) {
        let Some(suppressed) = self.lines.take(Timestamp::now().as_second()) else { return };
        tracing::info!(
            decision = judgement.decision().as_str(),
            findings = findings(&judgement.judged),
            mode = judgement.preset.as_str(),
            operation = change.operation.as_str(),
            resource = change.kind.resource,
            subresource = text::line(&change.subresource, MAX_NAME),
            namespace = text::line(&change.namespace, MAX_NAME),
            name = text::line(&change.name, MAX_NAME),
            user = text::line(&user.name, MAX_NAME),
            actor = judgement.actor.as_str(),
            dry_run,
            suppressed,
            "finding in a change"
        );
    }
}

/// A request that gets an HTTP error instead of an answer. Under `failurePolicy: Ignore` the API server goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status code.
    pub status: StatusCode,
    /// A word for the metrics.
    pub word: &'static str,
    /// For whoever reads the API server's log.
    pub message: String,
}

impl Refusal {
    /// Every word there is.
    pub const WORDS: [&'static str; 9] =
        ["aborted", "content-type", "malformed", "method", "overload", "path", "timeout", "too-large", "version"];

    pub(crate) fn new(status: StatusCode, word: &'static str, message: impl Into<String>) -> Self {
        Refusal { status, word, message: message.into() }
    }

    fn malformed(message: &str) -> Self {
        // Parser messages repeat what they found, and whoever sent it chose that.
        Refusal::new(StatusCode::BAD_REQUEST, "malformed", text::line(message, MAX_CAUSE))
    }

    pub(crate) fn place(&self) -> usize {
        Refusal::WORDS.iter().position(|word| *word == self.word).unwrap_or_default()
    }
}

impl From<ReviewError> for Refusal {
    fn from(error: ReviewError) -> Self {
        let word = if matches!(error, ReviewError::Version { .. }) { "version" } else { "malformed" };
        Refusal { word, ..Refusal::malformed(&error.to_string()) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdmissionReview<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: &'a Response<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<Annotations>,
}

#[derive(Serialize)]
struct Status {
    #[serde(rename = "status")]
    outcome: &'static str,
    message: String,
    reason: &'static str,
    details: Details,
    code: u16,
}

#[derive(Serialize)]
struct Details {
    causes: Vec<Cause>,
}

#[derive(Serialize)]
struct Cause {
    reason: &'static str,
    message: String,
    field: String,
}

/// The API server puts the webhook's name before each key.
#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Annotations {
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_evaluated: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waivers: Option<String>,
}

fn serialize(response: &Response<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let review = AdmissionReview { api_version: "admission.k8s.io/v1", kind: "AdmissionReview", response };
    // Strings and flags into memory: there is nothing in it that can fail.
    if let Err(error) = serde_json::to_writer(&mut out, &review) {
        tracing::error!(%error, "an answer could not be written");
    }
    out
}

fn allowed_unjudged(uid: &str, reason: &'static str) -> Vec<u8> {
    let audit_annotations = Some(Annotations { not_evaluated: Some(reason), ..Annotations::default() });
    serialize(&Response { uid, allowed: true, audit_annotations, ..Response::default() })
}

fn refusal_status(judgement: &Judgement) -> Status {
    let denied = || judgement.judged.iter().filter(|judged| judged.decision == Decision::Deny);
    // Heaviest first, by the engine.
    let message = denied().next().map(|first| {
        let more = match denied().count() - 1 {
            0 => String::new(),
            more => format!(" (+{more} more)"),
        };
        // The way out may be cut at the end, the code never: it stands first and leads to the rule's page.
        let line = text::line(&first.line(MAX_MESSAGE - more.len()), MAX_MESSAGE - more.len());
        format!("{line}{more}")
    });
    Status {
        outcome: "Failure",
        message: message.unwrap_or_default(),
        reason: "Forbidden",
        details: Details { causes: denied().take(MAX_CAUSES).map(cause).collect() },
        code: StatusCode::FORBIDDEN.as_u16(),
    }
}

fn cause(judged: &Judged) -> Cause {
    let finding = &judged.finding;
    let basis = finding.basis.phrase();
    let tail = format!(" ({basis}) - {}; see: kubectl aksarc explain {}", judged.instead, finding.code);
    let head = text::line(&finding.message, MAX_CAUSE.saturating_sub(tail.len()));
    Cause { reason: finding.code, message: format!("{head}{tail}"), field: text::line(&finding.path, MAX_NAME) }
}

/// Each once, and below what the API server passes on in total; it drops a warning with a control character silently.
fn warnings(judged: &[Judged]) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    let (mut size, mut left_out) = (0, 0);
    for judged in judged.iter().filter(|judged| judged.decision == Decision::Warn) {
        let line = text::line(&judged.line(MAX_WARNING), MAX_WARNING);
        if warnings.contains(&line) {
            continue;
        }
        if size + line.len() > MAX_WARNINGS - LEFT_OUT_ROOM {
            left_out += 1;
            continue;
        }
        size += line.len();
        warnings.push(line);
    }
    if left_out > 0 {
        warnings.push(format!("{left_out} more warnings left out; the audit annotations name their rules"));
    }
    warnings
}

fn annotations(judgement: &Judgement) -> Annotations {
    let mut waivers: Vec<&str> = Vec::new();
    for waiver in judgement.judged.iter().filter_map(|judged| judged.finding.waiver.as_ref()) {
        if !waivers.contains(&&*waiver.name) {
            waivers.push(&waiver.name);
        }
    }
    Annotations {
        actor: Some(judgement.actor.as_str()),
        findings: Some(findings(&judgement.judged)),
        mode: Some(judgement.preset.as_str()),
        waivers: (!waivers.is_empty()).then(|| text::line(&waivers.join(","), MAX_ANNOTATION)),
        not_evaluated: None,
    }
}

/// `AA201=deny,AA205=warn*2`: made of our own words only.
fn findings(judged: &[Judged]) -> String {
    let mut counted: Vec<(&str, &str, usize)> = Vec::new();
    for judged in judged {
        let word = if judged.finding.waiver.is_some() { "waived" } else { judged.decision.as_str() };
        let known = counted.iter_mut().find(|(code, known, _)| (*code, *known) == (judged.finding.code, word));
        match known {
            Some((_, _, times)) => *times += 1,
            None => counted.push((judged.finding.code, word, 1)),
        }
    }
    let words: Vec<String> = counted
        .into_iter()
        .map(|(code, word, times)| if times == 1 { format!("{code}={word}") } else { format!("{code}={word}*{times}") })
        .collect();
    text::line(&words.join(","), MAX_ANNOTATION)
}

/// Only what an answer needs, for when the whole could not be read without a panic.
fn uid(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Request {
        uid: String,
    }
    #[derive(serde::Deserialize)]
    struct Bare {
        request: Request,
    }
    serde_json::from_slice::<Bare>(body).ok().map(|bare| bare.request.uid)
}

/// At most `MAX_LINES` log lines a second, counted without a lock: the second above, the lines in it below.
#[derive(Debug, Default)]
struct LineBudget {
    state: AtomicU64,
    suppressed: AtomicU64,
}

impl LineBudget {
    /// Takes a line if there is one left in this second, and tells how many were suppressed since the last one.
    fn take(&self, second: i64) -> Option<u64> {
        let second = second.unsigned_abs() << LINE_BITS;
        let next = |state: u64| {
            let state = if state >> LINE_BITS << LINE_BITS == second { state } else { second };
            (state - second < MAX_LINES).then_some(state + 1)
        };
        if self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok() {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// Why a review can go unjudged; the first four are the reader's words.
pub(crate) const REASONS: [&str; 6] = ["unreadable", "operation", "resource", "missing-object", PANIC, "other"];
const PANIC: &str = "panic";

/// What a terminal shows in one line behind the API server's own words.
const MAX_MESSAGE: usize = 120;
/// The API server cuts a longer warning once there are many.
const MAX_WARNING: usize = 256;
/// Past 4,096 bytes in total the API server cuts and then drops warnings.
const MAX_WARNINGS: usize = 4096;
/// For the line that says how many were left out.
const LEFT_OUT_ROOM: usize = 96;
/// One line of kubectl -v8 or of a JSON answer.
const MAX_CAUSE: usize = 512;
/// A node can have some 40 system labels; more causes than that tell nothing new.
const MAX_CAUSES: usize = 64;
/// Names are at most 253 bytes where Kubernetes has validated them; user names are not bounded at all.
const MAX_NAME: usize = 256;
/// Audit logs are kept for long and read by line.
const MAX_ANNOTATION: usize = 1024;
/// A person causes a few findings a second, a controller in a fight with us thousands.
const MAX_LINES: u64 = 20;
const LINE_BITS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use aksarc_shared::finding::{Basis, Consequence, Finding, ObjectRef};

    fn judged(decision: Decision, message: &str) -> Judged {
        let finding = Finding {
            code: "AA299",
            slug: "invented",
            consequence: Consequence::Voids,
            basis: Basis::Explicit,
            documents: Vec::new(),
            clauses: &[],
            object: ObjectRef::cluster(),
            members: Vec::new(),
            path: "metadata.labels[a\nb]".to_owned(),
            before: None,
            after: None,
            message: message.to_owned(),
            evidence: Vec::new(),
            fix: Vec::new(),
            fingerprint: String::new(),
            waiver: None,
        };
        Judged { finding, decision, instead: "use a key of your own" }
    }

    #[test]
    fn warnings_are_unique_bounded_and_say_what_is_missing() {
        let many: Vec<Judged> =
            (0..200).map(|n| judged(Decision::Warn, &format!("{} is \u{7} wrong {n}", "label ".repeat(60)))).collect();
        let mut repeated = many.clone();
        repeated.extend(many);
        let warnings = warnings(&repeated);
        assert!(warnings.iter().all(|line| line.len() <= MAX_WARNING && !line.contains(char::is_control)));
        assert!(warnings.iter().map(String::len).sum::<usize>() < MAX_WARNINGS);
        let mut unique = warnings.clone();
        unique.dedup();
        assert_eq!(unique, warnings);

        let distinct: Vec<Judged> =
            (0..200).map(|n| judged(Decision::Warn, &format!("{n} {}", "label ".repeat(60)))).collect();
        let warnings = super::warnings(&distinct);
        assert!(warnings.iter().map(String::len).sum::<usize>() < MAX_WARNINGS);
        assert!(warnings.last().unwrap().contains(&format!("{} more", 200 - (warnings.len() - 1))));
    }

    #[test]
    fn a_denial_is_one_short_line_and_one_cause_per_finding() {
        let long = "ä".repeat(500);
        let judged = vec![judged(Decision::Deny, &long), judged(Decision::Deny, "b"), judged(Decision::Warn, "c")];
        let judgement = Judgement {
            actor: aksarc_shared::actor::Actor::Person,
            preset: aksarc_shared::guard::Preset::Enforce,
            judged,
        };
        let status = refusal_status(&judgement);
        assert!(status.message.len() <= MAX_MESSAGE, "{}", status.message);
        assert!(status.message.starts_with("AA299: ") && status.message.ends_with(" (+1 more)"));
        assert_eq!(status.details.causes.len(), 2);
        for cause in &status.details.causes {
            assert!(cause.message.len() <= MAX_CAUSE && !cause.field.contains('\n'));
            assert!(cause.message.ends_with("kubectl aksarc explain AA299"));
        }
        assert_eq!(findings(&judgement.judged), "AA299=deny*2,AA299=warn");
    }

    #[test]
    fn lines_are_bounded_by_the_second_and_the_rest_is_counted() {
        let budget = LineBudget::default();
        let taken = (0..50).filter(|_| budget.take(1_700_000_000).is_some()).count();
        assert_eq!(taken, 20);
        assert_eq!(budget.take(1_700_000_001), Some(30));
        assert_eq!(budget.take(1_700_000_001), Some(0));
    }
}
