//! Answering reviews: the bytes of an AdmissionReview go in, the bytes of its answer come out.

mod counters;
mod line_budget;
mod turn;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use aksarc_shared::facts::change::Change;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::user::User;
use aksarc_shared::text;
use aksarc_shared::verdict::guard::{Decision, Guard, Judged, Judgement};
use aksarc_shared::verdict::review::{self, NotEvaluated, Review};
use arc_swap::ArcSwap;
use http::StatusCode;
use serde::Serialize;

use crate::observed::Observer;
use crate::refusal::HttpRefusal;

pub use counters::ReviewCounters;

use counters::{PANIC, TIME};
use line_budget::LineBudgets;
pub(crate) use turn::Turn;

/// The function that judges a change. It is a parameter so that a test can put a broken one in its place.
pub type JudgeFn = fn(&Guard, &Change<'_>, &User, Timestamp) -> Judgement;

/// Answers reviews with the guard that is in use at that moment.
#[derive(Debug)]
pub struct Reviewer {
    guard: Arc<ArcSwap<Guard>>,
    counters: ReviewCounters,
    judge: JudgeFn,
    lines: LineBudgets,
    observer: Option<Observer>,
}

impl Reviewer {
    /// Answers with `guard`, counting in `counters`.
    pub fn new(guard: Arc<ArcSwap<Guard>>, counters: ReviewCounters) -> Self {
        Reviewer { guard, counters, judge: Guard::judge, lines: LineBudgets::default(), observer: None }
    }

    /// The same reviewer, which judges by another function.
    #[must_use]
    pub fn with_judge(self, judge: JudgeFn) -> Self {
        Reviewer { judge, ..self }
    }

    /// The same reviewer, which also notes who would have been denied or warned of.
    pub(crate) fn with_observer(self, observer: Observer) -> Self {
        Reviewer { observer: Some(observer), ..self }
    }

    /// The answer to a review, an AdmissionReview in JSON.
    ///
    /// A review that cannot be judged is allowed and counted, even when judging panics.
    ///
    /// # Errors
    /// [`HttpRefusal`] when there is no uid to answer to, or no such version.
    pub fn answer(&self, body: &[u8]) -> Result<Vec<u8>, HttpRefusal> {
        self.answer_in_turn(body, &Turn::default())
    }

    /// As [`Reviewer::answer`], unless another caller takes the turn to answer first. Nothing is counted or logged
    /// then, and the returned bytes are to be ignored.
    ///
    /// # Errors
    /// As [`Reviewer::answer`].
    pub(crate) fn answer_in_turn(&self, body: &[u8], turn: &Turn) -> Result<Vec<u8>, HttpRefusal> {
        // A panic leaves nothing shared half done: the guard is only read, and counters are atomics.
        let answer = catch_unwind(AssertUnwindSafe(|| self.read_and_judge(body, turn)));
        answer.unwrap_or_else(|_| {
            let uid = uid(body).ok_or_else(|| HttpRefusal::malformed("the review has no request.uid"))?;
            if turn.take() {
                self.unjudged(&uid, "", false, PANIC);
            }
            Ok(allowed_unjudged(&uid, PANIC))
        })
    }

    /// The answer to a review that could not be judged in time: it is allowed, marked and counted.
    ///
    /// # Errors
    /// As [`Reviewer::answer`].
    pub(crate) fn out_of_time(&self, body: &[u8]) -> Result<Vec<u8>, HttpRefusal> {
        let uid = uid(body).ok_or_else(|| HttpRefusal::malformed("the review has no request.uid"))?;
        self.counters.not_evaluated(TIME);
        // The user is not known: reading the review may be what took so long.
        if let Some(suppressed) = self.lines.of_user("").take(Timestamp::now().as_second()) {
            tracing::warn!(
                uid = text::line(&uid, MAX_NAME),
                bytes = body.len(),
                suppressed,
                "a review took too long and is allowed without being judged"
            );
        }
        Ok(allowed_unjudged(&uid, TIME))
    }

    fn read_and_judge(&self, body: &[u8], turn: &Turn) -> Result<Vec<u8>, HttpRefusal> {
        if turn.is_taken() {
            return Ok(Vec::new());
        }
        let Review { uid, user, change, dry_run } = review::review(body)?;
        let change = match change {
            Ok(change) => change,
            Err(_) if !turn.take() => return Ok(Vec::new()),
            Err(why) => {
                self.unjudged(&uid, &user.name, dry_run, why.reason());
                return Ok(allowed_unjudged(&uid, why.reason()));
            }
        };
        let guard = self.guard.load();
        let now = Timestamp::now();
        let judgement = (self.judge)(&guard, &change, &user, now);
        if !turn.take() {
            return Ok(Vec::new());
        }
        if let Some(why) = &judgement.not_evaluated {
            self.unjudged(&uid, &user.name, dry_run, why.reason());
            if judgement.judged.is_empty() {
                return Ok(allowed_unjudged(&uid, why.reason()));
            }
        }
        self.counters.judged(&judgement, dry_run);
        if judgement.judged.is_empty() {
            return Ok(serialize(&ReviewResponse { uid: &uid, allowed: true, ..ReviewResponse::default() }));
        }
        self.log(&uid, &judgement, &change, &user, dry_run);
        if let Some(observer) = self.observer.as_ref().filter(|_| !dry_run) {
            observer.note(&judgement, &user, (change.operation.as_str(), change.kind.resource), now);
        }
        let (decision, contact) = (judgement.decision(), guard.settings().contact.as_deref());
        Ok(serialize(&ReviewResponse {
            uid: &uid,
            allowed: decision != Decision::Deny,
            status: (decision == Decision::Deny).then(|| refusal_status(&judgement, contact)),
            warnings: if decision == Decision::Warn { warnings(&judgement.judged, contact) } else { Vec::new() },
            audit_annotations: Some(annotations(&uid, &judgement)),
        }))
    }

    /// Counts and logs a review that was not judged, or not as a whole.
    fn unjudged(&self, uid: &str, user: &str, dry_run: bool, reason: &'static str) {
        self.counters.not_evaluated(reason);
        let Some(suppressed) = self.line(user, dry_run) else { return };
        let (uid, user) = (text::line(uid, MAX_NAME), text::line(user, MAX_NAME));
        tracing::warn!(reason, uid, user, dry_run, suppressed, "a review was not judged, or not as a whole");
    }

    /// Takes a line of the log for a review of `user`. Returns how many were suppressed since the last one; `None`, after
    /// counting it, where this one is suppressed too.
    fn line(&self, user: &str, dry_run: bool) -> Option<u64> {
        let budget = if dry_run { self.lines.of_dry_runs() } else { self.lines.of_user(user) };
        let line = budget.take(Timestamp::now().as_second());
        if line.is_none() {
            self.counters.log_line_suppressed();
        }
        line
    }

    /// Logs a review with findings in one line. A user who can cause findings can cause many, so the number of lines is
    /// bounded. A line holds the paths of findings, and nothing else of the object's content.
    fn log(&self, uid: &str, judgement: &Judgement, change: &Change<'_>, user: &User, dry_run: bool) {
        let Some(suppressed) = self.line(&user.name, dry_run) else { return };
        let paths: Vec<&str> = judgement.findings().map(|finding| &*finding.path).take(MAX_PATHS).collect();
        tracing::info!(
            decision = judgement.decision().as_str(),
            findings = findings(&judgement.judged),
            mode = judgement.preset.as_str(),
            operation = change.operation.as_str(),
            resource = change.kind.resource,
            subresource = text::line(&change.subresource, MAX_NAME),
            namespace = text::line(&change.namespace, MAX_NAME),
            name = text::line(&change.name, MAX_NAME),
            paths = text::line(&paths.join(","), MAX_ANNOTATION),
            user = text::line(&user.name, MAX_NAME),
            groups = text::line(&user.groups.join(","), MAX_ANNOTATION),
            field_manager = text::line(&user.field_manager, MAX_NAME),
            uid = text::line(uid, MAX_NAME),
            actor = judgement.actor.as_str(),
            dry_run,
            suppressed,
            "finding in a change"
        );
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AdmissionReview<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: &'a ReviewResponse<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReviewResponse<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<DenialStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_annotations: Option<AuditAnnotations>,
}

#[derive(Serialize)]
struct DenialStatus {
    #[serde(rename = "status")]
    outcome: &'static str,
    message: String,
    reason: &'static str,
    details: DenialDetails,
    code: u16,
}

#[derive(Serialize)]
struct DenialDetails {
    causes: Vec<DenialCause>,
}

#[derive(Serialize)]
struct DenialCause {
    reason: &'static str,
    message: String,
    field: String,
}

/// Audit annotations. The API server puts the webhook's name before each key.
#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct AuditAnnotations {
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_evaluated: Option<&'static str>,
    /// The review, which the guard's log names too. The API server chooses it for each call of a webhook, and its audit log
    /// has it nowhere else.
    #[serde(skip_serializing_if = "String::is_empty")]
    review_uid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    waivers: Option<String>,
}

fn serialize(response: &ReviewResponse<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(ANSWER);
    let review = AdmissionReview { api_version: "admission.k8s.io/v1", kind: "AdmissionReview", response };
    // Writing strings and flags into memory does not fail.
    if let Err(error) = serde_json::to_writer(&mut out, &review) {
        tracing::error!(%error, "an answer could not be written");
    }
    out
}

fn allowed_unjudged(uid: &str, reason: &'static str) -> Vec<u8> {
    let review_uid = text::line(uid, MAX_NAME);
    let audit_annotations =
        Some(AuditAnnotations { not_evaluated: Some(reason), review_uid, ..AuditAnnotations::default() });
    serialize(&ReviewResponse { uid, allowed: true, audit_annotations, ..ReviewResponse::default() })
}

/// The refusal of a change, with the place where its author can ask.
fn refusal_status(judgement: &Judgement, contact: Option<&str>) -> DenialStatus {
    let denied = || judgement.judged.iter().filter(|judged| judged.decision == Decision::Deny);
    // Heaviest first, by the engine.
    let message = denied().next().map(|first| {
        let more = match denied().count() - 1 {
            0 => String::new(),
            more => format!(" (+{more} more)"),
        };
        // The supported way may be cut at the end, code and basis never: the code stands first and leads to the rule's
        // page.
        let line = text::line(&first.line(MAX_MESSAGE - more.len()), MAX_MESSAGE - more.len());
        let ask = contact.map(|contact| format!(" - ask: {contact}")).unwrap_or_default();
        format!("{line}{more}{ask}")
    });
    DenialStatus {
        outcome: "Failure",
        message: message.unwrap_or_default(),
        reason: "Forbidden",
        details: DenialDetails { causes: denied().take(MAX_CAUSES).map(cause).collect() },
        code: StatusCode::FORBIDDEN.as_u16(),
    }
}

fn cause(judged: &Judged) -> DenialCause {
    let finding = &judged.finding;
    let basis = finding.basis.phrase();
    let tail = format!(" ({basis}) - {}; see: kubectl aksarc explain {}", judged.instead, finding.code);
    let head = text::line(&finding.message, MAX_CAUSE.saturating_sub(tail.len()));
    DenialCause {
        reason: finding.code.as_str(),
        message: format!("{head}{tail}"),
        field: text::line(&finding.path, MAX_NAME),
    }
}

/// The warnings of a judgement, each once, and in total below what the API server passes on, and where to ask about them.
/// Control characters are replaced: the API server silently drops a warning that has one.
fn warnings(judged: &[Judged], contact: Option<&str>) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    let (mut size, mut left_out) = (0, 0);
    for judged in judged.iter().filter(|judged| judged.decision == Decision::Warn) {
        let line = text::line(&judged.line(MAX_WARNING), MAX_WARNING);
        if !seen.insert(line.clone()) {
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
    if let Some(contact) = contact.filter(|_| !warnings.is_empty()) {
        warnings.push(format!("where to ask: {contact}"));
    }
    warnings
}

fn annotations(uid: &str, judgement: &Judgement) -> AuditAnnotations {
    let mut seen = HashSet::new();
    let waivers = judgement.judged.iter().filter_map(|judged| Some(&*judged.finding.waiver.as_ref()?.name));
    let waivers: Vec<&str> = waivers.filter(|name| seen.insert(*name)).collect();
    AuditAnnotations {
        actor: Some(judgement.actor.as_str()),
        findings: Some(findings(&judgement.judged)),
        mode: Some(judgement.preset.as_str()),
        review_uid: text::line(uid, MAX_NAME),
        waivers: (!waivers.is_empty()).then(|| text::line(&waivers.join(","), MAX_ANNOTATION)),
        not_evaluated: judgement.not_evaluated.as_ref().map(NotEvaluated::reason),
    }
}

/// The findings as one word, such as `AA201=deny,AA205=warn*2`. It is made of our own words only.
fn findings(judged: &[Judged]) -> String {
    let mut counted: Vec<(&str, &str, usize)> = Vec::new();
    for judged in judged {
        let word = if judged.finding.waiver.is_some() { "waived" } else { judged.decision.as_str() };
        let known = counted.iter_mut().find(|(code, known, _)| (*code, *known) == (judged.finding.code.as_str(), word));
        match known {
            Some((_, _, times)) => *times += 1,
            None => counted.push((judged.finding.code.as_str(), word, 1)),
        }
    }
    let words: Vec<String> = counted
        .into_iter()
        .map(|(code, word, times)| if times == 1 { format!("{code}={word}") } else { format!("{code}={word}*{times}") })
        .collect();
    text::line(&words.join(","), MAX_ANNOTATION)
}

/// The uid of a review, which is all that an answer needs, where reading the whole panicked or took too long.
fn uid(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct RequestUid {
        uid: String,
    }
    #[derive(serde::Deserialize)]
    struct ReviewUid {
        request: RequestUid,
    }
    serde_json::from_slice::<ReviewUid>(body).ok().map(|bare| bare.request.uid)
}

/// Bytes of a denial before the place to ask at: one line of a terminal, behind the API server's own words.
const MAX_MESSAGE: usize = 120;
/// Bytes of a warning. The API server cuts a longer one once there are many.
const MAX_WARNING: usize = 256;
/// Bytes of all warnings. Beyond 4,096 the API server cuts and then drops warnings.
const MAX_WARNINGS: usize = 4096;
/// Bytes kept free for the lines that say how many warnings were left out, and where to ask.
const LEFT_OUT_ROOM: usize = 224;
/// Bytes of a cause: one line of kubectl -v8 or of a JSON answer.
const MAX_CAUSE: usize = 512;
/// Causes of one denial. A node can have some 40 system labels; more causes than that tell nothing new.
const MAX_CAUSES: usize = 64;
/// Bytes of a name. Names that Kubernetes has validated have at most 253; user names are not bounded at all.
const MAX_NAME: usize = 256;
/// Bytes set aside for an answer: more than most denials have.
const ANSWER: usize = 1024;
/// Paths in a line of the log; the first ones are enough to go and look.
const MAX_PATHS: usize = 8;
/// Bytes of an annotation: audit logs are kept for long and read by line.
const MAX_ANNOTATION: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use aksarc_shared::finding::{Basis, Code, Finding, ObjectRef};
    use aksarc_shared::rules::catalogue;

    fn judged(decision: Decision, message: &str) -> Judged {
        let finding = Finding {
            code: Code::new("AA299"),
            slug: "invented",
            object: ObjectRef::cluster(),
            path: "metadata.labels[a\nb]".into(),
            message: message.to_owned(),
            ..Finding::example()
        };
        Judged { finding, decision, in_enforce: decision, instead: "use a key of your own" }
    }

    #[test]
    fn warnings_are_unique_bounded_and_say_what_is_missing() {
        let many: Vec<Judged> =
            (0..200).map(|n| judged(Decision::Warn, &format!("{} is \u{7} wrong {n}", "label ".repeat(60)))).collect();
        let mut repeated = many.clone();
        repeated.extend(many);
        let warnings = warnings(&repeated, None);
        assert!(warnings.iter().all(|line| line.len() <= MAX_WARNING && !line.contains(char::is_control)));
        assert!(warnings.iter().map(String::len).sum::<usize>() < MAX_WARNINGS);
        let mut unique = warnings.clone();
        unique.dedup();
        assert_eq!(unique, warnings);

        let distinct: Vec<Judged> =
            (0..200).map(|n| judged(Decision::Warn, &format!("{n} {}", "label ".repeat(60)))).collect();
        let longest = "c".repeat(100);
        let mut warnings = super::warnings(&distinct, Some(&longest));
        assert!(warnings.iter().map(String::len).sum::<usize>() < MAX_WARNINGS);
        assert_eq!(warnings.pop(), Some(format!("where to ask: {longest}")));
        assert!(warnings.last().unwrap().contains(&format!("{} more", 200 - (warnings.len() - 1))));
    }

    #[test]
    fn a_denial_is_one_short_line_and_one_cause_per_finding() {
        let long = "ä".repeat(500);
        let judged = vec![judged(Decision::Deny, &long), judged(Decision::Deny, "b"), judged(Decision::Warn, "c")];
        let judgement = Judgement {
            actor: aksarc_shared::facts::actor::Actor::Person,
            preset: aksarc_shared::verdict::guard::Preset::Enforce,
            judged,
            not_evaluated: None,
        };
        let status = refusal_status(&judgement, Some("platform team, #aks"));
        let message = status.message.strip_suffix(" - ask: platform team, #aks").unwrap();
        assert_eq!(refusal_status(&judgement, None).message, message);
        assert!(message.len() <= MAX_MESSAGE, "{message}");
        assert!(message.starts_with("AA299 (policy C13): ") && message.ends_with(" (+1 more)"));
        assert_eq!(status.details.causes.len(), 2);
        for cause in &status.details.causes {
            assert!(cause.message.len() <= MAX_CAUSE && !cause.field.contains('\n'));
            assert!(cause.message.ends_with("kubectl aksarc explain AA299"));
        }
        assert_eq!(findings(&judgement.judged), "AA299=deny*2,AA299=warn");
    }

    #[test]
    fn the_basis_of_a_finding_is_never_cut_away() {
        let longest = catalogue::ALL.iter().map(|rule| rule.instead).max_by_key(|instead| instead.len()).unwrap();
        for (basis, word) in [
            (Basis::Explicit, "policy C13"),
            (Basis::Documented(&[]), "another page"),
            (Basis::Derived, "our reading of C13"),
            (Basis::Operational, "experience"),
        ] {
            for message in [String::new(), "ä".repeat(500)] {
                let mut one = judged(Decision::Deny, &message);
                one.finding.basis = basis;
                one.instead = longest;
                for max in [MAX_MESSAGE, MAX_WARNING] {
                    let line = text::line(&one.line(max), max);
                    assert!(line.len() <= max && line.starts_with(&format!("AA299 ({word}): ")), "{line}");
                    assert!(line.ends_with(longest), "{line}");
                }
            }
        }
    }
}
