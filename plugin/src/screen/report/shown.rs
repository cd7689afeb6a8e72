//! The findings that a report shows, and the number of the others by reason.

use aksarc_shared::verdict::report::v1::{ConsequenceV1, FindingV1, ReportV1};

use super::view::{Show, View};

/// The reason why a finding is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hidden {
    /// It is information only.
    Info,
    /// It is waived.
    Waived,
    /// `--min-weight` asks for heavier ones.
    Lighter,
    /// It is in another namespace than `--namespace`.
    Elsewhere,
    /// It is about another object than `--object`.
    Another,
}

impl Hidden {
    /// The flag that shows it, or that hides it.
    fn words(self, count: usize) -> String {
        match self {
            Hidden::Info => format!("{count} info (--show all)"),
            Hidden::Waived => format!("{count} waived (--show all)"),
            Hidden::Lighter => format!("{count} by --min-weight"),
            Hidden::Elsewhere => format!("{count} by --namespace"),
            Hidden::Another => format!("{count} by --object"),
        }
    }
}

/// The findings to show, most urgent first.
pub(super) fn shown<'r>(report: &'r ReportV1, view: &View) -> Vec<&'r FindingV1> {
    let mut findings: Vec<&FindingV1> =
        report.findings.iter().filter(|finding| why_hidden(finding, view).is_none()).collect();
    findings.sort_by_key(|finding| finding.urgency());
    findings
}

/// The numbers of findings that are not shown, by reason: `5 info (--show all), 2 by --namespace`; empty where all are
/// shown.
pub(super) fn hidden(report: &ReportV1, view: &View) -> Option<String> {
    let mut reasons: Vec<Hidden> = report.findings.iter().filter_map(|finding| why_hidden(finding, view)).collect();
    reasons.sort();
    let words: Vec<String> =
        reasons.chunk_by(|a, b| a == b).filter_map(|same| Some(same.first()?.words(same.len()))).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn why_hidden(finding: &FindingV1, view: &View) -> Option<Hidden> {
    let filter = &view.filter;
    let all = view.show == Show::All;
    if filter.namespace.as_ref().is_some_and(|namespace| *namespace != finding.object.namespace) {
        Some(Hidden::Elsewhere)
    } else if !filter.objects.is_empty() && !filter.objects.iter().any(|object| object.is_of(finding)) {
        Some(Hidden::Another)
    } else if !all && finding.waiver.is_some() {
        Some(Hidden::Waived)
    } else {
        match filter.min_weight {
            Some(least) => (finding.consequence > least).then_some(Hidden::Lighter),
            None => (!all && finding.consequence == ConsequenceV1::Info).then_some(Hidden::Info),
        }
    }
}
