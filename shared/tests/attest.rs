//! People's answers settle questions on which the cluster shows nothing, and never outweigh a finding.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::facts::answers;
use aksarc_shared::finding::Consequence;
use aksarc_shared::k8s::read::json;
use aksarc_shared::rules::catalogue;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::{Report, RuleOutcome, RuleResult, ToolVersion, VerdictWord};

const MOC: &str =
    r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"moc-l7x2"},"spec":{"providerID":"moc://edge-1-p-md-a-b"}}"#;
const FOREIGN: &str = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"spare-pc"},"spec":{}}"#;

fn check(codes: &[&str], answers: &str, nodes: &[&str]) -> Report {
    let rules = codes.iter().map(|code| catalogue::find(code).unwrap()).collect();
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let file = format!("apiVersion: aksarc.dev/v1alpha1\nkind: AttestationList\nitems:\n{answers}");
    let attestations = answers::parse(&file).unwrap();
    let params = Params { platform: Some(Platform::AzureLocal), rules, attestations, ..Params::at(now) };
    let mut check = Check::new(embedded(), params);
    for key in check.plan_first() {
        let mut segment = check.segment(&key);
        if key.kind.kind == "Node" {
            for node in nodes {
                segment.object(&json::object(node.as_bytes()).unwrap());
            }
        }
        check.complete(segment);
    }
    check.finish(ToolVersion::default(), "", "").unwrap()
}

fn outcome<'r>(report: &'r Report, code: &str) -> &'r RuleOutcome {
    report.rules.iter().find(|rule| rule.code == code).unwrap()
}

#[test]
fn a_good_answer_passes_a_rule_that_sees_nothing_and_says_on_whose_word() {
    let report = check(&["AA604"], "- {clause: C35, answer: fulfilled, by: alice, on: 2026-05-20}", &[]);
    let rule = outcome(&report, "AA604");
    assert_eq!((rule.outcome, &*rule.reason), (RuleResult::Pass, "attested by alice on 2026-05-20 (C35)"));
    assert_eq!(report.summary["not-observable"], 0);
    let clock = &report.clocks[0];
    assert_eq!((&*clock.due, clock.days_left, &*clock.code), ("2026-07-19", 48, "AA604"));
    let question = report.questions.iter().find(|question| question.clauses[0] == "C35").unwrap();
    let answer = question.answer.as_ref().unwrap();
    assert_eq!((answer.answer, &*answer.expires), ("fulfilled", "2026-07-19T00:00:00Z"));
}

#[test]
fn without_an_answer_that_counts_the_question_stays_open_and_says_why() {
    for (answers, why) in [
        ("", None),
        ("- {clause: C35, answer: open}", None),
        ("- {clause: C35, answer: fulfilled, on: 2026-05-20}", Some("nobody signed it")),
        ("- {clause: C35, answer: fulfilled, by: alice, on: 2026-01-20}", Some("it ended at")),
        ("- {clause: C35, answer: not-fulfilled, by: alice, on: 2026-06-02}", Some("still to come")),
    ] {
        let report = check(&["AA604"], answers, &[]);
        assert_eq!(outcome(&report, "AA604").outcome, RuleResult::NotObservable, "{answers}");
        assert_eq!((report.findings.len(), report.clocks.len()), (0, 0), "{answers}");
        let question = report.questions.iter().find(|question| question.clauses[0] == "C35").unwrap();
        assert_eq!(question.answer, None, "{answers}");
        let refused = question.refused.as_deref();
        assert_eq!(refused.is_some(), why.is_some(), "{answers}");
        assert!(why.is_none_or(|why| refused.unwrap().contains(why)), "{refused:?}");
    }
}

#[test]
fn a_bad_answer_is_one_finding_of_the_rule_that_is_there_for_it() {
    let report = check(
        &["AA401", "AA413", "AA604"],
        "- {clause: C10, answer: not-fulfilled, by: bob, on: 2026-05-20, note: memory raised in Hyper-V}",
        &[MOC],
    );
    assert_eq!(report.verdict, VerdictWord::Outside);
    let [finding] = &*report.findings else { panic!("{:?}", report.findings) };
    assert_eq!(
        (finding.code.as_str(), finding.consequence, &*finding.path),
        ("AA413", Consequence::Voids, "attestation[C10]")
    );
    assert_eq!((&*finding.object.kind, &*finding.evidence[0].manager), ("Cluster", "bob"));
    assert_eq!(finding.evidence[0].detail, "memory raised in Hyper-V");
}

#[test]
fn a_finding_stays_whatever_people_answer() {
    let report = check(&["AA401"], "- {clause: C10, answer: fulfilled, by: bob, on: 2026-05-20}", &[MOC, FOREIGN]);
    assert_eq!(outcome(&report, "AA401").outcome, RuleResult::Violated);
    assert_eq!(report.findings[0].object.name, "spare-pc");
    // A rule that lacks data is not decided by people either.
    let report = check(&["AA401"], "- {clause: C10, answer: fulfilled, by: bob, on: 2026-05-20}", &[]);
    assert_eq!(outcome(&report, "AA401").outcome, RuleResult::Unknown);
}
