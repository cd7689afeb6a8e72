//! The case page as HTML, in the frame of the report's page.

use aksarc_shared::verdict::report::v1::ReportV1;

use super::document;
use super::markup::Markup;
use crate::formats::case::{Case, CaseChange, CaseItem};

/// The case page of a report.
pub fn case_page(report: &ReportV1) -> String {
    let case = Case::of(report);
    let mut page = Markup::default();
    page.own("<header class=\"plain\">");
    page.fill("<p class=\"kicker\">AKS Arc support check <span>as of {}</span></p>", [&report.policy.as_of]);
    page.fill("<h1><span class=\"rest\">{}</span></h1></header>", [&case.title]);
    for part in &case.parts {
        page.fill("<section><h2>{}</h2>", [&part.heading]);
        for run in part.items.chunk_by(|a, b| List::of(a) == List::of(b)) {
            match run.first().map(List::of) {
                Some(List::Changes) => changes(run, &mut page),
                Some(List::Facts) => facts(run, &mut page),
                Some(List::Remarks) | None => remarks(run, &mut page),
            }
        }
        page.own("</section>");
    }
    document::whole(&case.title, &page, report)
}

/// The list that an item stands in: neighbours of one sort share one.
#[derive(PartialEq, Eq)]
enum List {
    Changes,
    Facts,
    Remarks,
}

impl List {
    fn of(item: &CaseItem) -> Self {
        match item {
            CaseItem::Change(_) => List::Changes,
            CaseItem::Fact { .. } | CaseItem::NotKnown { .. } => List::Facts,
            CaseItem::Command { .. } | CaseItem::Remark(_) => List::Remarks,
        }
    }
}

fn facts(run: &[CaseItem], page: &mut Markup) {
    page.own("<dl class=\"case\">");
    for item in run {
        match item {
            CaseItem::Fact { label, value } => {
                page.fill("<div><dt>{}</dt><dd>{}</dd></div>", [label, value]);
            }
            CaseItem::NotKnown { label, ask, command } => {
                page.fill("<div><dt>{}</dt><dd><b>not known</b> <span class=\"remark\">{}</span>", [label, ask]);
                if let Some(command) = command {
                    page.fill("<pre><code>{}</code></pre>", [command]);
                }
                page.own("</dd></div>");
            }
            _ => {}
        }
    }
    page.own("</dl>");
}

fn remarks(run: &[CaseItem], page: &mut Markup) {
    page.own("<ul class=\"remarks\">");
    for item in run {
        match item {
            CaseItem::Remark(words) => {
                page.fill("<li>{}</li>", [words]);
            }
            CaseItem::Command { purpose, line } => {
                page.fill("<li>{}<pre><code>{}</code></pre></li>", [purpose, line]);
            }
            _ => {}
        }
    }
    page.own("</ul>");
}

fn changes(run: &[CaseItem], page: &mut Markup) {
    page.own("<ul class=\"rows changes\">");
    for item in run {
        if let CaseItem::Change(change) = item {
            one(change, page);
        }
    }
    page.own("</ul>");
}

fn one(change: &CaseChange, page: &mut Markup) {
    let told = |word: &str, none: &'static str| if word.is_empty() { none.to_owned() } else { word.to_owned() };
    page.fill(
        "<li><p><b>{}</b><br>by <span class=\"who\">{}</span></p>",
        [&told(&change.at, "time not known"), &told(&change.by, "somebody not known")],
    );
    page.fill("<div><p><code>{}</code> <code>{}</code></p>", [&change.object, &change.field]);
    page.own("<dl class=\"field\"><div><dt>Before</dt><dd>");
    match &change.before {
        Some(value) => page.fill("<code>{}</code>", [value]),
        None => page.fill("<i>{}</i>", [&CaseChange::NO_BEFORE]),
    };
    page.own("</dd></div><div><dt>Now</dt><dd>");
    match &change.after {
        Some(value) => page.fill("<code>{}</code>", [value]),
        None => page.fill("<i>{}</i>", [&change.no_after()]),
    };
    page.fill("</dd></div></dl><p>{}</p><p class=\"remark\">{}</p></div></li>", [&change.now, &change.rule]);
}
