//! Parts of a report that several formats show.

use aksarc_shared::verdict::report::v1::{BasisV1, ConsequenceV1, FindingV1, InputKindV1, ReportV1, VerdictV1};

use super::view::Show;

/// Findings to show, in the report's order.
pub(super) fn shown(report: &ReportV1, show: Show) -> Vec<&FindingV1> {
    let wanted = |finding: &&FindingV1| {
        show == Show::All || (finding.waiver.is_none() && finding.consequence != ConsequenceV1::Info)
    };
    report.findings.iter().filter(wanted).collect()
}

/// The policy texts, each as `"Support policies for AKS on Azure Local" of 2025-06-26`.
pub(super) fn texts(report: &ReportV1) -> Vec<String> {
    let each = report.policy.documents.iter().map(|document| match &document.date {
        Some(date) => format!("\"{}\" of {date}", document.title),
        None => format!("\"{}\" (undated)", document.title),
    });
    each.collect()
}

/// The number of rules that `--only` and `--skip` left out: a verdict of a few is not one of all.
pub(super) fn left_out(report: &ReportV1) -> usize {
    report.catalogue.left_out
}

/// The verdict in a few words, with whose word it is; a verdict of some rules alone says so and is never `within`.
pub(crate) fn headline(report: &ReportV1) -> String {
    let word = match (report.verdict, report.verdict_basis) {
        (VerdictV1::Outside, Some(BasisV1::Documented)) => "outside, by Microsoft's retirement notice",
        (VerdictV1::Outside, Some(BasisV1::Derived | BasisV1::Operational)) => "outside, by our reading",
        (VerdictV1::Within, _) if left_out(report) > 0 => "nothing voids support",
        (verdict, _) => verdict.as_str(),
    };
    match by_some(report) {
        Some(some) => format!("{word} {some}"),
        None => word.to_owned(),
    }
}

/// `of the rules asked, 1 of 65`, where `--only` or `--skip` left some out.
pub(super) fn by_some(report: &ReportV1) -> Option<String> {
    report.partial.then(|| format!("of the rules asked, {} of {}", report.rules.len(), report.catalogue.rules))
}

/// A count of the report's summary.
pub(super) fn counted(report: &ReportV1, key: &str) -> usize {
    report.summary.get(key).copied().unwrap_or(0)
}

/// The platforms that the cluster may be on.
pub(super) fn candidates(report: &ReportV1) -> Vec<&str> {
    report.policy.platforms.iter().map(String::as_str).collect()
}

/// Whether manifests were judged, and no state.
pub(super) fn of_manifests(report: &ReportV1) -> bool {
    report.input.kind == InputKindV1::Manifests
}
