//! Questions that only people can answer, for reports and for the template of an answer file.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::data::{ClauseText, Data, Platform, Sees};
use crate::facts::answers::{Answers, Attestation, OF_STOPS, asked, day, lead, lead_of, problems};
use crate::finding::Code;
use crate::rules::catalogue;
use crate::rules::rule::Rule;

/// A question that only people can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The clauses of the question; the first is the one to answer.
    pub clauses: Vec<String>,
    /// The rules that cannot decide it alone.
    pub rules: Vec<Code>,
    /// The subject, in a few words.
    pub topic: String,
    /// The clause, in our words, as it stands on this platform.
    pub says: String,
    /// The person who can answer, and how they find out.
    pub ask: String,
    /// The answer that counts.
    pub answer: Option<AnswerNote>,
    /// The reason why a given answer does not count.
    pub refused: Option<String>,
}

/// An answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerNote {
    /// `fulfilled` or `not-fulfilled`.
    pub answer: &'static str,
    /// The person who answered.
    pub by: String,
    /// The moment for which it is true, RFC 3339.
    pub on: String,
    /// The end, RFC 3339: the question is open again then.
    pub expires: String,
    /// A note on what was looked at.
    pub note: String,
}

/// The input that decides which questions there are, and which are answered.
pub(crate) struct AskedFor<'a> {
    pub(crate) data: &'a Data,
    pub(crate) candidates: &'a [Platform],
    pub(crate) rules: &'a [&'static Rule],
    pub(crate) release: Option<&'a str>,
    pub(crate) attestations: &'a [Attestation],
    pub(crate) now: Timestamp,
}

/// All questions of the platforms that the cluster may be on, in the order of the clauses, answered or not. A run of
/// selected rules only has their questions, and those that no rule can ask.
pub(crate) fn questions(asked_for: &AskedFor<'_>) -> Vec<Question> {
    let AskedFor { data, candidates, rules, release, attestations, now } = *asked_for;
    let answers = Answers::new(attestations, data, now);
    let judged = problems(attestations, data, now);
    let mut questions = Vec::new();
    for leading in leading(data).filter(|clause| !(clause.settled_by_release && release.is_some())) {
        let together = together(data, leading);
        let here = |clause: &&ClauseText| candidates.iter().any(|p| asked(data, &clause.id, *p).is_some());
        let clauses: Vec<&ClauseText> = together.into_iter().filter(here).collect();
        let named = |rule: &&&Rule| clauses.iter().any(|clause| rule.names(&clause.id));
        let codes: Vec<Code> = rules.iter().filter(named).map(|rule| rule.code).collect();
        let of_others = codes.is_empty() && catalogue::ALL.iter().any(|rule| named(&rule));
        if clauses.is_empty() || of_others {
            continue;
        }
        let refused = judged
            .iter()
            .find(|(answer, problems)| lead_of(data, &answer.clause) == leading.id && !problems.is_empty());
        questions.push(Question {
            clauses: clauses.iter().map(|clause| clause.id.clone()).collect(),
            rules: codes,
            topic: leading.topic.clone().unwrap_or_default(),
            says: says(leading, candidates),
            ask: leading.ask.clone().unwrap_or_default(),
            answer: answers.get(&leading.id).map(|answer| AnswerNote {
                answer: answer.answer.as_str(),
                by: answer.by.trim().to_owned(),
                on: answer.on.0.to_string(),
                expires: answer.until(leading.holds_days.unwrap_or_default()).to_string(),
                note: answer.note.clone(),
            }),
            refused: refused.map(|(answer, problems)| {
                let why: Vec<String> = problems.iter().map(ToString::to_string).collect();
                format!("the answer of {} does not count: {}", day(answer.on.0), why.join(", "))
            }),
        });
    }
    questions
}

/// A template of an answer file: every question of a platform, with the person to ask, and the answers left open.
/// Unchanged, it answers nothing.
pub fn template(data: &Data, platform: Option<Platform>) -> String {
    let all = Platform::ALL;
    let candidates = platform.as_ref().map_or(all.as_slice(), std::slice::from_ref);
    let mut text = String::from(
        "# What Kubernetes cannot show, answered by people.\n\
         #   answer   fulfilled; not-fulfilled, which is a finding; or open: nobody has answered yet\n\
         #   by       who answers, by name\n\
         #   on       the day (UTC) or the moment (RFC 3339) on which it was so\n\
         #   from, to, purpose  of what was stopped: the days, and maintenance or other\n\
         #   expires  may be added: until when the answer is taken for true, at most a year\n\
         apiVersion: aksarc.dev/v1alpha1\nkind: AttestationList\nitems:\n",
    );
    for clause in leading(data).filter(|clause| candidates.iter().any(|p| asked(data, &clause.id, *p).is_some())) {
        let holds = clause.holds_days.unwrap_or_default();
        let lines = [
            format!("{} {}. {}", clause.id, clause.topic.as_deref().unwrap_or_default(), says(clause, candidates)),
            format!("Ask: {}", clause.ask.as_deref().unwrap_or_default()),
            format!("Without expires the answer holds {holds} days."),
        ];
        text.push('\n');
        for line in lines.iter().flat_map(|line| wrap(line)) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# {line}");
        }
        let stop = if OF_STOPS.contains(&&*clause.id) { "  from:\n  to:\n  purpose:\n" } else { "" };
        let _ = writeln!(text, "- clause: {}\n  answer: open\n  by:\n  on:\n{stop}  note:", clause.id);
    }
    text
}

/// The clauses with a question of their own, each with the clauses that share it.
fn leading(data: &Data) -> impl Iterator<Item = &ClauseText> {
    data.clauses.iter().filter(|clause| clause.sees.contains(&Sees::Attest) && clause.asked_with.is_none())
}

fn together<'d>(data: &'d Data, leading: &ClauseText) -> Vec<&'d ClauseText> {
    data.clauses
        .iter()
        .filter(|clause| clause.sees.contains(&Sees::Attest) && lead(data, clause).id == leading.id)
        .collect()
}

/// The clause as in the platform's text; where candidates differ, as in the Windows Server text.
pub(crate) fn says(clause: &ClauseText, candidates: &[Platform]) -> String {
    let of = |platform: &Platform| clause.differs.get(platform.as_str()).unwrap_or(&clause.says);
    let mut texts = candidates.iter().filter(|platform| !clause.no_text_on.contains(platform)).map(of);
    let first = texts.next().unwrap_or(&clause.says);
    if texts.all(|text| text == first) { first.clone() } else { clause.says.clone() }
}

/// The text in lines of at most 100 bytes, where words allow it.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let fits = lines.last().is_some_and(|line| line.is_empty() || line.len() + word.len() < 100);
        if !fits {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;
    use crate::facts::answers::parse;

    fn ask<'a>(
        candidates: &'a [Platform],
        attestations: &'a [Attestation],
        rules: &'a [&'static Rule],
    ) -> AskedFor<'a> {
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        AskedFor { data: embedded(), candidates, rules, release: None, attestations, now }
    }

    #[test]
    fn a_question_is_asked_where_its_text_is_and_says_what_that_platform_says() {
        let on = |platform| questions(&ask(&[platform], &[], catalogue::ALL));
        let local = on(Platform::AzureLocal);
        let stopped = |all: &[Question]| all.iter().find(|q| q.clauses == ["C31"]).unwrap().says.clone();
        assert!(stopped(&local).contains("Both limits are 30 days"), "{}", stopped(&local));
        assert!(stopped(&on(Platform::WindowsServer)).contains("90 days"));
        assert_eq!(on(Platform::BareMetal), []);
        assert!(local.iter().any(|question| question.clauses == ["C35", "C36"]));
        let both = questions(&ask(&[Platform::WindowsServer, Platform::AzureLocal], &[], catalogue::ALL));
        assert!(stopped(&both).contains("90 days"));
    }

    #[test]
    fn a_run_of_some_rules_has_their_questions_only() {
        let nodes: Vec<_> = catalogue::select("AA401").unwrap();
        let found = questions(&ask(&[Platform::AzureLocal], &[], &nodes));
        assert!(found.iter().any(|question| question.clauses == ["C10"] && question.rules == ["AA401"]));
        assert!(found.iter().all(|question| question.clauses != ["C35", "C36"] || question.rules.is_empty()));
    }

    #[test]
    fn the_release_of_the_host_answers_for_the_host() {
        let mut asked_for = ask(&[Platform::AzureLocal], &[], catalogue::ALL);
        let host = |all: &[Question]| all.iter().any(|question| question.clauses == ["C09"]);
        assert!(host(&questions(&asked_for)));
        asked_for.release = Some("2602");
        assert!(!host(&questions(&asked_for)));
    }

    #[test]
    fn a_template_answers_nothing_until_it_is_filled_in() {
        for platform in Platform::ALL {
            let text = template(embedded(), Some(platform));
            assert_eq!(parse(&text).unwrap(), [], "{text}");
            let filled = text
                .replace("answer: open\n", "answer: fulfilled\n")
                .replace("by:\n", "by: alice\n")
                .replace("on:\n", "on: 2026-05-31\n");
            let answers = parse(&filled).unwrap_or_else(|error| panic!("{error}\n{filled}"));
            let open = questions(&ask(&[platform], &answers, catalogue::ALL));
            assert_eq!(answers.len(), open.len(), "{platform:?}");
            assert!(open.iter().all(|question| question.answer.is_some() && question.refused.is_none()), "{open:?}");
        }
    }
}
