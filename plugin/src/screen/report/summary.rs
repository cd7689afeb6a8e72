//! Parts of a report that several formats show.

use crate::screen::wording::{Typography, number};
use aksarc_shared::verdict::report::v1::{BasisV1, ClockV1, InputKindV1, OutcomeV1, ReportV1, Urgency, VerdictV1};

/// The policy texts, each as `"Support policies for AKS on Azure Local" of 2025-06-26`.
pub(crate) fn texts(report: &ReportV1, typography: Typography) -> Vec<String> {
    let (open, close) = typography.quotes;
    let each = report.policy.documents.iter().map(|document| match &document.date {
        Some(date) => format!("{open}{}{close} of {date}", document.title),
        None => format!("{open}{}{close} (undated)", document.title),
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
pub(crate) fn by_some(report: &ReportV1) -> Option<String> {
    report.partial.then(|| format!("of the rules asked, {} of {}", report.rules.len(), report.catalogue.rules))
}

/// A count of the report's summary.
pub(crate) fn counted(report: &ReportV1, key: &str) -> usize {
    report.summary.get(key).copied().unwrap_or(0)
}

/// The platforms that the cluster may be on.
pub(crate) fn candidates(report: &ReportV1) -> Vec<&str> {
    report.policy.platforms.iter().map(String::as_str).collect()
}

/// Whether manifests were judged, and no state.
pub(crate) fn of_manifests(report: &ReportV1) -> bool {
    report.input.kind == InputKindV1::Manifests
}

/// The unwaived findings in numbers: `11 void support`, `2 at risk`; those among them that are about what does not work now.
pub(super) fn findings_counted(report: &ReportV1) -> Vec<String> {
    let mut counts = Vec::new();
    for (key, one, many) in [
        ("voids", "voids support", "void support"),
        ("at-risk", "at risk", "at risk"),
        ("not-covered", "not covered", "not covered"),
        ("info", "info", "info"),
        ("waived", "waived", "waived"),
    ] {
        match counted(report, key) {
            0 => {}
            1 => counts.push(format!("1 {one}")),
            count => counts.push(format!("{} {many}", number(count))),
        }
    }
    let broken = report.findings.iter().filter(|finding| finding.urgency() == Urgency::BrokenNow).count();
    if broken > 0 {
        counts.push(format!("{broken} of them broken now"));
    }
    counts
}

/// The rules in numbers: each is in one of them.
pub(super) fn rules_counted(report: &ReportV1) -> Vec<String> {
    let of = |outcome: OutcomeV1| report.rules.iter().filter(|rule| rule.outcome == outcome).count();
    let could_void = report.rules.iter().filter(|rule| rule.could_void).count();
    let needs_cluster = report.rules.iter().filter(|rule| rule.needs_cluster).count();
    let unknown = match could_void {
        0 => "unknown".to_owned(),
        count => format!("unknown, {count} of which could void support"),
    };
    let mut counts = vec![format!("{} ok", of(OutcomeV1::Pass))];
    for (count, words) in [
        (of(OutcomeV1::Violated), "with findings"),
        (of(OutcomeV1::Waived), "waived"),
        (of(OutcomeV1::Unknown), &*unknown),
        (of(OutcomeV1::NotObservable), "not observable"),
        (of(OutcomeV1::NotApplicable).saturating_sub(needs_cluster), "not applicable"),
        (left_out(report) + needs_cluster, "not run"),
    ] {
        if count > 0 {
            counts.push(format!("{count} {words}"));
        }
    }
    counts
}

/// A deadline, and those that come true in its place if the cluster is on another platform or host than the first is for.
pub(super) struct Deadline<'r> {
    /// The soonest.
    pub(super) first: &'r ClockV1,
    /// The others, soonest first.
    pub(super) others: Vec<&'r ClockV1>,
}

/// The deadlines within `most` days, soonest first, each event once.
pub(super) fn deadlines(report: &ReportV1, most: i64) -> Vec<Deadline<'_>> {
    let mut deadlines: Vec<Deadline<'_>> = Vec::new();
    for clock in report.clocks.iter().filter(|clock| clock.days_left <= most) {
        let same = |known: &&mut Deadline<'_>| {
            !clock.subject.is_empty() && known.first.subject == clock.subject && known.first.code == clock.code
        };
        match deadlines.iter_mut().find(same) {
            Some(known) => known.others.push(clock),
            None => deadlines.push(Deadline { first: clock, others: Vec::new() }),
        }
    }
    deadlines
}

/// Five years: whoever plans that far ahead asks for it with `--show all` or `--show deadlines`.
pub(super) const FAR_DAYS: i64 = 5 * 366;
