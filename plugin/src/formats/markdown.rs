//! `-o markdown`: a page for pull requests, the summaries of pipelines, and wikis.

use std::fmt::Write as _;

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{DocumentV1, FindingV1, OutcomeV1, ReportV1, VerdictV1};

use super::{escape, gist};
use crate::screen::report::summary::{counted, headline};
use crate::screen::wording::counting;

/// The verdict, counts, failing findings with their sources and fixes, undecided rules, and deadlines. It fits into a
/// comment on a pull request; what does not fit is counted.
pub(super) fn render(report: &ReportV1) -> String {
    let mut page = Page { text: head(report), room: MAX_CHARS };
    page.room = page.room.saturating_sub(page.text.chars().count());
    let failing: Vec<&FindingV1> = gist::failing(report).collect();
    let rows = failing.iter().map(|finding| row(report, finding));
    page.table("Findings", "| | Rule | Object | What | Source |\n|---|---|---|---|---|\n", rows, "finding");
    let unknown = report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::Unknown).map(|rule| {
        let mark = if rule.could_void { "could void support" } else { "" };
        format!("| {} | {} | {mark} |\n", name(&rule.code, &rule.slug), prose(&rule.reason))
    });
    page.table("Unknown", "| Rule | Why | |\n|---|---|---|\n", unknown, "unknown rule");
    let waived = report.findings.iter().filter_map(|finding| Some((finding, finding.waiver.as_ref()?)));
    let waived = waived.map(|(finding, waiver)| {
        let (object, until) = (code(&finding.object.short()), code(&waiver.expires));
        format!("| {} | {object} | {} | {until} |\n", name(&finding.code, &finding.slug), prose(&waiver.reason))
    });
    page.table("Waived", "| Rule | Object | Reason | Until |\n|---|---|---|---|\n", waived, "waived finding");
    let clocks = report.clocks.iter().filter(|clock| clock.days_left <= A_YEAR);
    let clocks =
        clocks.map(|clock| format!("| {} | {} | {} |\n", code(&clock.due), code(&clock.code), prose(&clock.what)));
    page.table("Deadlines", "| Day | Rule | What |\n|---|---|---|\n", clocks, "deadline");
    page.fixes(&failing);
    page.text
}

struct Page {
    text: String,
    /// The number of characters that are left.
    room: usize,
}

impl Page {
    /// Adds a table with as many rows as there is room for; an empty one is left out.
    fn table(&mut self, title: &str, heading: &str, rows: impl Iterator<Item = String>, noun: &str) {
        let mut rows = rows.peekable();
        let head = format!("\n### {title}\n\n{heading}");
        if rows.peek().is_none() || !self.push(&head, RESERVE) {
            return;
        }
        let mut left = 0;
        for row in rows {
            if left > 0 || !self.push(&row, RESERVE) {
                left += 1;
            }
        }
        if left > 0 {
            self.push(&format!("\n… and {} more.\n", counting(left, noun)), 0);
        }
    }

    /// Adds the commands that lead back, as text to copy.
    fn fixes(&mut self, failing: &[&FindingV1]) {
        let mut lines: Vec<String> = Vec::new();
        for command in failing.iter().flat_map(|finding| &finding.fix) {
            let line = text::clean(&command.printed).into_owned();
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        if lines.is_empty() || !self.push(&format!("\n### Fixes\n\n{fence}text\n"), RESERVE) {
            return;
        }
        let mut left = 0;
        for line in lines {
            if left > 0 || !self.push(&format!("{line}\n"), RESERVE + fence.len()) {
                left += 1;
            }
        }
        let more = if left > 0 { format!("\n… and {} more.\n", counting(left, "line")) } else { String::new() };
        self.push(&format!("{fence}\n{more}"), 0);
    }

    /// Adds a piece if it leaves room for `reserve` characters.
    fn push(&mut self, piece: &str, reserve: usize) -> bool {
        let count = piece.chars().count();
        let fits = count + reserve <= self.room;
        if fits {
            self.text.push_str(piece);
            self.room -= count;
        }
        fits
    }
}

fn head(report: &ReportV1) -> String {
    let sign = match report.verdict {
        VerdictV1::Outside => "❌",
        VerdictV1::Within => "✅",
        VerdictV1::Inconclusive => "❓",
    };
    let mut out = format!("## {sign} AKS Arc support policy: {}\n\n", headline(report));
    let count = |key: &str| counted(report, key);
    let passed = report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::Pass).count();
    let kubernetes = match &*report.cluster.kubernetes_version {
        "" => "unknown".to_owned(),
        version => code(version),
    };
    let texts: Vec<String> = report.policy.documents.iter().take(MAX_TEXTS).map(link).collect();
    let texts = texts.join("; ");
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "| | |\n|---|---|\n| Judged | {} as of {} |\n| Platform | {} |\n| Policy | {texts} |\n| Kubernetes | {kubernetes} |\n\
         | Findings | {} void support · {} at risk · {} not covered · {} information only · {} waived |\n\
         | Rules | {passed} passed · {} unknown · {} not observable |\n| Exit code | {} |\n| Made by | kubectl-aksarc {} |\n",
        code(&text::line(&gist::subject(report), MAX_CELL)),
        code(&report.policy.as_of),
        code(&text::line(&report.policy.platform, MAX_CELL)),
        count("voids"),
        count("at-risk"),
        count("not-covered"),
        count("info"),
        count("waived"),
        count("unknown"),
        count("not-observable"),
        report.exit_code,
        code(&text::line(&report.tool.version, MAX_CELL)),
    );
    out
}

fn row(report: &ReportV1, finding: &FindingV1) -> String {
    let mut object = code(&text::line(&finding.object.short(), MAX_CELL));
    let places: Vec<String> = finding.places.iter().take(MAX_PLACES).map(|place| code(&place.short())).collect();
    if !places.is_empty() {
        let _ = write!(object, " ({})", places.join(", "));
    }
    let mut what = prose(&finding.message);
    if let Some(author) = finding.evidence.iter().find(|evidence| !evidence.manager.is_empty()) {
        let _ = write!(what, " · by {}", code(&author.manager));
        if !author.time.is_empty() {
            let _ = write!(what, ", {}", code(&author.time));
        }
    }
    format!(
        "| {} | {} | {object} | {what} | {} |\n",
        finding.consequence.as_str(),
        name(&finding.code, &finding.slug),
        source(report, finding)
    )
}

/// The sources of a finding, each as a link to the document and, of a policy text, to its section; and its clauses.
fn source(report: &ReportV1, finding: &FindingV1) -> String {
    let links = report.links(finding);
    // Where the platform is not known each text has the section, and one name for all of them is enough.
    let mut parts: Vec<String> = Vec::new();
    for run in links.chunk_by(|a, b| !a.section.is_empty() && a.section == b.section) {
        let Some(first) = run.first() else { continue };
        let name = if first.section.is_empty() { first.title } else { first.section };
        let mut part = address(name, first.url);
        if let [_, others @ ..] = run
            && !others.is_empty()
        {
            let others: Vec<String> = others
                .iter()
                .enumerate()
                .map(|(number, other)| address(&(number + 2).to_string(), other.url))
                .collect();
            part = format!("{part} ({})", others.join(", "));
        } else if !first.section.is_empty() {
            part = format!("{}, {part}", prose(first.title));
        }
        parts.push(part);
    }
    parts.extend(finding.documents.iter().filter(|page| page.url.is_none()).map(link));
    if !finding.clauses.is_empty() {
        parts.push(code(&finding.clauses.join(" ")));
    }
    let parts = parts.join(", ");
    if parts.is_empty() { finding.basis.phrase().to_owned() } else { format!("{}: {parts}", finding.basis.phrase()) }
}

/// A link, where the address can stand between parentheses.
fn address(name: &str, url: &str) -> String {
    let name = prose(name);
    if is_address(url) { format!("[{name}]({url})") } else { name }
}

fn link(page: &DocumentV1) -> String {
    address(&page.title, page.url.as_deref().unwrap_or_default())
}

/// Whether a text is an address that can stand between parentheses.
fn is_address(url: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@!$&'*+,;=%".contains(c);
    url.starts_with("https://") && url.chars().all(plain)
}

fn name(code: &str, slug: &str) -> String {
    format!("{} {}", escape::markdown(code), escape::markdown(slug))
}

fn prose(sentence: &str) -> String {
    escape::markdown(&text::line(sentence, MAX_CELL))
}

fn code(value: &str) -> String {
    escape::code(&text::line(value, MAX_CELL))
}

/// A comment on a pull request has at most so many characters.
const MAX_CHARS: usize = 65_536;

/// The room that is kept for the count of what is left out.
const RESERVE: usize = 200;

/// The longest text of a cell, in bytes.
const MAX_CELL: usize = 500;

/// Places in files of one object. One that stands in more of them is meant for several clusters.
const MAX_PLACES: usize = 3;

/// There are policy texts of four platforms.
const MAX_TEXTS: usize = 4;

/// Deadlines beyond a year are nobody's task today.
const A_YEAR: i64 = 365;
