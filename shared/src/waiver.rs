//! Waivers: a finding accepted for a time. They never turn a verdict into "supported".
//!
//! What is decided here, once, for check, dry run and guard:
//!
//! - A waiver counts from the instant `notBefore` on, up to and not at `expires`. Both are instants: RFC 3339 with an
//!   offset, a fraction of a second where somebody writes one. A day is 86,400 seconds of UTC, so neither daylight saving
//!   nor a leap second moves an end; `23:59:60` is read as `23:59:59`. A time without an offset is refused, not guessed.
//! - One that breaks a term, has expired, has not begun or has lapsed does not count at all: the finding is back.
//! - Names tell waivers apart in every report, so two of one name in the same set are both invalid. Where sets are joined,
//!   the one that stands in the guard's configuration counts: whoever writes the other must not be able to take it away.
//! - Where several cover one finding, the one that ends last is shown, then the first by name: what the report says about
//!   the end is then true, and does not depend on the order of a file.
//! - Texts are printed to terminals and put into audit records, so control characters and overlong texts are refused;
//!   line breaks are fine in `reason`, which is shown on one line.

mod audit;
mod likely;
mod read;

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::finding::{Consequence, Finding, WaiverNote};
use crate::text;

pub use audit::{Audit, Trouble, Use, audit};
pub use read::{Entry, Objects, Place, SUPPORT_WAIVER, Unreadable, entries, parse};

/// A waiver, from a file, the guard's configuration or a `SupportWaiver` object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Waiver {
    /// Its name, for reports; unique among the waivers it is used with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "schema", schemars(required))]
    pub name: String,
    /// Codes it is for; no wildcards.
    pub rules: Vec<String>,
    /// What it is for, exactly.
    #[serde(rename = "match")]
    pub matches: Match,
    /// Why.
    pub reason: String,
    /// A ticket; required for findings that void support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Who asked.
    pub requested_by: String,
    /// Who agreed; somebody else.
    pub approved_by: String,
    /// From when, RFC 3339; always, if left out. Required for findings that void support.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub not_before: Option<Timestamp>,
    /// Until when, RFC 3339; the finding returns at this instant.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub expires: Timestamp,
    /// On whose word.
    #[serde(default)]
    pub kind: WaiverKind,
    /// Microsoft's support case; required for `microsoft-directed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_case: Option<String>,
    /// What has to stay as it was when the waiver was given; it lapses otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapses_unless: Option<Pin>,
}

/// On whose word something is waived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum WaiverKind {
    /// The operator accepts the risk.
    #[default]
    Accepted,
    /// Microsoft Support directed the change (clause C23).
    MicrosoftDirected,
}

/// What a waiver is for: an object by kind, namespace and name, or a finding by its fingerprint. All that is given has to
/// match, exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Match {
    /// Kind.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Namespace; left out for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The field; any, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The finding's fingerprint, as reports show it; kind and name may then be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// What a waiver was given for. When it is no longer so, somebody has to look again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pin {
    /// The object's uid: one of the same name made anew is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The value found, `after` in a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Why a waiver does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// Nobody accepts their own risk.
    #[error("requestedBy and approvedBy are the same")]
    SelfApproved,
    /// A rule that does not exist.
    #[error("no rule has the code {0}{hint}", hint = meant(.0))]
    UnknownRule(String),
    /// No rules.
    #[error("it names no rule")]
    NoRules,
    /// Empty reason, or empty people.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// Half an object, or none and no fingerprint.
    #[error("match needs kind and name, or a fingerprint")]
    NoObject,
    /// Not what reports show as a fingerprint.
    #[error("match.fingerprint is not 32 digits of lower-case hexadecimal")]
    NoFingerprint,
    /// A uid for what has none.
    #[error("lapsesUnless.uid: a {0} of a report has no uid")]
    NoUid(String),
    /// Ends before it begins.
    #[error("expires is not after notBefore")]
    Backwards,
    /// A void finding without a ticket.
    #[error("{0} voids support, so a ticket is required")]
    NoTicket(String),
    /// A void finding without a start: how long it runs can't be told.
    #[error("{0} voids support, so notBefore is required: such a waiver may run 90 days at most")]
    NoStart(String),
    /// A void finding for longer than 90 days.
    #[error("{0} voids support, so a waiver may run 90 days at most")]
    TooLong(String),
    /// A directed change without a case.
    #[error("kind microsoft-directed needs supportCase")]
    NoSupportCase,
    /// More text than anybody reads.
    #[error("{0} has more than {1} bytes")]
    TooLarge(&'static str, usize),
    /// Characters that steer terminals or forge lines.
    #[error("{0} holds control or invisible characters")]
    Unprintable(&'static str),
    /// Reports could not say which is meant.
    #[error("another waiver has the same name, so neither counts")]
    SameName,
    /// As above, for one from elsewhere.
    #[error("the guard's configuration has a waiver of the same name, which counts instead")]
    NameTaken,
}

impl Invalid {
    /// The field to look at, as it is written in a file; empty for the waiver as a whole.
    pub fn field(&self) -> &'static str {
        match self {
            Invalid::SelfApproved => "approvedBy",
            Invalid::UnknownRule(_) | Invalid::NoRules => "rules",
            Invalid::Empty(field) | Invalid::TooLarge(field, _) | Invalid::Unprintable(field) => field,
            Invalid::NoObject => "match",
            Invalid::NoFingerprint => "fingerprint",
            Invalid::NoUid(_) => "uid",
            Invalid::Backwards | Invalid::TooLong(_) => "expires",
            Invalid::NoTicket(_) => "ticket",
            Invalid::NoStart(_) => "notBefore",
            Invalid::NoSupportCase => "supportCase",
            Invalid::SameName | Invalid::NameTaken => "name",
        }
    }
}

/// Whether a waiver counts at a moment, as far as it alone tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It counts.
    Valid,
    /// It has not begun.
    NotYet,
    /// It is over.
    Expired,
    /// It breaks terms, and never counted.
    Invalid(Vec<Invalid>),
}

impl Status {
    /// The word JSON carries.
    pub fn as_str(&self) -> &'static str {
        match self {
            Status::Valid => "valid",
            Status::NotYet => "not-yet",
            Status::Expired => "expired",
            Status::Invalid(_) => "invalid",
        }
    }
}

/// Why a waiver that was given for something no longer covers it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lapsed {
    /// The object was made anew.
    #[error("the object is not the one it was given for: uid {found} instead of {pinned}")]
    Object {
        /// The uid it was given for.
        pinned: String,
        /// The uid now.
        found: String,
    },
    /// There is nothing to compare with: what can't be shown to be the same does not count as the same.
    #[error("whether the object is the one it was given for cannot be told: it has no uid here")]
    NoUid,
    /// The value has changed again.
    #[error("the value is not the one it was given for: {found} instead of {pinned}")]
    Value {
        /// The value it was given for.
        pinned: String,
        /// The value now.
        found: String,
    },
}

impl Waiver {
    /// Every term the waiver breaks by itself; it counts only when there is none. That its name is unique only the whole
    /// set can tell: [`all_problems`].
    pub fn problems(&self) -> Vec<Invalid> {
        let mut problems = self.problems_of_texts();
        if same_person(&self.requested_by, &self.approved_by) {
            problems.push(Invalid::SelfApproved);
        }
        if self.not_before.is_some_and(|start| self.expires <= start) {
            problems.push(Invalid::Backwards);
        }
        if self.kind == WaiverKind::MicrosoftDirected && blank(self.support_case.as_deref()) {
            problems.push(Invalid::NoSupportCase);
        }
        problems.extend(self.matches.problems());
        if let Some(pin) = &self.lapses_unless {
            if pin.uid.is_none() && pin.value.is_none() {
                problems.push(Invalid::Empty("lapsesUnless"));
            }
            if pin.uid.as_deref() == Some("") {
                problems.push(Invalid::Empty("uid"));
            } else if pin.uid.is_some() && PSEUDO_KINDS.contains(&&*self.matches.kind) {
                problems.push(Invalid::NoUid(self.matches.kind.clone()));
            }
        }
        if self.rules.is_empty() {
            problems.push(Invalid::NoRules);
        }
        for code in &self.rules {
            let Some(rule) = crate::catalogue::find(code).filter(|rule| rule.code.as_str() == code) else {
                problems.push(Invalid::UnknownRule(text::line(code, MAX_NAME)));
                continue;
            };
            if rule.heaviest(&crate::data::Platform::ALL) != Consequence::Voids {
                continue;
            }
            if blank(self.ticket.as_deref()) {
                problems.push(Invalid::NoTicket(code.clone()));
            }
            let Some(start) = self.not_before else {
                problems.push(Invalid::NoStart(code.clone()));
                continue;
            };
            // Where the calendar ends no waiver can be too long.
            if start.checked_add((MAX_DAYS * 24).hours()).is_ok_and(|longest| self.expires > longest) {
                problems.push(Invalid::TooLong(code.clone()));
            }
        }
        problems
    }

    /// Whether `now` lies in its time: from `notBefore` on, up to but not at `expires`.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|start| start <= now) && now < self.expires
    }

    /// Why it has lapsed for a finding that it matches; `None` when all it was given for is still so.
    pub fn lapsed(&self, finding: &Finding) -> Option<Lapsed> {
        let pin = self.lapses_unless.as_ref()?;
        if let Some(pinned) = &pin.uid {
            let found = &finding.object.uid;
            if found.is_empty() {
                return Some(Lapsed::NoUid);
            }
            if found != pinned {
                return Some(Lapsed::Object { pinned: shown(pinned), found: shown(found) });
            }
        }
        let pinned = pin.value.as_ref()?;
        if finding.after.as_ref() == Some(pinned) {
            return None;
        }
        Some(Lapsed::Value { pinned: shown(pinned), found: finding.after.as_deref().map_or("none".to_owned(), shown) })
    }

    /// Whether rule and object are those it is for, whatever its time and terms.
    pub fn matches(&self, finding: &Finding) -> bool {
        self.matches.is(finding) && self.rules.iter().any(|code| code == finding.code)
    }

    fn problems_of_texts(&self) -> Vec<Invalid> {
        let mut problems = Vec::new();
        let required = [
            ("name", &self.name, MAX_NAME),
            ("reason", &self.reason, MAX_REASON),
            ("requestedBy", &self.requested_by, MAX_NAME),
            ("approvedBy", &self.approved_by, MAX_NAME),
        ];
        for (field, given, _) in required {
            if blank(Some(given)) {
                problems.push(Invalid::Empty(field));
            }
        }
        let optional = [("ticket", self.ticket.as_ref()), ("supportCase", self.support_case.as_ref())];
        let optional = optional.into_iter().filter_map(|(field, given)| Some((field, given?, MAX_NAME)));
        for (field, given, max) in required.into_iter().chain(optional) {
            let breaks = |c: char| field == "reason" && matches!(c, '\n' | '\r' | '\t');
            problems.extend(problems_of_text(field, &given.replace(breaks, " "), max));
        }
        problems
    }
}

impl Match {
    fn problems(&self) -> Vec<Invalid> {
        let mut problems = Vec::new();
        let bare = self.kind.is_empty() && self.namespace.is_empty();
        if self.name.is_empty() && !(bare && self.fingerprint.is_some())
            || self.kind.is_empty() && !self.name.is_empty()
        {
            problems.push(Invalid::NoObject);
        }
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if self.fingerprint.as_ref().is_some_and(|print| print.len() != 32 || !print.bytes().all(is_digit)) {
            problems.push(Invalid::NoFingerprint);
        }
        let texts = [&self.kind, &self.namespace, &self.name].into_iter().chain(&self.path);
        for given in texts {
            if text::clean(given) != **given {
                problems.push(Invalid::Unprintable("match"));
                break;
            }
        }
        problems
    }

    fn is(&self, finding: &Finding) -> bool {
        let object = &finding.object;
        let named = || self.name == object.name && self.kind == object.kind && self.namespace == object.namespace;
        let here = match &self.fingerprint {
            None => named(),
            Some(print) => *print == finding.fingerprint && (self.name.is_empty() || named()),
        };
        here && self.path.as_ref().is_none_or(|path| *path == finding.path)
    }

    /// The name alone, as for a line about deadlines; the fingerprint where there is no name.
    pub fn word(&self) -> &str {
        if self.name.is_empty() { self.fingerprint.as_deref().unwrap_or_default() } else { &self.name }
    }

    /// For people: `kube-system/deployment/log-agent`, with field and fingerprint where they are given.
    pub fn short(&self) -> String {
        let mut words = Vec::new();
        if !self.name.is_empty() {
            let kind = self.kind.to_lowercase();
            let namespace = if self.namespace.is_empty() { String::new() } else { format!("{}/", self.namespace) };
            words.push(format!("{namespace}{kind}/{}", self.name));
        }
        words.extend(self.path.clone());
        words.extend(self.fingerprint.as_ref().map(|print| format!("finding {print}")));
        words.join(" ")
    }
}

/// Whether a waiver counts at `now`. Terms come before time: one that breaks a term never counted.
pub fn status(waiver: &Waiver, now: Timestamp) -> Status {
    status_with(waiver.problems(), waiver, now)
}

/// Every waiver of a set with the terms it breaks, names included.
pub fn all_problems(waivers: &[Waiver]) -> impl Iterator<Item = (&Waiver, Vec<Invalid>)> {
    waivers.iter().map(|waiver| (waiver, problems_among(waiver, waivers)))
}

/// Of `more`, those that break no term beside `known`, and the others with the terms they break. What is known counts
/// whatever `more` holds.
pub fn beside(known: &[Waiver], more: Vec<Waiver>) -> (Vec<Waiver>, Vec<(Waiver, Vec<Invalid>)>) {
    let of = |waiver: &Waiver| {
        let mut problems = problems_among(waiver, &more);
        if known.iter().any(|own| own.name == waiver.name) {
            problems.push(Invalid::NameTaken);
        }
        problems
    };
    let problems: Vec<Vec<Invalid>> = more.iter().map(of).collect();
    let (valid, invalid): (Vec<_>, Vec<_>) =
        more.into_iter().zip(problems).partition(|(_, problems)| problems.is_empty());
    (valid.into_iter().map(|(waiver, _)| waiver).collect(), invalid)
}

/// The waivers of a set that count at `now`.
pub fn in_force(waivers: &[Waiver], now: Timestamp) -> impl Iterator<Item = &Waiver> {
    waivers.iter().filter(move |waiver| counts(waiver, waivers, now))
}

/// Puts a note on every finding that a valid, current waiver covers. The same evaluator for check, dry run and guard.
pub fn apply(findings: &mut [Finding], waivers: &[Waiver], now: Timestamp) {
    if waivers.is_empty() {
        return;
    }
    for finding in findings {
        finding.waiver = chosen(finding, waivers, now).map(|waiver| WaiverNote {
            name: waiver.name.clone(),
            reason: waiver.reason.split_whitespace().collect::<Vec<_>>().join(" "),
            expires: waiver.expires.to_string(),
        });
    }
}

/// The waiver shown on a finding: of those that cover it the one that ends last, then the first by name.
fn chosen<'w>(finding: &Finding, waivers: &'w [Waiver], now: Timestamp) -> Option<&'w Waiver> {
    let covers =
        |waiver: &&Waiver| waiver.matches(finding) && waiver.is_current(now) && waiver.lapsed(finding).is_none();
    let mut covering: Vec<&Waiver> = waivers.iter().filter(covers).collect();
    covering.sort_by(|a, b| b.expires.cmp(&a.expires).then_with(|| a.name.cmp(&b.name)));
    // Terms last: to look at them takes longest, and however many waivers there are for one thing, most often one look is enough.
    covering.into_iter().find(|waiver| problems_among(waiver, waivers).is_empty())
}

fn counts(waiver: &Waiver, among: &[Waiver], now: Timestamp) -> bool {
    waiver.is_current(now) && problems_among(waiver, among).is_empty()
}

fn problems_among(waiver: &Waiver, among: &[Waiver]) -> Vec<Invalid> {
    let mut problems = waiver.problems();
    if among.iter().filter(|other| other.name == waiver.name).nth(1).is_some() {
        problems.push(Invalid::SameName);
    }
    problems
}

fn status_with(problems: Vec<Invalid>, waiver: &Waiver, now: Timestamp) -> Status {
    if !problems.is_empty() {
        Status::Invalid(problems)
    } else if waiver.expires <= now {
        Status::Expired
    } else if waiver.is_current(now) {
        Status::Valid
    } else {
        Status::NotYet
    }
}

/// Capitals and spaces make nobody somebody else.
fn same_person(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    plain(one) == plain(other)
}

/// What keeps a text from being shown as it is.
pub(crate) fn problems_of_text(field: &'static str, given: &str, max: usize) -> impl Iterator<Item = Invalid> {
    let long = (given.len() > max).then_some(Invalid::TooLarge(field, max));
    let unseen = (text::clean(given) != given).then_some(Invalid::Unprintable(field));
    long.into_iter().chain(unseen)
}

fn blank(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

fn shown(value: &str) -> String {
    text::line(value, 80)
}

/// Slugs and slips of the finger have a code nearby.
fn meant(given: &str) -> String {
    let near = match crate::catalogue::find(given) {
        Some(rule) => Some(rule.code.as_str()),
        None => text::nearest(given, crate::catalogue::ALL.iter().map(|rule| rule.code.as_str())),
    };
    near.map(|code| format!("; did you mean {code}?")).unwrap_or_default()
}

/// The longest a finding that voids support can be waived, in days.
pub const MAX_DAYS: i64 = 90;

/// As long as a Kubernetes name may be. A longer one is a mistake in a file.
pub(crate) const MAX_NAME: usize = 253;

/// A page of text. What needs more belongs into the ticket.
const MAX_REASON: usize = 4096;

/// What findings are about that is no object.
const PSEUDO_KINDS: [&str; 3] = ["Cluster", "NodePool", "Product"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Platform;
    use crate::finding::{Draft, ObjectRef};
    use crate::report::{Outcome, RuleOutcome};
    use crate::weigh::finalize;

    const WAIVER: &str = "
apiVersion: aksarc.dev/v1alpha1
kind: SupportWaiverList
items:
- name: W-7
  rules: [AA303]
  match: {kind: Deployment, namespace: kube-system, name: log-agent}
  reason: moves next month
  ticket: OPS-1
  requestedBy: alice
  approvedBy: bob
  notBefore: 2026-11-01T00:00:00Z
  expires: 2026-11-29T00:00:00Z
";

    fn waiver() -> Waiver {
        parse(WAIVER).unwrap().remove(0)
    }

    #[test]
    fn a_complete_waiver_has_no_problem() {
        assert_eq!(waiver().problems(), []);
    }

    #[test]
    fn it_counts_from_its_first_second_to_the_one_before_it_expires() {
        let at = |text: &str| waiver().is_current(text.parse().unwrap());
        assert!(!at("2026-10-31T23:59:59Z"));
        assert!(at("2026-11-01T00:00:00Z"));
        assert!(at("2026-11-28T23:59:59Z"));
        assert!(!at("2026-11-29T00:00:00Z"));
    }

    fn broken(change: impl FnOnce(&mut Waiver)) -> Vec<Invalid> {
        let mut waiver = waiver();
        change(&mut waiver);
        waiver.problems()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn finding(name: &str, uid: &str, after: Option<&str>) -> Finding {
        let rule = crate::catalogue::find("AA303").unwrap();
        let object = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: "kube-system".to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
        };
        let draft = Draft::at(object, "metadata.namespace").values(None, after);
        finalize(rule, Platform::AzureLocal, vec![draft]).remove(0)
    }

    const PRINT: &str = "0123456789abcdef0123456789abcdef";
    const NOVEMBER: &str = "2026-11-10T00:00:00Z";

    /// The name of the waiver on a finding, as of a moment.
    fn shown_on(finding: &Finding, waivers: &[Waiver], now: &str) -> Option<String> {
        let mut findings = [finding.clone()];
        apply(&mut findings, waivers, time(now));
        findings[0].waiver.take().map(|note| note.name)
    }

    #[test]
    fn each_broken_term_is_named() {
        let aa303 = || "AA303".to_owned();
        assert_eq!(broken(|w| w.approved_by = "Alice ".to_owned()), [Invalid::SelfApproved]);
        assert_eq!(broken(|w| w.ticket = None), [Invalid::NoTicket(aa303())]);
        assert_eq!(broken(|w| w.ticket = Some(" ".to_owned())), [Invalid::NoTicket(aa303())]);
        assert_eq!(broken(|w| w.rules = vec!["AA999".to_owned()]), [Invalid::UnknownRule("AA999".to_owned())]);
        assert_eq!(broken(|w| w.rules.clear()), [Invalid::NoRules]);
        assert_eq!(broken(|w| w.kind = WaiverKind::MicrosoftDirected), [Invalid::NoSupportCase]);
        assert_eq!(broken(|w| w.not_before = None), [Invalid::NoStart(aa303())]);
        for field in ["name", "reason", "requestedBy", "approvedBy"] {
            let emptied = broken(|w| match field {
                "name" => w.name.clear(),
                "reason" => w.reason = " \n".to_owned(),
                "requestedBy" => w.requested_by.clear(),
                _ => w.approved_by.clear(),
            });
            assert_eq!(emptied, [Invalid::Empty(field)]);
        }
        // Two who are nobody are the same nobody.
        let nobody = broken(|w| (w.requested_by, w.approved_by) = (String::new(), String::new()));
        assert_eq!(nobody, [Invalid::Empty("requestedBy"), Invalid::Empty("approvedBy"), Invalid::SelfApproved]);
    }

    #[test]
    fn capitals_and_spaces_make_nobody_somebody_else() {
        for (one, other, same) in [
            ("alice", " ALICE", true),
            ("Alice  Smith", "alice smith", true),
            ("Ärmel", "ärmel", true),
            ("alice", "alice@contoso.example", false),
        ] {
            let problems = broken(|w| (w.requested_by, w.approved_by) = (one.to_owned(), other.to_owned()));
            assert_eq!(problems == [Invalid::SelfApproved], same, "{one} {other}");
        }
    }

    #[test]
    fn ninety_days_are_counted_to_the_second() {
        let until = |text: &str| {
            let expires = time(text);
            broken(|w| w.expires = expires)
        };
        assert_eq!(until("2026-11-01T00:00:01Z"), []);
        assert_eq!(until("2026-11-01T00:00:00Z"), [Invalid::Backwards]);
        assert_eq!(until("2026-10-31T23:59:59Z"), [Invalid::Backwards]);
        assert_eq!(until("2027-01-29T23:59:59Z"), []);
        assert_eq!(until("2027-01-30T00:00:00Z"), []);
        assert_eq!(until("2027-01-30T00:00:00.000000001Z"), [Invalid::TooLong("AA303".to_owned())]);
        assert_eq!(until("2027-01-30T00:00:01Z"), [Invalid::TooLong("AA303".to_owned())]);
        // The clock went back in between in New York, and 90 days are 90 times 24 hours all the same.
        assert_eq!(until("2027-01-29T19:00:00-05:00"), []);
        assert_eq!(until("2027-01-29T19:00:01-05:00"), [Invalid::TooLong("AA303".to_owned())]);
        // What does not void support may run as long as somebody likes; what does may not, up to the calendar's end.
        let far = time("9999-12-30T00:00:00Z");
        let at_risk = crate::catalogue::ALL.iter().find(|r| r.heaviest(&Platform::ALL) != Consequence::Voids).unwrap();
        let code = at_risk.code.as_str().to_owned();
        assert_eq!(broken(|w| (w.rules, w.expires, w.not_before, w.ticket) = (vec![code], far, None, None)), []);
        assert_eq!(broken(|w| w.expires = far), [Invalid::TooLong("AA303".to_owned())]);
    }

    #[test]
    fn times_are_instants_whatever_their_offset() {
        assert_eq!(time("2026-11-29T01:00:00+01:00"), time("2026-11-29T00:00:00Z"));
        assert_eq!(time("2026-12-31T23:59:60Z"), time("2026-12-31T23:59:59Z"), "a leap second is the one before");
        let mut own = waiver();
        own.expires = time("2026-11-29T01:00:00+01:00");
        assert!(own.is_current(time("2026-11-28T23:59:59.999999999Z")));
        assert!(!own.is_current(time("2026-11-29T00:00:00Z")));
    }

    #[test]
    fn terms_come_before_time() {
        let mut own = waiver();
        assert_eq!(status(&own, time("2026-10-31T23:59:59Z")), Status::NotYet);
        assert_eq!(status(&own, time("2026-11-01T00:00:00Z")), Status::Valid);
        assert_eq!(status(&own, time("2026-11-28T23:59:59Z")), Status::Valid);
        assert_eq!(status(&own, time("2026-11-29T00:00:00Z")), Status::Expired);
        own.ticket = None;
        assert_eq!(
            status(&own, time("2027-11-29T00:00:00Z")),
            Status::Invalid(vec![Invalid::NoTicket("AA303".to_owned())])
        );
    }

    #[test]
    fn a_match_is_a_whole_object_or_a_fingerprint() {
        let matching = |yaml: &str| {
            let given: Match = crate::read::yaml::parse(yaml).unwrap();
            given.problems()
        };
        for (good, problems) in [
            ("{kind: Pod, name: a}".to_owned(), vec![]),
            (format!("{{fingerprint: {PRINT}}}"), vec![]),
            (format!("{{fingerprint: {PRINT}, kind: Pod, name: a, namespace: b}}"), vec![]),
            ("{}".to_owned(), vec![Invalid::NoObject]),
            ("{kind: Pod}".to_owned(), vec![Invalid::NoObject]),
            ("{name: a}".to_owned(), vec![Invalid::NoObject]),
            (format!("{{fingerprint: {PRINT}, kind: Pod}}"), vec![Invalid::NoObject]),
            (format!("{{fingerprint: {PRINT}, namespace: b}}"), vec![Invalid::NoObject]),
            ("{kind: Pod, name: a, fingerprint: 01AB}".to_owned(), vec![Invalid::NoFingerprint]),
            ("{kind: Pod, name: \"a\\u202e\"}".to_owned(), vec![Invalid::Unprintable("match")]),
        ] {
            assert_eq!(matching(&good), problems, "{good}");
        }
    }

    #[test]
    fn a_waiver_matches_exactly_or_not_at_all() {
        let found = finding("log-agent", "u1", None);
        let covers = |change: fn(&mut Match)| {
            let mut own = waiver();
            change(&mut own.matches);
            shown_on(&found, &[own], NOVEMBER).is_some()
        };
        assert!(covers(|_| {}));
        assert!(covers(|m| m.path = Some("metadata.namespace".to_owned())));
        assert!(!covers(|m| m.path = Some("metadata".to_owned())));
        assert!(!covers(|m| m.name = "log-*".to_owned()));
        assert!(!covers(|m| m.name = "Log-Agent".to_owned()));
        assert!(!covers(|m| m.kind = "deployment".to_owned()));
        assert!(!covers(|m| m.namespace = String::new()));
        let mut own = waiver();
        own.matches = Match { fingerprint: Some(found.fingerprint.clone()), ..Match::default() };
        assert!(shown_on(&found, &[own.clone()], NOVEMBER).is_some());
        assert!(shown_on(&finding("other", "u1", None), &[own.clone()], NOVEMBER).is_none());
        // A fingerprint beside an object narrows, it does not widen.
        own.matches.name = "other".to_owned();
        own.matches.kind = "Deployment".to_owned();
        assert!(shown_on(&found, &[own], NOVEMBER).is_none());
    }

    #[test]
    fn a_waiver_lapses_when_what_it_was_given_for_changes() {
        let mut own = waiver();
        own.lapses_unless = Some(Pin { uid: Some("u1".to_owned()), value: Some("x".to_owned()) });
        assert_eq!(own.problems(), []);
        let (same, anew, changed) = (
            finding("log-agent", "u1", Some("x")),
            finding("log-agent", "u2", Some("x")),
            finding("log-agent", "u1", Some("y")),
        );
        assert_eq!(own.lapsed(&same), None);
        assert_eq!(shown_on(&same, &[own.clone()], NOVEMBER).as_deref(), Some("W-7"));
        for lapsed in [&anew, &changed, &finding("log-agent", "", Some("x")), &finding("log-agent", "u1", None)] {
            assert!(own.lapsed(lapsed).is_some());
            assert_eq!(shown_on(lapsed, &[own.clone()], NOVEMBER), None);
        }
        assert_eq!(
            own.lapsed(&anew).unwrap().to_string(),
            "the object is not the one it was given for: uid u2 instead of u1"
        );
        assert!(own.lapsed(&changed).unwrap().to_string().contains("y instead of x"));
        assert_eq!(own.lapsed(&finding("log-agent", "", Some("x"))), Some(Lapsed::NoUid));
    }

    #[test]
    fn a_pin_that_can_hold_nothing_is_refused() {
        assert_eq!(broken(|w| w.lapses_unless = Some(Pin::default())), [Invalid::Empty("lapsesUnless")]);
        let uid = |uid: &str| Some(Pin { uid: Some(uid.to_owned()), value: None });
        assert_eq!(broken(|w| w.lapses_unless = uid("")), [Invalid::Empty("uid")]);
        let cluster = broken(|w| {
            w.lapses_unless = uid("u1");
            w.matches = Match { kind: "Cluster".to_owned(), name: "cluster".to_owned(), ..Match::default() };
        });
        assert_eq!(cluster, [Invalid::NoUid("Cluster".to_owned())]);
    }

    #[test]
    fn the_waiver_that_ends_last_is_shown_whatever_their_order() {
        let found = finding("log-agent", "u1", None);
        let named = |name: &str, expires: &str| Waiver { name: name.to_owned(), expires: time(expires), ..waiver() };
        let (early, late) = (named("a", "2026-11-20T00:00:00Z"), named("z", "2026-11-25T00:00:00Z"));
        let twin = named("y", "2026-11-25T00:00:00Z");
        for waivers in [[early.clone(), late.clone(), twin.clone()], [twin.clone(), late.clone(), early.clone()]] {
            assert_eq!(shown_on(&found, &waivers, NOVEMBER).as_deref(), Some("y"));
        }
        // One that does not count hides none that does.
        let broken = Waiver { ticket: None, ..late };
        assert_eq!(shown_on(&found, &[early, broken], NOVEMBER).as_deref(), Some("a"));
    }

    #[test]
    fn two_of_one_name_both_do_not_count() {
        let found = finding("log-agent", "u1", None);
        let other = Waiver { reason: "another".to_owned(), ..waiver() };
        let two = [waiver(), other];
        assert_eq!(shown_on(&found, &two, NOVEMBER), None);
        assert!(all_problems(&two).all(|(_, problems)| problems == [Invalid::SameName]));
        assert_eq!(in_force(&two, time(NOVEMBER)).count(), 0);
        assert_eq!(in_force(&two[..1], time(NOVEMBER)).count(), 1);
    }

    #[test]
    fn what_is_known_counts_whatever_comes_beside_it() {
        let named = |name: &str| Waiver { name: name.to_owned(), ..waiver() };
        let known = [named("a"), named("b")];
        let more = vec![named("c"), named("b"), named("d"), named("d"), Waiver { ticket: None, ..named("a") }];
        let (valid, invalid) = beside(&known, more);
        assert_eq!(valid, [named("c")]);
        let said: Vec<(&str, &[Invalid])> =
            invalid.iter().map(|(waiver, problems)| (&*waiver.name, &**problems)).collect();
        let no_ticket = Invalid::NoTicket("AA303".to_owned());
        let expected: [(&str, &[Invalid]); 4] = [
            ("b", &[Invalid::NameTaken]),
            ("d", &[Invalid::SameName]),
            ("d", &[Invalid::SameName]),
            ("a", &[no_ticket, Invalid::NameTaken]),
        ];
        assert_eq!(said, expected);
        let joined: Vec<Waiver> = known.into_iter().chain(valid).collect();
        assert_eq!(in_force(&joined, time(NOVEMBER)).count(), 3);
    }

    #[test]
    fn texts_that_steer_terminals_are_refused_and_line_breaks_are_folded() {
        assert_eq!(broken(|w| w.reason = "a\u{1b}[31mb".to_owned()), [Invalid::Unprintable("reason")]);
        assert_eq!(broken(|w| w.name = "W\n7".to_owned()), [Invalid::Unprintable("name")]);
        assert_eq!(broken(|w| w.ticket = Some("OPS\u{202e}1".to_owned())), [Invalid::Unprintable("ticket")]);
        assert_eq!(broken(|w| w.reason = "x".repeat(4097)), [Invalid::TooLarge("reason", 4096)]);
        assert_eq!(broken(|w| w.reason = "x".repeat(4096)), []);
        assert_eq!(broken(|w| w.requested_by = "x".repeat(254)), [Invalid::TooLarge("requestedBy", 253)]);
        let long = Waiver { reason: "first line\n\tsecond\r\n".to_owned(), ..waiver() };
        assert_eq!(long.problems(), []);
        let mut findings = [finding("log-agent", "u1", None)];
        apply(&mut findings, &[long], time(NOVEMBER));
        assert_eq!(findings[0].waiver.as_ref().unwrap().reason, "first line second");
    }

    #[test]
    fn an_unknown_code_gets_the_nearest_and_a_slug_its_code() {
        let said = |code: &str| Invalid::UnknownRule(code.to_owned()).to_string();
        assert_eq!(said("AA30l"), "no rule has the code AA30l; did you mean AA301?");
        assert_eq!(said("aa303"), "no rule has the code aa303; did you mean AA303?");
        assert_eq!(said("unmanaged-add-on"), "no rule has the code unmanaged-add-on; did you mean AA303?");
        assert_eq!(said("*"), "no rule has the code *");
    }

    fn outcome(code: &'static str, outcome: Outcome, reason: &str) -> RuleOutcome {
        RuleOutcome { code, slug: "", outcome, reason: reason.to_owned() }
    }

    #[test]
    fn an_audit_says_what_each_waiver_is_good_for() {
        let findings = [finding("log-agent", "u1", Some("x")), finding("second", "u2", Some("x"))];
        let named = |name: &str, change: fn(&mut Waiver)| {
            let mut own = Waiver { name: name.to_owned(), ..waiver() };
            change(&mut own);
            own
        };
        let waivers = [
            named("covers", |_| {}),
            named("shadowed", |w| w.expires = time("2026-11-28T00:00:00Z")),
            named("lapsed", |w| w.lapses_unless = Some(Pin { uid: Some("u0".to_owned()), value: None })),
            named("unused", |w| w.matches.name = "nowhere".to_owned()),
            named("unknown", |w| (w.matches.name, w.rules) = ("nowhere".to_owned(), vec!["AA307".to_owned()])),
            named("expired", |w| w.expires = time("2026-11-05T00:00:00Z")),
            named("later", |w| w.not_before = Some(time("2026-11-11T00:00:00Z"))),
            named("invalid", |w| w.approved_by = "alice".to_owned()),
        ];
        let rules = [outcome("AA303", Outcome::Violated, ""), outcome("AA307", Outcome::NotObservable, "no trace")];
        let audits = audit(&waivers, &findings, &rules, time(NOVEMBER));
        let words: Vec<(&str, &str)> = audits.iter().map(|one| (&*one.waiver.name, one.usage().as_str())).collect();
        let own = words.iter().filter(|(name, word)| name == word).count();
        assert_eq!(own, 5, "{words:?}");
        assert!(words[5..].iter().all(|(_, word)| *word == "not-in-force"), "{words:?}");
        assert!(audits[5..].iter().all(|one| one.would_cover.len() == 1));
        assert_eq!(audits[1].shadowed[0].1, "covers");
        let troubled: Vec<&str> =
            audits.iter().filter(|one| !one.troubles().is_empty()).map(|one| &*one.waiver.name).collect();
        assert_eq!(troubled, ["lapsed", "unused", "expired", "invalid"]);
        assert_eq!(audits[7].troubles(), [Trouble::Invalid(Invalid::SelfApproved)]);
        // What is shown is what the audit says.
        let mut shown = findings.to_vec();
        apply(&mut shown, &waivers, time(NOVEMBER));
        assert_eq!(shown[0].waiver.as_ref().unwrap().name, "covers");
        assert_eq!(shown[1].waiver, None);
    }

    #[test]
    fn nothing_is_called_unused_that_was_not_looked_for() {
        let rules = |outcome_of: Outcome, reason: &str| [outcome("AA303", outcome_of, reason)];
        let usage = |rules: &[RuleOutcome]| audit(&[waiver()], &[], rules, time(NOVEMBER))[0].usage();
        assert_eq!(usage(&rules(Outcome::Pass, "")), Use::Unused);
        assert_eq!(usage(&rules(Outcome::Violated, "")), Use::Unused);
        for (outcome, reason) in [
            (Outcome::Unknown, "list pods: forbidden"),
            (Outcome::Violated, "list pods: forbidden"),
            (Outcome::NotApplicable, "x"),
        ] {
            assert!(matches!(usage(&rules(outcome, reason)), Use::Unknown(why) if why.contains(reason)));
        }
        assert_eq!(usage(&[]), Use::Unknown("AA303 was not run".to_owned()));
    }

    #[test]
    fn a_file_of_something_else_is_an_error() {
        assert!(parse("apiVersion: v1\nkind: ConfigMap\n").is_err());
        assert!(parse(&WAIVER.replace("reason:", "raeson:")).is_err());
    }
}
