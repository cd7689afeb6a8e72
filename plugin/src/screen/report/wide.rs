//! `-o wide`: one line per finding.

use std::fmt::{self, Write as _};

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::ReportV1;

use super::shown::{hidden, shown};
use super::sources;
use super::summary::{counted, headline, left_out, of_manifests};
use super::view::{Show, View};
use crate::screen::grid::Grid;
use crate::screen::style::{Paint, sign};
use crate::screen::wording::dated_page;

pub(super) fn render(report: &ReportV1, view: &View) -> Result<String, fmt::Error> {
    let (before, after) = if of_manifests(report) { ("BEFORE", "AFTER") } else { ("MUST BE", "IS") };
    let mut grid = Grid::under(
        view.look.headings,
        &["CODE", "CONSEQUENCE", "BASIS", "CLAUSES", "OBJECT", "PATH", before, after, "BY", "AT", "WAIVER", "SOURCE"],
    );
    let or_dash = |text: String| if text.is_empty() { "–".to_owned() } else { text };
    let value = |value: &Option<String>| value.as_deref().map_or_else(|| "–".to_owned(), |value| text::line(value, 60));
    let shown = shown(report, view);
    for finding in &shown {
        let author = finding.evidence.iter().find(|evidence| !evidence.manager.is_empty());
        let members = match finding.members.len() {
            0 => String::new(),
            count => format!(" ({count})"),
        };
        grid.row([
            finding.code.clone(),
            finding.consequence.as_str().to_owned(),
            match finding.documents.as_slice() {
                [] => finding.basis.as_str().to_owned(),
                pages => {
                    let pages: Vec<String> = pages.iter().map(dated_page).collect();
                    format!("{}: {}", finding.basis.as_str(), pages.join("; "))
                }
            },
            or_dash(finding.clauses.join(",")),
            format!("{}{members}", text::line(&finding.object.short(), 120)),
            or_dash(text::line(&finding.path, 120)),
            value(&finding.before),
            value(&finding.after),
            or_dash(author.map(|evidence| text::line(&evidence.manager, 60)).unwrap_or_default()),
            or_dash(author.map(|evidence| text::line(&evidence.time, 40)).unwrap_or_default()),
            or_dash(finding.waiver.as_ref().map(|waiver| text::line(&waiver.name, 60)).unwrap_or_default()),
            or_dash(sources::first(report, finding).map(|url| text::clean(url).into_owned()).unwrap_or_default()),
        ]);
    }
    // Lines are not cut: who asks for wide wants all of it.
    let mut out = grid.lines("", None);
    if !report.questions.is_empty() && matches!(view.show, Show::All | Show::Questions) {
        let mut questions =
            Grid::under(view.look.headings, &["QUESTION", "RULES", "ABOUT", "ANSWER", "BY", "UNTIL", "ASK"]);
        for question in &report.questions {
            let answer = question.answer.as_ref();
            questions.row([
                question.clauses.join(","),
                or_dash(question.rules.join(",")),
                text::line(&question.topic, 60),
                answer.map_or_else(|| "–".to_owned(), |answer| text::line(&answer.answer, 40)),
                or_dash(answer.map(|answer| text::line(&answer.by, 60)).unwrap_or_default()),
                or_dash(answer.map(|answer| text::line(&answer.expires, 40)).unwrap_or_default()),
                text::line(question.refused.as_ref().unwrap_or(&question.ask), 200),
            ]);
        }
        out.push('\n');
        out.push_str(&questions.lines("", None));
    }
    let verdict = report.verdict;
    writeln!(
        out,
        "\n{} · findings {}{} · rules unknown {}{}{} · exit {}",
        Paint::verdict(verdict, format_args!("{} {}", sign(verdict), headline(report))),
        report.findings.len(),
        hidden(report, view).map(|hidden| format!(", {} shown, hidden: {hidden}", shown.len())).unwrap_or_default(),
        counted(report, "unknown"),
        match left_out(report) {
            0 => String::new(),
            count => format!(", not run {count}"),
        },
        match report.questions.iter().filter(|question| question.answer.is_none()).count() {
            0 => String::new(),
            count => format!(" · questions {count}"),
        },
        report.exit_code
    )?;
    Ok(out)
}
