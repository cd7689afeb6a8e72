//! The state of each clause of the policy, from the outcomes of the rules, the findings and the questions.

use super::v1::{ClauseStateV1, ClauseV1};
use super::{RuleOutcome, RuleResult};
use crate::data::{ClauseText, Platform, embedded};
use crate::finding::{Consequence, Finding};
use crate::people::questions::{self, Question};
use crate::rules::catalogue;

/// The clauses of the policy in the order of the data, for a cluster that may be on these platforms.
pub(super) fn of(
    platforms: &[Platform],
    rules: &[RuleOutcome],
    findings: &[Finding],
    questions: &[Question],
) -> Vec<ClauseV1> {
    let clause = |row: &ClauseText| {
        let names_it =
            |rule: &&RuleOutcome| catalogue::find(rule.code.as_str()).is_some_and(|known| known.names(&row.id));
        let on_it: Vec<&RuleOutcome> = rules.iter().filter(names_it).collect();
        let found = findings.iter().filter(|finding| finding.clauses.iter().any(|clause| *clause == *row.id));
        let asked = questions.iter().find(|question| question.clauses.contains(&row.id));
        let states = found
            .filter_map(of_finding)
            .chain(on_it.iter().copied().filter_map(of_rule))
            .chain(asked.and_then(of_question));
        ClauseV1 {
            id: row.id.clone(),
            section: row.section.clone(),
            says: questions::says(row, platforms),
            documents: texts_with(row, platforms),
            rules: on_it.iter().map(|rule| rule.code.as_str().to_owned()).collect(),
            state: states.min().unwrap_or(ClauseStateV1::NotJudged),
        }
    };
    embedded().clauses.iter().map(clause).collect()
}

/// The ids of the policy texts, among those of the platforms, that have a clause.
pub(super) fn texts_with(clause: &ClauseText, platforms: &[Platform]) -> Vec<String> {
    let has_it = |platform: &&Platform| platform.has_policy_text() && !clause.no_text_on.contains(platform);
    let texts = platforms.iter().filter(has_it).filter_map(|platform| embedded().document(*platform));
    texts.map(|text| text.id.clone()).collect()
}

fn of_finding(finding: &Finding) -> Option<ClauseStateV1> {
    match finding.consequence {
        Consequence::Info => None,
        _ if finding.waiver.is_some() => Some(ClauseStateV1::Waived),
        Consequence::Voids => Some(ClauseStateV1::Violated),
        Consequence::AtRisk => Some(ClauseStateV1::AtRisk),
        Consequence::NotCovered => Some(ClauseStateV1::NotCovered),
    }
}

/// The state of a clause by a rule that names it, without the rule's findings. A rule whose findings are about other
/// clauses has examined this one too.
fn of_rule(rule: &RuleOutcome) -> Option<ClauseStateV1> {
    match rule.outcome {
        _ if rule.could_void => Some(ClauseStateV1::Unknown),
        RuleResult::Unknown => Some(ClauseStateV1::Unknown),
        RuleResult::NotObservable => Some(ClauseStateV1::NotObservable),
        RuleResult::Pass | RuleResult::Violated | RuleResult::Waived => Some(ClauseStateV1::Pass),
        RuleResult::NotApplicable => None,
    }
}

/// The state of a clause by people's answers. An answer that the clause is not fulfilled is a finding.
fn of_question(question: &Question) -> Option<ClauseStateV1> {
    match &question.answer {
        None => Some(ClauseStateV1::Question),
        Some(note) => (note.answer == "fulfilled").then_some(ClauseStateV1::Answered),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::questions::AnswerNote;

    fn outcome(code: &str, outcome: RuleResult) -> RuleOutcome {
        let rule = catalogue::find(code).unwrap();
        RuleOutcome { code: rule.code, slug: rule.slug, outcome, reason: String::new(), could_void: false }
    }

    fn state(clause: &str, rules: &[RuleOutcome], findings: &[Finding], questions: &[Question]) -> ClauseStateV1 {
        let clauses = of(&[Platform::AzureLocal], rules, findings, questions);
        clauses.iter().find(|one| one.id == clause).unwrap().state
    }

    #[test]
    fn the_heaviest_of_what_is_known_is_the_state() {
        let passed = [outcome("AA201", RuleResult::Pass), outcome("AA208", RuleResult::NotObservable)];
        assert_eq!(state("C13", &passed, &[], &[]), ClauseStateV1::Pass);
        let hidden = [outcome("AA208", RuleResult::NotObservable)];
        assert_eq!(state("C13", &hidden, &[], &[]), ClauseStateV1::NotObservable);
        let undecided = [outcome("AA201", RuleResult::Pass), outcome("AA202", RuleResult::Unknown)];
        assert_eq!(state("C13", &undecided, &[], &[]), ClauseStateV1::Unknown);
        let found = |consequence| [Finding { consequence, ..Finding::example() }];
        let violated = [outcome("AA201", RuleResult::Violated), outcome("AA202", RuleResult::Unknown)];
        assert_eq!(state("C13", &violated, &found(Consequence::Voids), &[]), ClauseStateV1::Violated);
        assert_eq!(state("C13", &passed, &found(Consequence::AtRisk), &[]), ClauseStateV1::AtRisk);
        assert_eq!(state("C13", &passed, &found(Consequence::NotCovered), &[]), ClauseStateV1::NotCovered);
        assert_eq!(state("C13", &passed, &found(Consequence::Info), &[]), ClauseStateV1::Pass);
        assert_eq!(state("C13", &[], &[], &[]), ClauseStateV1::NotJudged);
        assert_eq!(state("C13", &[outcome("AA201", RuleResult::NotApplicable)], &[], &[]), ClauseStateV1::NotJudged);
    }

    #[test]
    fn an_undecided_rest_of_a_violation_that_could_void_is_unknown_on_the_rules_other_clauses() {
        let rest = RuleOutcome { could_void: true, ..outcome("AA301", RuleResult::Violated) };
        assert_eq!(state("C05", &[rest], &[], &[]), ClauseStateV1::Unknown);
        assert_eq!(state("C05", &[outcome("AA301", RuleResult::Violated)], &[], &[]), ClauseStateV1::Pass);
    }

    #[test]
    fn a_waived_finding_is_no_violation_and_no_pass() {
        let note = crate::finding::WaiverNote {
            name: "W-1".to_owned(),
            reason: String::new(),
            expires: String::new(),
            ticket: None,
            support_case: None,
        };
        let waived = Finding { waiver: Some(note), ..Finding::example() };
        assert_eq!(state("C13", &[outcome("AA201", RuleResult::Waived)], &[waived], &[]), ClauseStateV1::Waived);
    }

    #[test]
    fn a_question_is_open_until_somebody_answers() {
        let question = |answer: Option<AnswerNote>| Question {
            clauses: vec!["C10".to_owned()],
            rules: Vec::new(),
            topic: String::new(),
            says: String::new(),
            ask: String::new(),
            answer,
            refused: None,
        };
        let answer = |answer| AnswerNote {
            answer,
            by: String::new(),
            on: String::new(),
            expires: String::new(),
            note: String::new(),
        };
        assert_eq!(state("C10", &[], &[], &[question(None)]), ClauseStateV1::Question);
        let fulfilled = [question(Some(answer("fulfilled")))];
        assert_eq!(state("C10", &[outcome("AA413", RuleResult::Pass)], &[], &fulfilled), ClauseStateV1::Answered);
        assert_eq!(state("C10", &[], &[], &[question(Some(answer("not-fulfilled")))]), ClauseStateV1::NotJudged);
    }

    #[test]
    fn a_clause_names_its_rules_and_the_texts_that_have_it() {
        let rules = [outcome("AA201", RuleResult::Pass), outcome("AA801", RuleResult::Pass)];
        let clauses = of(&[Platform::AzureLocal], &rules, &[], &[]);
        let c13 = clauses.iter().find(|one| one.id == "C13").unwrap();
        assert_eq!((&*c13.rules, &*c13.documents), (&["AA201".to_owned()][..], &["P-AL".to_owned()][..]));
        let preview = of(&[Platform::BareMetal], &rules, &[], &[]);
        assert!(preview.iter().all(|clause| clause.documents.is_empty()));
        assert_eq!(clauses.len(), embedded().clauses.len());
    }
}
