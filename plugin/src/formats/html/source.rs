//! Links to the texts that a finding or a clause rests on.

use aksarc_shared::verdict::report::v1::{DocumentV1, ReportV1, SectionV1};

use super::markup::Markup;

/// Appends a document as its title with its date, and as a link where its address is known.
pub(super) fn document(page: &mut Markup, document: &DocumentV1) {
    // A saved report may hold any address: only the web's are followed.
    let address = document.url.as_deref().filter(|url| url.starts_with("https://"));
    match address {
        Some(url) => page.fill("<a href=\"{}\" rel=\"noreferrer\">", [&url]),
        None => page.own("<span>"),
    };
    page.fill("<cite>{}</cite>", [&document.title]);
    match &document.date {
        Some(date) => page.fill(" ({})", [date]),
        None => page.own(" (undated)"),
    };
    page.own(if address.is_some() { "</a>" } else { "</span>" });
    if let Some(note) = &document.note {
        page.fill(" <span class=\"remark\">{}</span>", [note]);
    }
}

/// Appends a section with its clauses and the policy texts that have it.
pub(super) fn section(page: &mut Markup, section: &SectionV1, report: &ReportV1) {
    for clause in &section.clauses {
        match report.clauses.iter().position(|known| known.id == *clause) {
            Some(at) => page.fill("<a class=\"code\" href=\"#clause-{}\">{}</a> ", [&at, clause]),
            None => page.fill("<span class=\"code\">{}</span> ", [clause]),
        };
    }
    page.text(&section.section);
    for id in &section.documents {
        if let Some(text) = report.policy.documents.iter().find(|text| text.id == *id) {
            page.own(", ");
            document(page, text);
        }
    }
}
