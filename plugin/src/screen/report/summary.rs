//! Parts of a report that several formats show.

use aksarc_shared::finding::{Basis, Consequence, Finding};
use aksarc_shared::rules::catalogue;
use aksarc_shared::verdict::report::{Report, VerdictWord};

use super::view::Show;

/// Findings to show, in the report's order.
pub(super) fn shown(report: &Report, show: Show) -> Vec<&Finding> {
    let wanted = |finding: &&Finding| {
        show == Show::All || (finding.waiver.is_none() && finding.consequence != Consequence::Info)
    };
    report.findings.iter().filter(wanted).collect()
}

/// The policy texts, each as `"Support policies for AKS on Azure Local" of 2025-06-26`.
pub(super) fn texts(report: &Report) -> Vec<String> {
    let each = report.policy.documents.iter().map(|document| match document.date {
        Some(date) => format!("\"{}\" of {date}", document.title),
        None => format!("\"{}\" (undated)", document.title),
    });
    each.collect()
}

/// The number of rules that `--only` and `--skip` left out: a verdict of a few is not one of all.
pub(super) fn left_out(report: &Report) -> usize {
    catalogue::ALL.len().saturating_sub(report.rules.len())
}

/// The verdict in a few words, with whose word it is; a verdict of some rules alone says so and is never `within`.
pub(super) fn headline(report: &Report) -> String {
    let word = match (report.verdict, report.verdict_basis) {
        (VerdictWord::Outside, Some(Basis::Documented(_))) => "outside, by Microsoft's retirement notice",
        (VerdictWord::Outside, Some(Basis::Derived | Basis::Operational)) => "outside, by our reading",
        (VerdictWord::Within, _) if left_out(report) > 0 => "nothing voids support",
        (verdict, _) => verdict.as_str(),
    };
    match by_some(report) {
        Some(some) => format!("{word} {some}"),
        None => word.to_owned(),
    }
}

/// `by 1 of 65 rules`, where `--only` or `--skip` left some out.
pub(super) fn by_some(report: &Report) -> Option<String> {
    report.partial.then(|| format!("by {} of {} rules", report.rules.len(), catalogue::ALL.len()))
}

/// A count of the report's summary.
pub(super) fn counted(report: &Report, key: &str) -> usize {
    report.summary.get(key).copied().unwrap_or(0)
}

/// The platforms that the cluster may be on.
pub(super) fn candidates(report: &Report) -> Vec<&str> {
    report.policy.platform.split('|').collect()
}
