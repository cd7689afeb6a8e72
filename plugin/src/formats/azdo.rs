//! `-o azdo`: issues of an Azure Pipelines run. The Markdown page goes to a file that the run's summary takes over.

use std::fmt::Write as _;
use std::path::Path;

use aksarc_shared::verdict::report::v1::{ConsequenceV1, OutcomeV1, PlaceV1, ReportV1};

use super::{escape, gist};
use crate::screen::report::summary::headline;

/// An issue for each failing finding and each undecided rule that the verdict hangs on; the summary, if there is a file
/// for it; and a task that succeeded with issues if there are any.
///
/// The step fails by the exit code, so no line says so: `--exit-zero` would have no effect then.
pub(super) fn render(report: &ReportV1, summary: Option<&Path>) -> String {
    let mut lines = Vec::new();
    for finding in gist::failing(report) {
        let kind = if finding.consequence == ConsequenceV1::Voids { "error" } else { "warning" };
        let (code, slug) = (escape::azdo(&finding.code), escape::azdo(&finding.slug));
        let words = format!("{}: {}", escape::azdo(&finding.object.short()), escape::azdo(&finding.message));
        let on_line = |place: &PlaceV1| {
            let (file, PlaceV1 { line, column, .. }) = (escape::azdo(&place.file), place);
            format!("sourcepath={file};linenumber={line};columnnumber={column};")
        };
        let mut places: Vec<String> = finding.places.iter().map(on_line).collect();
        places.resize(places.len().max(1), String::new());
        let issue = |at: &String| format!("##vso[task.logissue type={kind};{at}code={code};]{code} {slug}: {words}");
        lines.extend(places.iter().map(issue));
    }
    for rule in report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::Unknown && rule.could_void) {
        let (code, slug) = (escape::azdo(&rule.code), escape::azdo(&rule.slug));
        let why = escape::azdo(&rule.reason);
        lines.push(format!("##vso[task.logissue type=warning;code={code};]{code} {slug} is unknown: {why}"));
    }
    let issues = lines.len();
    let mut out = String::new();
    for line in lines.iter().take(MOST) {
        out.push_str(line);
        out.push('\n');
    }
    // Writing to a string does not fail.
    if issues > MOST {
        let _ = writeln!(out, "##vso[task.logissue type=warning;]{} more issues are in the summary", issues - MOST);
    }
    let cluster = gist::subject(report);
    let words = format!("kubectl-aksarc: {cluster}: {} (exit code {})", headline(report), report.exit_code);
    let _ = writeln!(out, "{}", escape::azdo(&words));
    if let Some(path) = summary {
        let _ = writeln!(out, "##vso[task.uploadsummary]{}", escape::azdo(&path.display().to_string()));
    }
    if issues > 0 {
        let _ = writeln!(out, "##vso[task.complete result=SucceededWithIssues;]{}", escape::azdo(&headline(report)));
    }
    out
}

/// The most issues: a run with thousands of them cannot be read.
const MOST: usize = 100;
