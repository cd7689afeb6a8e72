//! `-o junit`: JUnit XML in the dialect that Jenkins, GitLab and Azure Pipelines read.
//!
//! One test case per rule of the catalogue, so that their number, and with it a chart of it over time, changes with the
//! program alone and never with the cluster. Findings are the text of their rule's test case.

use std::fmt::Write as _;

use aksarc_shared::verdict::report::v1::{FindingV1, OutcomeV1, ReportV1, RuleV1};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{escape, gist};
use crate::screen::report::summary::headline;
use crate::screen::wording::counting;

/// A suite with a test case for each rule. A rule fails if it has an unwaived finding that fails the check by
/// `--fail-on`; an undecided one is an error; waived ones and those that Kubernetes does not show are skipped.
pub(super) fn render(report: &ReportV1) -> Result<String, SerializeError> {
    let name = escape::xml(&gist::subject(report));
    let mut suite = TestSuite::new(name.clone());
    for (key, value) in [
        ("verdict", headline(report)),
        ("exitCode", report.exit_code.to_string()),
        ("failOn", report.fail_on.as_str().to_owned()),
        ("platform", report.policy.platform.clone()),
        ("kubernetesVersion", report.cluster.kubernetes_version.clone()),
        ("asOf", report.policy.as_of.clone()),
        ("version", report.tool.version.clone()),
    ] {
        suite.add_property((key, &*escape::xml(&value)));
    }
    let mut cases: Vec<(&str, TestCase)> =
        report.rules.iter().map(|rule| (&*rule.code, case(report, rule, &name))).collect();
    cases.extend(report.catalogue.skipped.iter().map(|rule| {
        let status = skipped("left out by --only or --skip");
        (&*rule.code, named(&rule.code, &rule.slug, &name, status))
    }));
    cases.sort_by_key(|(code, _)| *code);
    suite.add_test_cases(cases.into_iter().map(|(_, case)| case));
    let mut whole = Report::new("kubectl-aksarc");
    whole.add_test_suite(suite);
    // The schema of the dialect has no such count there; that of the suite stays.
    let count = format!(" skipped=\"{}\"", whole.skipped);
    whole.to_string().map(|xml| xml.replacen(&count, "", 1))
}

fn case(report: &ReportV1, rule: &RuleV1, suite: &str) -> TestCase {
    let own: Vec<&FindingV1> = report.findings.iter().filter(|finding| finding.code == rule.code).collect();
    let failing: Vec<&FindingV1> = own.iter().copied().filter(|finding| fails(report, finding)).collect();
    let status = match rule.outcome {
        _ if !failing.is_empty() => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let weight = failing.iter().map(|finding| finding.consequence).min();
            status.set_type(weight.map_or("", |weight| weight.as_str()));
            status.set_message(format!("{}: {}", escape::xml(&rule.summary), counting(failing.len(), "finding")));
            status.set_description(texts(&failing));
            status
        }
        // Skipped is green on most pages, and unknown is no pass.
        OutcomeV1::Unknown => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type(if rule.could_void { "could-void" } else { "unknown" });
            status.set_message(format!("unknown: {}", escape::xml(&rule.reason)));
            status
        }
        OutcomeV1::NotObservable => skipped(&asked(report, rule)),
        OutcomeV1::NotApplicable => skipped(&format!("does not apply: {}", rule.reason)),
        OutcomeV1::Waived => {
            let waivers: Vec<String> = own
                .iter()
                .filter_map(|finding| finding.waiver.as_ref())
                .map(|waiver| format!("waived by {} until {}: {}", waiver.name, waiver.expires, waiver.reason))
                .collect();
            skipped(&waivers.join("; "))
        }
        OutcomeV1::Pass | OutcomeV1::Violated => TestCaseStatus::success(),
    };
    let mut case = named(&rule.code, &rule.slug, suite, status);
    let lighter: Vec<&FindingV1> = own.into_iter().filter(|finding| !fails(report, finding)).collect();
    if !lighter.is_empty() {
        case.set_system_out(texts(&lighter));
    }
    case
}

/// Whether a finding fails the check: the exit code is 3 or 4 exactly if there is one.
fn fails(report: &ReportV1, finding: &FindingV1) -> bool {
    finding.waiver.is_none() && finding.consequence <= report.fail_on
}

fn named(code: &str, slug: &str, suite: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(escape::xml(&format!("{code} {slug}")), status);
    case.set_classname(format!("aksarc.{suite}"));
    case
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(escape::xml(why));
    status
}

/// The question that decides a rule, with who can answer it.
fn asked(report: &ReportV1, rule: &RuleV1) -> String {
    let question = report.questions.iter().find(|question| question.rules.contains(&rule.code));
    match question {
        Some(question) => format!("Kubernetes does not show this: {}. Ask: {}", question.topic, question.ask),
        None => format!("Kubernetes does not show this: {}", rule.reason),
    }
}

/// Findings as text, one paragraph each.
fn texts(findings: &[&FindingV1]) -> String {
    let mut out = String::new();
    for finding in findings.iter().take(MOST) {
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "{} ({}, {}): {}",
            escape::xml(&finding.object_and_places()),
            finding.consequence.as_str(),
            finding.basis.phrase(),
            escape::xml(&finding.message)
        );
        if let Some(waiver) = &finding.waiver {
            let (name, reason) = (escape::xml(&waiver.name), escape::xml(&waiver.reason));
            let _ = writeln!(out, "  waived by {name} until {}: {reason}", escape::xml(&waiver.expires));
        }
        for command in &finding.fix {
            let _ = writeln!(out, "  fix: {}", escape::xml(&command.printed));
        }
    }
    if let Some(more) = findings.len().checked_sub(MOST).filter(|more| *more > 0) {
        let _ = writeln!(out, "… and {} more", counting(more, "finding"));
    }
    out
}

/// The most findings in the text of one test case: pages show it whole.
const MOST: usize = 100;
