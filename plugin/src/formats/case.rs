//! The case page: what a support engineer asks first about a cluster, in the order of a support request.
//!
//! It is made of a [`ReportV1`] alone. What the report does not know is named, with the command that tells it.

mod cluster;
mod item;
mod needed;
mod terminal;

use std::fmt::Write as _;

use aksarc_shared::verdict::report::v1::{EvidenceV1, FindingV1, ReportV1, VerdictV1};

use item::fact;
pub use item::{CaseChange, CaseItem, CasePart};

use super::escape::{code, markdown};
use super::words::{moment, place};
use crate::screen::report::summary::{by_some, counted, texts};
use crate::screen::wording::TYPOGRAPHIC;

/// The case page of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The heading, which names the cluster.
    pub title: String,
    /// The parts in their order.
    pub parts: Vec<CasePart>,
}

impl Case {
    /// The case page of a report.
    pub fn of(report: &ReportV1) -> Self {
        let parts = [
            CasePart { heading: "Request", items: request(report) },
            CasePart { heading: "Cluster", items: cluster::items(report) },
            CasePart { heading: "Changes", items: changes(report) },
            CasePart { heading: "Open questions", items: questions(report) },
            CasePart { heading: "Waivers", items: waivers(report) },
            CasePart { heading: "What support will ask for", items: needed::items(report) },
        ];
        Case { title: format!("Support case: {}", place(report)), parts: parts.into() }
    }

    /// The page as Markdown, which is also to be read as it is.
    pub fn markdown(&self) -> String {
        let mut page = format!("# {}\n", markdown(&self.title));
        for part in &self.parts {
            // Writing to a string does not fail.
            let _ = write!(page, "\n## {}\n\n", part.heading);
            for item in &part.items {
                line(&mut page, item);
            }
        }
        page
    }
}

fn line(page: &mut String, item: &CaseItem) {
    let _ = match item {
        CaseItem::Fact { label, value } => writeln!(page, "- {label}: {}", markdown(value)),
        CaseItem::NotKnown { label, ask, command: None } => writeln!(page, "- {label}: not known. {ask}"),
        CaseItem::NotKnown { label, ask, command: Some(command) } => {
            writeln!(page, "- {label}: not known. {ask}: `{command}`")
        }
        CaseItem::Remark(words) => writeln!(page, "- {}", markdown(words)),
        CaseItem::Command { purpose, line } => writeln!(page, "- {purpose}: `{line}`"),
        CaseItem::Change(change) => {
            let at = if change.at.is_empty() { "time not known" } else { &*change.at };
            let by = if change.by.is_empty() { "somebody not known".to_owned() } else { code(&change.by) };
            let value = |value: &Option<String>, none: &str| value.as_deref().map_or_else(|| none.to_owned(), code);
            let what = [&change.object, &change.field].map(|word| code(word));
            let _ = writeln!(page, "- {}, by {by}: {}", markdown(at), what.join(" ").trim_end());
            let before = value(&change.before, CaseChange::NO_BEFORE);
            let after = value(&change.after, change.no_after());
            let _ = writeln!(page, "  - before: {before}; now: {after}");
            writeln!(page, "  - {}; {}", markdown(&change.now), markdown(&change.rule))
        }
    };
}

/// The subject of the page.
fn request(report: &ReportV1) -> Vec<CaseItem> {
    let verdict = match report.verdict {
        VerdictV1::Outside => "outside",
        VerdictV1::Inconclusive => "inconclusive",
        VerdictV1::Within if report.partial => "nothing voids support",
        VerdictV1::Within => "within",
    };
    let some = by_some(report).map(|some| format!(" {some}")).unwrap_or_default();
    let basis = report.verdict_basis.map(|basis| format!(" ({})", basis.phrase())).unwrap_or_default();
    let texts = texts(report, TYPOGRAPHIC);
    let texts = if texts.is_empty() { "no policy text".to_owned() } else { texts.join("; ") };
    let counts: Vec<String> =
        [("voids", "void support"), ("at-risk", "at risk"), ("not-covered", "not covered"), ("waived", "waived")]
            .into_iter()
            .map(|(key, words)| format!("{} {words}", counted(report, key)))
            .collect();
    vec![
        fact("Verdict", format!("{verdict}{some}{basis}")),
        fact("Against", texts),
        fact("Findings", counts.join(", ")),
        fact("Judged as of", &*report.policy.as_of),
        fact(
            "Checked by",
            format!("kubectl-aksarc {} {}", report.tool.version, report.tool.commit).trim_end().to_owned(),
        ),
    ]
}

/// The changes that people made, latest first, followed by the findings without a trace of their author.
fn changes(report: &ReportV1) -> Vec<CaseItem> {
    let mut changes: Vec<CaseChange> =
        report.findings.iter().filter(|finding| is_change(finding)).map(CaseChange::of).collect();
    // Times in UTC of one form sort as text; those without a time come last.
    changes.sort_by(|a, b| b.at.cmp(&a.at));
    let left_out = changes.len().saturating_sub(MAX_CHANGES);
    let mut items: Vec<CaseItem> = changes.into_iter().take(MAX_CHANGES).map(CaseItem::Change).collect();
    if left_out > 0 {
        items.push(CaseItem::Remark(format!("and {left_out} more, all in the JSON report")));
    }
    if items.is_empty() {
        items.push(CaseItem::Remark("The check found no change that somebody made.".to_owned()));
    }
    items
}

/// Whether a finding is about something that somebody did: it names a field, or who wrote it.
fn is_change(finding: &FindingV1) -> bool {
    author(finding).is_some() || !finding.path.is_empty() && (finding.before.is_some() || finding.after.is_some())
}

fn author(finding: &FindingV1) -> Option<&EvidenceV1> {
    finding.evidence.iter().find(|evidence| !evidence.manager.is_empty())
}

impl CaseChange {
    fn of(finding: &FindingV1) -> Self {
        let author = author(finding);
        let time = author.map_or("", |evidence| &*evidence.time);
        let consequence = finding.consequence.as_str();
        let waived = if finding.waiver.is_some() { ", waived" } else { "" };
        CaseChange {
            object: finding.object.short(),
            field: finding.path.clone(),
            at: if time.is_empty() { String::new() } else { moment(time) },
            by: author.map(|evidence| evidence.manager.clone()).unwrap_or_default(),
            before: finding.before.clone(),
            after: finding.after.clone(),
            now: finding.message.clone(),
            rule: format!("{} {}, {consequence}{waived}", finding.code, finding.slug),
        }
    }
}

/// The open questions to people, followed by the answered ones.
fn questions(report: &ReportV1) -> Vec<CaseItem> {
    let mut items = Vec::new();
    for question in &report.questions {
        let about = format!("{} {}", question.clauses.join(" "), question.topic);
        items.push(CaseItem::Remark(match &question.answer {
            None => format!("{about}: open. {}", question.ask.replace('`', "")),
            Some(answer) => format!("{about}: {} by {} on {}", answer.answer, answer.by, moment(&answer.on)),
        }));
    }
    for rule in report.rules.iter().filter(|rule| rule.could_void) {
        items.push(CaseItem::Remark(format!("{} {}: not decided. {}", rule.code, rule.slug, rule.reason)));
    }
    if items.is_empty() {
        items.push(CaseItem::Remark("None.".to_owned()));
    }
    items
}

/// The waived findings, with the numbers of Microsoft's cases.
fn waivers(report: &ReportV1) -> Vec<CaseItem> {
    let mut items: Vec<CaseItem> = Vec::new();
    for waiver in report.findings.iter().filter_map(|finding| finding.waiver.as_ref()) {
        let case = waiver.support_case.as_ref().map(|case| format!(", Microsoft’s case {case}")).unwrap_or_default();
        let ticket = waiver.ticket.as_ref().map(|ticket| format!(", ticket {ticket}")).unwrap_or_default();
        let words = format!("{} until {}{case}{ticket}: {}", waiver.name, moment(&waiver.expires), waiver.reason);
        let item = CaseItem::Remark(words);
        if !items.contains(&item) {
            items.push(item);
        }
    }
    if items.is_empty() {
        items.push(CaseItem::Remark("None.".to_owned()));
    }
    items
}

/// Changes on the page. Nobody reads more of them in a case; the report holds them all.
const MAX_CHANGES: usize = 60;

#[cfg(test)]
mod tests;
