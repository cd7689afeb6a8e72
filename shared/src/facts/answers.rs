//! Attestations: dated, signed answers to questions that Kubernetes cannot answer, read from a file.
//!
//! An answer settles a rule that nothing in the cluster can decide. It never outweighs a finding. An answer that a
//! clause is not met is a finding. Answers expire: a subscription that was paid for in spring says nothing about
//! autumn.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::Deserialize;

use crate::data::own::API_VERSION;
use crate::data::{ClauseText, Data, Platform, Sees};
use crate::finding::Clause;
use crate::k8s::read::json::ReadError;
use crate::k8s::read::yaml;
use crate::moment::Moment;
use crate::text::{self, TextProblem};

/// One answer, from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// The clause it answers, `C35`.
    pub clause: String,
    /// The answer given.
    pub answer: Attested,
    /// The name of the person who answers. An unsigned answer does not count.
    pub by: String,
    /// The moment for which the answer is true.
    pub on: Moment,
    /// The end of the answer. If left out, the clause's row says for how long it holds.
    pub expires: Option<Moment>,
    /// A note on what was looked at, and what it showed.
    pub note: String,
    /// For clauses C30, C31 and C34: the standstill that the answer reports, if it gives dates.
    pub stop: Option<Stop>,
}

/// A period in which nodes or the cluster were stopped, as reported by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The beginning.
    pub from: Moment,
    /// The end.
    pub to: Moment,
    /// The purpose, if given.
    pub purpose: Option<StopPurpose>,
}

impl Stop {
    /// Whether the standstill was longer than `days`.
    pub(crate) fn is_longer_than(&self, days: i64) -> bool {
        self.to.0.duration_since(self.from.0) > SignedDuration::from_hours(days * 24)
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days = self.to.0.duration_since(self.from.0).as_hours() / 24;
        let purpose = match self.purpose {
            Some(StopPurpose::Maintenance) => ", for maintenance",
            Some(StopPurpose::Other) => ", not for maintenance",
            None => "",
        };
        write!(f, "{} to {}, {days} days{purpose}", day(self.from.0), day(self.to.0))
    }
}

/// The purpose of a standstill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopPurpose {
    /// Regular maintenance.
    Maintenance,
    /// Any other purpose.
    Other,
}

/// The content of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attested {
    /// The clause is met.
    Fulfilled,
    /// The clause is not met.
    NotFulfilled,
}

impl Attested {
    /// The word used in files and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Attested::Fulfilled => "fulfilled",
            Attested::NotFulfilled => "not-fulfilled",
        }
    }
}

/// The answers of a file that consists of YAML documents of kind `AttestationList`, each with `items`. Items whose
/// answer is `open` are questions without an answer yet, and left out.
///
/// # Errors
/// [`ReadError`] with line and column for another kind, unknown or missing fields, an invalid word or an invalid time.
/// An answer that breaks a term is returned and does not count: see [`problems`].
pub fn parse(text: &str) -> Result<Vec<Attestation>, ReadError> {
    let files = yaml::parse_all::<File>(text.trim_start_matches('\u{feff}'))?;
    if files.is_empty() {
        return Err(ReadError::Content(format!("expected apiVersion {API_VERSION}, kind {KIND}, found nothing")));
    }
    let mut answers = Vec::new();
    for file in files {
        if (&*file.api_version, &*file.kind) != (API_VERSION, KIND) {
            let found = text::line(&format!("{} {}", file.api_version, file.kind), 200);
            return Err(ReadError::Content(format!("expected apiVersion {API_VERSION}, kind {KIND}, found {found}")));
        }
        for item in file.items.unwrap_or_default() {
            answers.extend(item.into_answer()?);
        }
    }
    Ok(answers)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    #[serde(default)]
    items: Option<Vec<AttestationItem>>,
}

/// An answer as written in the file. Empty fields are left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttestationItem {
    clause: String,
    answer: Word,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    on: Option<Moment>,
    #[serde(default)]
    expires: Option<Moment>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    from: Option<Moment>,
    #[serde(default)]
    to: Option<Moment>,
    #[serde(default)]
    purpose: Option<StopPurpose>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Fulfilled,
    NotFulfilled,
    Open,
}

impl AttestationItem {
    fn into_answer(self) -> Result<Option<Attestation>, ReadError> {
        let answer = match self.answer {
            Word::Fulfilled => Attested::Fulfilled,
            Word::NotFulfilled => Attested::NotFulfilled,
            Word::Open => return Ok(None),
        };
        let clause = text::line(&self.clause, 40);
        let on = self
            .on
            .ok_or_else(|| ReadError::Content(format!("the answer to {clause} needs `on`, the day it was so")))?;
        let stop = self.stop(&clause, on)?;
        let (by, note) = (self.by.unwrap_or_default(), self.note.unwrap_or_default());
        Ok(Some(Attestation { clause: self.clause, answer, by, on, expires: self.expires, note, stop }))
    }

    /// The standstill that the answer reports. One without an end lasts until the day of the answer.
    fn stop(&self, clause: &str, on: Moment) -> Result<Option<Stop>, ReadError> {
        let told = [("from", self.from.is_some()), ("to", self.to.is_some()), ("purpose", self.purpose.is_some())];
        let Some((field, _)) = told.into_iter().find(|(_, is_told)| *is_told) else { return Ok(None) };
        if !OF_STOPS.contains(&&*self.clause) {
            let own = OF_STOPS.join(", ");
            return Err(ReadError::Content(format!("the answer to {clause} has `{field}`, which is for {own}")));
        }
        let Some(from) = self.from else {
            return Err(ReadError::Content(format!("the answer to {clause} has `{field}`, and needs `from` then")));
        };
        let to = self.to.unwrap_or(on);
        if to < from {
            return Err(ReadError::Content(format!("the answer to {clause} has `to` before `from`")));
        }
        Ok(Some(Stop { from, to, purpose: self.purpose }))
    }
}

/// The reason why an answer does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It ends before it begins.
    #[error("expires is not after on")]
    Backwards,
    /// There are two answers to the same question, and no way to tell which holds.
    #[error("{0} is answered more than once")]
    Duplicate(String),
    /// It has expired.
    #[error("it ended at {0}")]
    Expired(Timestamp),
    /// It is dated in the future.
    #[error("it is of {0}, which is still to come")]
    Future(Timestamp),
    /// It runs longer than any answer may.
    #[error("it may hold {MAX_DAYS} days at most")]
    TooLong,
    /// It names an unknown clause.
    #[error("no clause is called {given}{}", .nearest.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    UnknownClause {
        /// The name given.
        given: String,
        /// The known name that is nearest.
        nearest: Option<String>,
    },
    /// Its clause is not a question to people.
    #[error("{0} is no question to people: rules decide it, or there is nothing to decide")]
    Unasked(String),
    /// It is not signed.
    #[error("nobody signed it: by is empty")]
    Unsigned,
    /// Its signature cannot be printed.
    #[error("{0}")]
    Signature(TextProblem),
}

/// Every answer with the problems that keep it from counting. An answer without problems counts.
pub fn problems<'a>(answers: &'a [Attestation], data: &Data, now: Timestamp) -> Vec<(&'a Attestation, Vec<Problem>)> {
    let mut judged: Vec<_> = answers.iter().map(|answer| (answer, answer.problems(data, now))).collect();
    // A file may keep earlier answers: one that has expired or was never signed does not affect those that count.
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for (answer, _) in judged.iter().filter(|(_, problems)| problems.is_empty()) {
        *times.entry(lead_of(data, &answer.clause)).or_default() += 1;
    }
    for (answer, problems) in judged.iter_mut().filter(|(_, problems)| problems.is_empty()) {
        if times.get(lead_of(data, &answer.clause)).is_some_and(|count| *count > 1) {
            problems.push(Problem::Duplicate(text::line(&answer.clause, 40)));
        }
    }
    judged
}

impl Attestation {
    /// The moment at which the answer ends. `holds` is the number of days for which answers to its clause hold.
    pub(crate) fn until(&self, holds: i64) -> Timestamp {
        match self.expires {
            Some(Moment(end)) => end,
            None => self.on.0.checked_add((holds * 24).hours()).unwrap_or(Timestamp::MAX),
        }
    }

    fn problems(&self, data: &Data, now: Timestamp) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.by.trim().is_empty() {
            problems.push(Problem::Unsigned);
        }
        problems.extend(text::problems("by", &self.by, text::MAX_NAME).map(Problem::Signature));
        if self.on.0 > now {
            problems.push(Problem::Future(self.on.0));
        }
        if self.expires.is_some_and(|end| end <= self.on) {
            problems.push(Problem::Backwards);
        }
        let longest = self.on.0.checked_add((MAX_DAYS * 24).hours()).unwrap_or(Timestamp::MAX);
        if self.expires.is_some_and(|end| end.0 > longest) {
            problems.push(Problem::TooLong);
        }
        let Some(clause) = data.clauses.iter().find(|clause| clause.id == self.clause) else {
            let nearest = text::nearest(&self.clause, data.clauses.iter().map(|clause| &*clause.id));
            let given = text::line(&self.clause, 40);
            problems.push(Problem::UnknownClause { given, nearest: nearest.map(str::to_owned) });
            return problems;
        };
        let Some(holds) = lead(data, clause).holds_days.filter(|_| clause.sees.contains(&Sees::Attest)) else {
            problems.push(Problem::Unasked(clause.id.clone()));
            return problems;
        };
        let until = self.until(holds);
        if until <= now {
            problems.push(Problem::Expired(until));
        }
        problems
    }
}

/// The answers that count, by the leading clause of each question.
#[derive(Debug)]
pub(crate) struct Answers<'a> {
    data: &'a Data,
    by_lead: BTreeMap<&'a str, &'a Attestation>,
}

impl<'a> Answers<'a> {
    pub(crate) fn new(attestations: &'a [Attestation], data: &'a Data, now: Timestamp) -> Self {
        let counting = problems(attestations, data, now).into_iter().filter(|(_, problems)| problems.is_empty());
        Answers { data, by_lead: counting.map(|(answer, _)| (lead_of(data, &answer.clause), answer)).collect() }
    }

    /// The answer to the question of a clause.
    pub(crate) fn get(&self, clause: &str) -> Option<&'a Attestation> {
        self.by_lead.get(lead_of(self.data, clause)).copied()
    }

    /// Every answer that counts, with the moment at which it ends.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (&'a Attestation, Timestamp)> + '_ {
        self.by_lead.iter().filter_map(|(lead, answer)| {
            let holds = self.data.clauses.iter().find(|clause| clause.id == **lead)?.holds_days?;
            Some((*answer, answer.until(holds)))
        })
    }

    /// The answered and open questions of a rule on a platform.
    pub(crate) fn of_rule(&self, clauses: &[Clause], platform: Platform) -> Settled<'a> {
        let mut settled = Settled { answered: Vec::new(), open: Vec::new() };
        for clause in clauses.iter().filter_map(|clause| asked(self.data, clause.as_str(), platform)) {
            let lead = lead(self.data, clause);
            match self.by_lead.get(&*lead.id) {
                Some(answer) if !settled.answered.contains(answer) => settled.answered.push(answer),
                None if !settled.open.contains(&&*lead.id) => settled.open.push(&lead.id),
                _ => {}
            }
        }
        settled
    }
}

/// The answered and open questions of a rule.
#[derive(Debug)]
pub(crate) struct Settled<'a> {
    /// The answers that count.
    pub(crate) answered: Vec<&'a Attestation>,
    /// The clauses without an answer.
    pub(crate) open: Vec<&'a str>,
}

impl Settled<'_> {
    /// Whether every question is answered, and every answer says that its clause is met.
    pub(crate) fn is_fulfilled(&self) -> bool {
        let good = self.answered.iter().all(|answer| answer.answer == Attested::Fulfilled);
        good && self.open.is_empty() && !self.answered.is_empty()
    }

    /// The answers as a phrase: `attested by alice on 2026-05-20 (C35)`.
    pub(crate) fn says(&self) -> String {
        let each = self.answered.iter().map(|answer| {
            format!("attested by {} on {} ({})", text::line(answer.by.trim(), 80), day(answer.on.0), answer.clause)
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

/// The clause with this id, if it is a question to people on the platform.
pub(crate) fn asked<'d>(data: &'d Data, id: &str, platform: Platform) -> Option<&'d ClauseText> {
    let clause = data.clauses.iter().find(|clause| clause.id == id)?;
    (clause.sees.contains(&Sees::Attest) && !clause.no_text_on.contains(&platform)).then_some(clause)
}

/// The clause whose question covers this clause.
pub(crate) fn lead<'d>(data: &'d Data, clause: &'d ClauseText) -> &'d ClauseText {
    let named = clause.asked_with.as_deref();
    named.and_then(|id| data.clauses.iter().find(|other| other.id == id)).unwrap_or(clause)
}

pub(crate) fn lead_of<'d>(data: &'d Data, id: &'d str) -> &'d str {
    data.clauses.iter().find(|clause| clause.id == id).map_or(id, |clause| &lead(data, clause).id)
}

/// The day of a moment, in UTC.
pub(crate) fn day(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::UTC).date()
}

const KIND: &str = "AttestationList";

/// The clauses on standstills. Their answers give beginning, end and purpose.
pub(crate) const OF_STOPS: [&str; 3] = ["C30", "C31", "C34"];

/// The longest that an answer holds: after a year somebody has to look again.
const MAX_DAYS: i64 = 365;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    const FILE: &str = "
apiVersion: aksarc.dev/v1alpha1
kind: AttestationList
items:
- clause: C35
  answer: fulfilled
  by: alice
  on: 2026-05-01
  note: az account show says Enabled
";

    fn answer(change: impl FnOnce(&mut Attestation)) -> Attestation {
        let mut answer = parse(FILE).unwrap().remove(0);
        change(&mut answer);
        answer
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn faults(answer: Attestation, now: &str) -> Vec<Problem> {
        problems(&[answer], embedded(), at(now)).remove(0).1
    }

    #[test]
    fn an_answer_counts_from_its_first_second_to_the_last_before_its_days_are_over() {
        let day: fn(&mut Attestation) = |_| {};
        assert_eq!(faults(answer(day), "2026-04-30T23:59:59Z"), [Problem::Future(at("2026-05-01T00:00:00Z"))]);
        assert_eq!(faults(answer(day), "2026-05-01T00:00:00Z"), []);
        assert_eq!(faults(answer(day), "2026-06-29T23:59:59Z"), []);
        let end = at("2026-06-30T00:00:00Z");
        assert_eq!(faults(answer(day), "2026-06-30T00:00:00Z"), [Problem::Expired(end)]);
    }

    #[test]
    fn its_own_end_goes_before_the_clauses_and_may_be_a_second() {
        let shorter: fn(&mut Attestation) = |a| a.expires = Some(Moment(at("2026-05-02T10:00:00Z")));
        assert_eq!(faults(answer(shorter), "2026-05-02T09:59:59Z"), []);
        assert_eq!(faults(answer(shorter), "2026-05-02T10:00:00Z"), [Problem::Expired(at("2026-05-02T10:00:00Z"))]);
        let longer: fn(&mut Attestation) = |a| a.expires = Some(Moment(at("2027-05-01T00:00:00Z")));
        assert_eq!(faults(answer(longer), "2027-04-30T23:59:59Z"), []);
        let endless: fn(&mut Attestation) = |a| a.expires = Some(Moment(at("2027-05-01T00:00:01Z")));
        assert_eq!(faults(answer(endless), "2026-05-02T00:00:00Z"), [Problem::TooLong]);
    }

    #[test]
    fn each_broken_term_is_named() {
        let now = "2026-05-02T00:00:00Z";
        assert_eq!(faults(answer(|a| a.by = " ".to_owned()), now), [Problem::Unsigned]);
        for invisible in ["\u{200b}", "\u{ad}", "\u{3164}", "\u{2800}", "\u{e0061}", "alice\n", "al\u{202e}ice"] {
            let unseen = faults(answer(|a| a.by = invisible.to_owned()), now);
            assert_eq!(unseen, [Problem::Signature(TextProblem::Unprintable("by"))], "{invisible:?}");
        }
        assert_eq!(faults(answer(|a| a.by = "a".repeat(253)), now), []);
        let long = faults(answer(|a| a.by = "a".repeat(254)), now);
        assert_eq!(long, [Problem::Signature(TextProblem::TooLarge("by", 253))]);
        let twisted = faults(answer(|a| a.expires = Some(a.on)), now);
        assert_eq!(twisted, [Problem::Backwards, Problem::Expired(at("2026-05-01T00:00:00Z"))]);
        assert_eq!(faults(answer(|a| a.clause = "C13".to_owned()), now), [Problem::Unasked("C13".to_owned())]);
        let unknown = faults(answer(|a| a.clause = "C3S".to_owned()), now);
        assert!(matches!(&*unknown, [Problem::UnknownClause { nearest: Some(_), .. }]), "{unknown:?}");
        let unknown = faults(answer(|a| a.clause = String::new()), now);
        assert!(matches!(&*unknown, [Problem::UnknownClause { .. }]), "{unknown:?}");
    }

    #[test]
    fn two_answers_to_one_question_do_not_count() {
        let both = [answer(|_| {}), answer(|a| a.answer = Attested::NotFulfilled)];
        for (_, problems) in problems(&both, embedded(), at("2026-05-02T00:00:00Z")) {
            assert_eq!(problems, [Problem::Duplicate("C35".to_owned())]);
        }
        // An answer that does not count by itself does not affect those that do.
        let day: fn(&mut Attestation) = |_| {};
        let over: fn(&mut Attestation) = |a| a.on = Moment(at("2025-05-01T00:00:00Z"));
        let unsigned: fn(&mut Attestation) = |a| a.by.clear();
        let to_come: fn(&mut Attestation) = |a| a.on = Moment(at("2026-06-01T00:00:00Z"));
        let history = [over, unsigned, to_come, day].map(answer);
        let judged = problems(&history, embedded(), at("2026-05-02T00:00:00Z"));
        let faults: Vec<usize> = judged.iter().map(|(_, problems)| problems.len()).collect();
        assert_eq!(faults, [1, 1, 1, 0], "{judged:?}");
        assert_eq!(Answers::new(&history, embedded(), at("2026-05-02T00:00:00Z")).get("C35"), Some(&history[3]));
        // C36 is asked together with C35, so it is the same question.
        let both = [answer(|_| {}), answer(|a| a.clause = "C36".to_owned())];
        let answers = Answers::new(&both, embedded(), at("2026-05-02T00:00:00Z"));
        assert_eq!(answers.get("C35"), None);
        let one = [answer(|a| a.clause = "C36".to_owned())];
        let answers = Answers::new(&one, embedded(), at("2026-05-02T00:00:00Z"));
        assert_eq!(answers.get("C35").unwrap().by, "alice");
    }

    #[test]
    fn a_file_that_is_none_says_where_and_what_was_expected() {
        for (bad, says) in [
            ("", "found nothing"),
            ("apiVersion: v1\nkind: ConfigMap\n", "found v1 ConfigMap"),
            (&*FILE.replace("answer: fulfilled", "answer: yes"), "expected one of fulfilled, not-fulfilled, open"),
            (&*FILE.replace("answer: fulfilled", "answer: maybe"), "not-fulfilled"),
            (&*FILE.replace("  on: 2026-05-01\n", ""), "answer to C35 needs `on`"),
            (&*FILE.replace("2026-05-01", ""), "answer to C35 needs `on`"),
            (&*FILE.replace("2026-05-01", "yesterday"), "a day such as"),
            (&*FILE.replace("2026-05-01", "2026-02-30"), "a day such as"),
            (&*FILE.replace("2026-05-01", "2026-05-01T10:00:00"), "a day such as"),
            (&*FILE.replace("note:", "nota:"), "nota"),
            (&*FILE.replace("by: alice", "by: alice\n  by: bob"), "by"),
        ] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
        assert_eq!(parse("apiVersion: aksarc.dev/v1alpha1\nkind: AttestationList\nitems:\n").unwrap(), []);
        assert_eq!(parse(&format!("{FILE}---{}", FILE.replace("C35", "C32"))).unwrap().len(), 2);
    }

    #[test]
    fn every_question_says_what_it_is_about_and_how_long_an_answer_holds() {
        for clause in embedded().clauses.iter() {
            let asked = clause.sees.contains(&Sees::Attest);
            let leads = asked && clause.asked_with.is_none();
            assert_eq!(clause.topic.is_some(), leads, "{}", clause.id);
            assert_eq!(clause.holds_days.is_some(), leads, "{}", clause.id);
            assert!(clause.holds_days.is_none_or(|days| (1..=MAX_DAYS).contains(&days)), "{}", clause.id);
            if let Some(other) = &clause.asked_with {
                let other = embedded().clauses.iter().find(|row| row.id == *other).unwrap();
                assert!(asked && other.asked_with.is_none() && other.topic.is_some(), "{}", clause.id);
            }
        }
    }
}
