//! `-o github`: annotations of GitHub Actions, one per line of the log. The Markdown page goes to the step's summary.

use std::fmt::Write as _;

use aksarc_shared::verdict::report::v1::{ConsequenceV1, FindingV1, OutcomeV1, PlaceV1, ReportV1};

use super::{escape, gist};
use crate::screen::report::summary::headline;
use crate::screen::wording::counting;

/// The heaviest findings as errors and warnings, undecided rules that the verdict hangs on as warnings, and a line with
/// the verdict.
pub(super) fn render(report: &ReportV1) -> String {
    let mut out = String::new();
    let (errors, mut warnings): (Vec<_>, Vec<_>) =
        gist::failing(report).partition(|finding| finding.consequence == ConsequenceV1::Voids);
    // What is merely not covered is no warning.
    warnings.retain(|finding| finding.consequence == ConsequenceV1::AtRisk);
    let count = errors.iter().map(|finding| finding.places.len().max(1)).sum();
    let lines = errors.iter().flat_map(|finding| annotations("error", finding));
    push(&mut out, lines, count, "findings that void support");
    let open = |rule: &&_| is_open(rule);
    let unknown = report.rules.iter().filter(open).map(|rule| {
        let title = escape::github_property(&format!("{} {} is unknown", rule.code, rule.slug));
        format!("::warning title={title}::{}", escape::github(&rule.reason))
    });
    let count = warnings.iter().map(|finding| finding.places.len().max(1)).sum::<usize>();
    let count = report.rules.iter().filter(open).count() + count;
    let lines = unknown.chain(warnings.iter().flat_map(|finding| annotations("warning", finding)));
    push(&mut out, lines, count, "warnings");
    let cluster = gist::subject(report);
    let words = format!("kubectl-aksarc: {cluster}: {} (exit code {})", headline(report), report.exit_code);
    // Writing to a string does not fail.
    let _ = writeln!(out, "{}", escape::github(&words));
    out
}

/// Adds as many annotations as GitHub shows of one kind and step, and says how many there are in all.
fn push(out: &mut String, lines: impl Iterator<Item = String>, count: usize, what: &str) {
    for line in lines.take(SHOWN) {
        out.push_str(&line);
        out.push('\n');
    }
    if count > SHOWN {
        let all = counting(count, "finding").replace("findings", what);
        let _ = writeln!(out, "::notice title=kubectl-aksarc::{all} in all; the summary of this step lists them");
    }
}

/// The annotations of a finding: one on each line of a file that it is about, or one on no file.
fn annotations(kind: &str, finding: &FindingV1) -> Vec<String> {
    let title = escape::github_property(&format!("{} {}", finding.code, finding.slug));
    let words = format!("{}: {}", escape::github(&finding.object.short()), escape::github(&finding.message));
    let on_line = |place: &PlaceV1| {
        let (file, PlaceV1 { line, column, .. }) = (escape::github_property(&place.file), place);
        format!("::{kind} file={file},line={line},col={column},title={title}::{words}")
    };
    if finding.places.is_empty() {
        return vec![format!("::{kind} title={title}::{words}")];
    }
    finding.places.iter().map(on_line).collect()
}

/// Whether a rule is undecided and could void support.
fn is_open(rule: &aksarc_shared::verdict::report::v1::RuleV1) -> bool {
    rule.outcome == OutcomeV1::Unknown && rule.could_void
}

/// GitHub shows ten errors and ten warnings of a step.
const SHOWN: usize = 10;
