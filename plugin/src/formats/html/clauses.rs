//! The clauses of the policy with their states: a map at the top of the page, and a table further down.

use aksarc_shared::verdict::report::v1::{ClauseV1, ReportV1};

use super::markup::Markup;
use super::tone::Tone;

/// The map: a tile for each clause, by the sections of the policy text. Nothing for a report without clauses.
pub(super) fn map(report: &ReportV1) -> Markup {
    let mut page = Markup::default();
    if report.clauses.is_empty() {
        return page;
    }
    page.own("<section id=\"clauses\" aria-labelledby=\"clauses-title\"><h2 id=\"clauses-title\">The policy at a glance</h2>");
    legend(report, &mut page);
    page.own("<div class=\"map\">");
    for section in by_section(&report.clauses) {
        let Some((_, first)) = section.first() else { continue };
        page.fill("<div class=\"group\"><h3>{}</h3><ul class=\"tiles\">", [&first.section]);
        for (at, clause) in section {
            let tone = Tone::from(clause.state);
            page.own("<li><a class=\"tile ").own(tone.class()).fill("\" href=\"#clause-{}\">", [&at]);
            tone.sign(&mut page);
            page.fill("{}<span class=\"unseen\">: ", [&clause.id]).own(tone.words()).own("</span></a></li>");
        }
        page.own("</ul></div>");
    }
    page.own("</div></section>");
    page
}

/// The signs that occur, each with its words and the number of clauses.
fn legend(report: &ReportV1, page: &mut Markup) {
    let mut tones: Vec<Tone> = report.clauses.iter().map(|clause| Tone::from(clause.state)).collect();
    tones.sort();
    let counted = tones.chunk_by(|a, b| a == b).filter_map(|same| Some((*same.first()?, same.len())));
    page.own("<ul class=\"legend\" aria-label=\"Clauses by what became of them\">");
    for (tone, count) in counted {
        page.own("<li class=\"").own(tone.class()).own("\">");
        tone.sign(page);
        page.fill("<b>{}</b> ", [&count]).own(tone.words()).own("</li>");
    }
    page.own("</ul>");
}

/// The table: each clause in our words, with a mark in the column of its state. Nothing for a report without clauses.
pub(super) fn table(report: &ReportV1) -> Markup {
    let mut page = Markup::default();
    if report.clauses.is_empty() {
        return page;
    }
    page.own("<section id=\"every-clause\" aria-labelledby=\"every-clause-title\">")
        .own("<h2 id=\"every-clause-title\">Clause by clause</h2>")
        .own("<p class=\"lead\">The policy in our words, as far as the platform’s text has it. A mark stands in the column of the ")
        .own("heaviest that is known of a clause.</p>")
        .own("<table class=\"matrix\"><thead><tr><th scope=\"col\">Clause</th><th scope=\"col\">In our words</th>");
    for (words, _) in COLUMNS {
        page.own("<th scope=\"col\" class=\"state\">").own(words).own("</th>");
    }
    page.own("</tr></thead>");
    for section in by_section(&report.clauses) {
        let Some((_, first)) = section.first() else { continue };
        page.own("<tbody><tr class=\"section\"><th scope=\"rowgroup\" colspan=\"10\">")
            .text(&first.section)
            .own("</th></tr>");
        for (at, clause) in section {
            row(at, clause, &mut page);
        }
        page.own("</tbody>");
    }
    page.own("</table></section>");
    page
}

fn row(at: usize, clause: &ClauseV1, page: &mut Markup) {
    let tone = Tone::from(clause.state);
    page.fill("<tr id=\"clause-{}\"><th scope=\"row\">{}</th><td class=\"says\">{}", [&at, &clause.id, &clause.says]);
    if !clause.rules.is_empty() {
        page.fill(" <span class=\"remark codes\">{}</span>", [&clause.rules.join(" ")]);
    }
    page.own("</td>");
    for (_, tones) in COLUMNS {
        if tones.contains(&tone) {
            page.own("<td class=\"state ").own(tone.class()).own("\">");
            tone.sign(page);
            page.own("<span class=\"state-words\">").own(tone.words()).own("</span></td>");
        } else {
            page.own("<td class=\"none\"></td>");
        }
    }
    page.own("</tr>");
}

/// The clauses with their places in the report, in groups of neighbours of one section.
fn by_section(clauses: &[ClauseV1]) -> Vec<Vec<(usize, &ClauseV1)>> {
    let placed: Vec<(usize, &ClauseV1)> = clauses.iter().enumerate().collect();
    placed.chunk_by(|(_, a), (_, b)| a.section == b.section).map(<[_]>::to_vec).collect()
}

/// The columns of the table, and the tones that have their mark there.
const COLUMNS: [(&str, &[Tone]); 8] = [
    ("Voids support", &[Tone::Violated]),
    ("At risk", &[Tone::AtRisk]),
    ("Not covered", &[Tone::NotCovered]),
    ("Unknown", &[Tone::Unknown]),
    ("Open question", &[Tone::Question]),
    ("Waived", &[Tone::Waived]),
    ("No fault seen", &[Tone::Pass, Tone::Answered]),
    ("Not judged", &[Tone::NotJudged, Tone::NotObservable, Tone::Info]),
];
