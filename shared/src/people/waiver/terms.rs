//! The terms that a waiver has to meet on its own.

use jiff::ToSpan;

use super::{Match, Waiver, WaiverKind};
use crate::finding::Consequence;
use crate::text::{self, TextProblem};

/// The reason why a waiver does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The requester approved the waiver.
    #[error("requestedBy and approvedBy are the same")]
    SelfApproved,
    /// It names a rule that does not exist.
    #[error("no rule has the code {0}{hint}", hint = meant(.0))]
    UnknownRule(String),
    /// It names no rules.
    #[error("it names no rule")]
    NoRules,
    /// Its reason is empty, or a person's name is.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// It names half an object, or neither an object nor a fingerprint.
    #[error("match needs kind and name, or a fingerprint")]
    NoObject,
    /// Its fingerprint does not look like one.
    #[error("match.fingerprint is not 32 digits of lower-case hexadecimal")]
    NoFingerprint,
    /// It pins the uid of an object that has none.
    #[error("lapsesUnless.uid: a {0} of a report has no uid")]
    NoUid(String),
    /// It ends before it begins.
    #[error("expires is not after notBefore")]
    Backwards,
    /// It waives a finding that voids support, without a ticket.
    #[error("{0} voids support, so a ticket is required")]
    NoTicket(String),
    /// It waives a finding that voids support, without a start, so that its length is unknown.
    #[error("{0} voids support, so notBefore is required: such a waiver may run 90 days at most")]
    NoStart(String),
    /// It waives a finding that voids support for too long.
    #[error("{0} voids support, so this waiver may run {1} days at most")]
    TooLong(String, i64),
    /// It is directed by Microsoft, without a support case.
    #[error("kind microsoft-directed needs supportCase")]
    NoSupportCase,
    /// It contains a text that cannot be printed.
    #[error(transparent)]
    Text(#[from] TextProblem),
    /// Another waiver of the set has its name.
    #[error("another waiver has the same name, so neither counts")]
    SameName,
    /// A waiver from elsewhere has its name.
    #[error("the guard's configuration has a waiver of the same name, which counts instead")]
    NameTaken,
}

impl Invalid {
    /// The field of the waiver to look at, as written in a file; empty for the waiver as a whole.
    pub fn field(&self) -> &'static str {
        match self {
            Invalid::SelfApproved => "approvedBy",
            Invalid::UnknownRule(_) | Invalid::NoRules => "rules",
            Invalid::Empty(field) => field,
            Invalid::Text(problem) => problem.field(),
            Invalid::NoObject => "match",
            Invalid::NoFingerprint => "fingerprint",
            Invalid::NoUid(_) => "uid",
            Invalid::Backwards | Invalid::TooLong(..) => "expires",
            Invalid::NoTicket(_) => "ticket",
            Invalid::NoStart(_) => "notBefore",
            Invalid::NoSupportCase => "supportCase",
            Invalid::SameName | Invalid::NameTaken => "name",
        }
    }
}

impl Waiver {
    /// Every term that the waiver breaks on its own; it counts only when there is none. The uniqueness of its name
    /// depends on the set: see [`super::all_problems`].
    pub fn problems(&self) -> Vec<Invalid> {
        let mut problems = self.problems_of_texts();
        let stands_in = self.approved_by.is_empty() && self.is_directed();
        if !stands_in && same_person(&self.requested_by, &self.approved_by) {
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
            if pin.uid.is_none() && pin.value.is_none() && pin.changed_before.is_none() {
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
            let Some(rule) = crate::rules::catalogue::find(code).filter(|rule| rule.code.as_str() == code) else {
                problems.push(Invalid::UnknownRule(text::line(code, text::MAX_NAME)));
                continue;
            };
            if rule.heaviest(&crate::data::Platform::ALL) != Consequence::Voids {
                continue;
            }
            if blank(self.ticket.as_deref()) && !self.is_directed() {
                problems.push(Invalid::NoTicket(code.clone()));
            }
            let Some(start) = self.not_before else {
                problems.push(Invalid::NoStart(code.clone()));
                continue;
            };
            // If the calendar ends first, the waiver cannot be too long.
            let days = self.longest();
            if start.checked_add((days * 24).hours()).is_ok_and(|longest| self.expires > longest) {
                problems.push(Invalid::TooLong(code.clone(), days));
            }
        }
        problems
    }

    /// Whether Microsoft directed the change, shown by a support case number.
    fn is_directed(&self) -> bool {
        self.kind == WaiverKind::MicrosoftDirected && !blank(self.support_case.as_deref())
    }

    /// The longest it may run in days for a rule that voids support: longer where Microsoft directed the change and a
    /// further change ends it.
    fn longest(&self) -> i64 {
        if self.is_directed() && self.lapses_unless.is_some() { MAX_DAYS_DIRECTED } else { MAX_DAYS }
    }

    fn problems_of_texts(&self) -> Vec<Invalid> {
        let mut problems = Vec::new();
        let required = [
            ("name", &self.name, text::MAX_NAME),
            ("reason", &self.reason, MAX_REASON),
            ("requestedBy", &self.requested_by, text::MAX_NAME),
            ("approvedBy", &self.approved_by, text::MAX_NAME),
        ];
        for (field, given, _) in required {
            let stands_in = field == "approvedBy" && given.is_empty() && self.is_directed();
            if blank(Some(given)) && !stands_in {
                problems.push(Invalid::Empty(field));
            }
        }
        let optional = [("ticket", self.ticket.as_ref()), ("supportCase", self.support_case.as_ref())];
        let optional = optional.into_iter().filter_map(|(field, given)| Some((field, given?, text::MAX_NAME)));
        for (field, given, max) in required.into_iter().chain(optional) {
            let breaks = |c: char| field == "reason" && matches!(c, '\n' | '\r' | '\t');
            problems.extend(text::problems(field, &given.replace(breaks, " "), max).map(Invalid::Text));
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
                problems.push(TextProblem::Unprintable("match").into());
                break;
            }
        }
        problems
    }
}

/// Whether two names are the same person; case and spaces do not matter.
fn same_person(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    plain(one) == plain(other)
}

fn blank(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

/// A hint at the code that was probably meant, for slugs and typing errors.
fn meant(given: &str) -> String {
    let near = match crate::rules::catalogue::find(given) {
        Some(rule) => Some(rule.code.as_str()),
        None => text::nearest(given, crate::rules::catalogue::ALL.iter().map(|rule| rule.code.as_str())),
    };
    near.map(|code| format!("; did you mean {code}?")).unwrap_or_default()
}

/// The longest a finding that voids support can be waived, in days.
pub const MAX_DAYS: i64 = 90;

/// The same where Microsoft directed the change: a year, with a leap day.
const MAX_DAYS_DIRECTED: i64 = 366;

/// The longest reason: a page of text. Anything longer belongs into the ticket.
const MAX_REASON: usize = 4096;

/// Kinds of findings that are not about an object of Kubernetes.
pub(super) const PSEUDO_KINDS: [&str; 3] = ["Cluster", "NodePool", "Product"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Platform;
    use crate::people::waiver::samples::{NOVEMBER, finding, time, waiver};
    use crate::people::waiver::{Pin, apply};

    const PRINT: &str = "0123456789abcdef0123456789abcdef";

    fn broken(change: impl FnOnce(&mut Waiver)) -> Vec<Invalid> {
        let mut waiver = waiver();
        change(&mut waiver);
        waiver.problems()
    }

    #[test]
    fn a_complete_waiver_has_no_problem() {
        assert_eq!(waiver().problems(), []);
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
        // Two empty names are the same person.
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
        assert_eq!(until("2027-01-30T00:00:00.000000001Z"), [Invalid::TooLong("AA303".to_owned(), MAX_DAYS)]);
        assert_eq!(until("2027-01-30T00:00:01Z"), [Invalid::TooLong("AA303".to_owned(), MAX_DAYS)]);
        // The clock went back in between in New York, and 90 days are 90 times 24 hours all the same.
        assert_eq!(until("2027-01-29T19:00:00-05:00"), []);
        assert_eq!(until("2027-01-29T19:00:01-05:00"), [Invalid::TooLong("AA303".to_owned(), MAX_DAYS)]);
        // A waiver of a finding that does not void support may run for any time; one that does has a limit, up to the
        // calendar's end.
        let far = time("9999-12-30T00:00:00Z");
        let at_risk =
            crate::rules::catalogue::ALL.iter().find(|r| r.heaviest(&Platform::ALL) != Consequence::Voids).unwrap();
        let code = at_risk.code.as_str().to_owned();
        assert_eq!(broken(|w| (w.rules, w.expires, w.not_before, w.ticket) = (vec![code], far, None, None)), []);
        assert_eq!(broken(|w| w.expires = far), [Invalid::TooLong("AA303".to_owned(), MAX_DAYS)]);
    }

    #[test]
    fn a_match_is_a_whole_object_or_a_fingerprint() {
        let matching = |yaml: &str| {
            let given: Match = crate::k8s::read::yaml::parse(yaml).unwrap();
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
            ("{kind: Pod, name: \"a\\u202e\"}".to_owned(), vec![TextProblem::Unprintable("match").into()]),
        ] {
            assert_eq!(matching(&good), problems, "{good}");
        }
    }

    #[test]
    fn a_pin_that_can_hold_nothing_is_refused() {
        assert_eq!(broken(|w| w.lapses_unless = Some(Pin::default())), [Invalid::Empty("lapsesUnless")]);
        let uid = |uid: &str| Some(Pin { uid: Some(uid.to_owned()), ..Pin::default() });
        assert_eq!(broken(|w| w.lapses_unless = uid("")), [Invalid::Empty("uid")]);
        let cluster = broken(|w| {
            w.lapses_unless = uid("u1");
            w.matches = Match { kind: "Cluster".to_owned(), name: "cluster".to_owned(), ..Match::default() };
        });
        assert_eq!(cluster, [Invalid::NoUid("Cluster".to_owned())]);
    }

    #[test]
    fn an_unknown_code_gets_the_nearest_and_a_slug_its_code() {
        let said = |code: &str| Invalid::UnknownRule(code.to_owned()).to_string();
        assert_eq!(said("AA30l"), "no rule has the code AA30l; did you mean AA301?");
        assert_eq!(said("aa303"), "no rule has the code aa303; did you mean AA303?");
        assert_eq!(said("unmanaged-add-on"), "no rule has the code unmanaged-add-on; did you mean AA303?");
        assert_eq!(said("*"), "no rule has the code *");
    }

    #[test]
    fn texts_that_steer_terminals_are_refused_and_line_breaks_are_folded() {
        assert_eq!(
            broken(|w| w.reason = "a\u{1b}[31mb".to_owned()),
            [Invalid::Text(TextProblem::Unprintable("reason"))]
        );
        assert_eq!(broken(|w| w.name = "W\n7".to_owned()), [Invalid::Text(TextProblem::Unprintable("name"))]);
        assert_eq!(
            broken(|w| w.ticket = Some("OPS\u{202e}1".to_owned())),
            [Invalid::Text(TextProblem::Unprintable("ticket"))]
        );
        assert_eq!(broken(|w| w.reason = "x".repeat(4097)), [Invalid::Text(TextProblem::TooLarge("reason", 4096))]);
        assert_eq!(broken(|w| w.reason = "x".repeat(4096)), []);
        assert_eq!(
            broken(|w| w.requested_by = "x".repeat(254)),
            [Invalid::Text(TextProblem::TooLarge("requestedBy", 253))]
        );
        let long = Waiver { reason: "first line\n\tsecond\r\n".to_owned(), ..waiver() };
        assert_eq!(long.problems(), []);
        let mut findings = [finding("log-agent", "u1", None)];
        apply(&mut findings, &[long], time(NOVEMBER));
        assert_eq!(findings[0].waiver.as_ref().unwrap().reason, "first line second");
    }

    #[test]
    fn microsofts_case_stands_for_ticket_and_approver_and_runs_a_year_that_a_further_change_ends() {
        let directed = |change: fn(&mut Waiver)| {
            broken(|w| {
                (w.kind, w.support_case) = (WaiverKind::MicrosoftDirected, Some("2311".to_owned()));
                (w.approved_by, w.ticket) = (String::new(), None);
                change(w);
            })
        };
        assert_eq!(directed(|_| {}), []);
        assert_eq!(directed(|w| w.support_case = None).len(), 3);
        assert!(directed(|w| w.approved_by = " ".to_owned()).contains(&Invalid::Empty("approvedBy")));
        assert_eq!(directed(|w| w.expires = w.not_before.unwrap().checked_add((365 * 24).hours()).unwrap()).len(), 1);
        let pinned = |w: &mut Waiver| {
            w.expires = w.not_before.unwrap().checked_add((365 * 24).hours()).unwrap();
            w.lapses_unless = Some(Pin { changed_before: w.not_before, ..Pin::default() });
        };
        assert_eq!(directed(pinned), []);
    }
}
