//! The HTML page of a report: one file without scripts, pictures or fonts from elsewhere, for a browser and for paper.
//!
//! The page is made of a [`ReportV1`] alone, and the same report gives the same bytes. Its policy for browsers allows
//! nothing but its own style sheet, by its hash.

mod case;
mod clauses;
mod deadlines;
mod document;
mod evidence;
mod findings;
mod fixes;
mod made;
mod markup;
mod source;
mod tone;
mod unseen;
mod verdict;
mod waivers;

use aksarc_shared::verdict::report::v1::ReportV1;

pub use case::case_page;

use markup::Markup;

/// A report as a page.
pub fn page(report: &ReportV1) -> String {
    let parts: [(&'static str, &'static str, Markup); 7] = [
        ("clauses", "Policy", clauses::map(report)),
        ("deadlines", "Deadlines", deadlines::part(report)),
        ("findings", "Findings", findings::part(report)),
        ("unseen", "Not decided, not seen", unseen::part(report)),
        ("waivers", "Waivers", waivers::part(report)),
        ("every-clause", "Clause by clause", clauses::table(report)),
        ("made", "How this was made", made::part(report)),
    ];
    let mut page = Markup::default();
    page.add(&verdict::part(report));
    page.own("<nav class=\"parts\" aria-label=\"Parts of this report\"><ul>");
    for (id, words, part) in &parts {
        if !part.is_empty() {
            page.own("<li><a href=\"#").own(id).own("\">").own(words).own("</a></li>");
        }
    }
    page.own("</ul></nav>");
    for (_, _, part) in &parts {
        page.add(part);
    }
    document::whole(&verdict::title(report), &page, report)
}

#[cfg(test)]
mod tests;
