//! The section on the check itself: the input, the texts and tables, and the outcome of every rule.

use aksarc_shared::verdict::report::v1::{InputKindV1, ReportV1};

use super::markup::Markup;
use super::source;
use super::tone::Tone;
use crate::formats::words::{age, candidates, moment};
use crate::screen::wording::counting;

/// The section on the check itself.
pub(super) fn part(report: &ReportV1) -> Markup {
    let mut page = Markup::default();
    page.own("<section id=\"made\" aria-labelledby=\"made-title\"><h2 id=\"made-title\">How this was made</h2>")
        .own("<dl class=\"made\">");
    read(report, &mut page);
    page.own("<div><dt>Judged by</dt><dd>");
    if report.policy.documents.is_empty() {
        page.own("no policy text");
    }
    for (at, text) in report.policy.documents.iter().enumerate() {
        page.own(if at == 0 { "" } else { "<br>" });
        source::document(&mut page, text);
    }
    page.own("</dd></div>");
    let tables = report.policy.version_table_as_of.replace('|', ", ");
    page.fill("<div><dt>Judged as of</dt><dd>{}</dd></div>", [&report.policy.as_of]);
    if !tables.is_empty() {
        page.fill("<div><dt>Version tables of</dt><dd>{}</dd></div>", [&tables]);
    }
    page.fill(
        "<div><dt>Platform</dt><dd>{}, known by: {}</dd></div>",
        [&candidates(report), &report.policy.platform_evidence.join("; ")],
    );
    if let Some(release) = &report.policy.release {
        page.fill("<div><dt>Release of the host</dt><dd>{}</dd></div>", [release]);
    }
    page.fill(
        "<div><dt>Rules</dt><dd>{} of {}, {} decided</dd></div>",
        [&report.rules.len(), &report.catalogue.rules, &report.coverage.evaluated],
    );
    page.fill("<div><dt>Exit code</dt><dd>{}</dd></div>", [&report.exit_code]);
    page.fill("<div><dt>Tool</dt><dd>kubectl-aksarc {} {}</dd></div>", [&report.tool.version, &report.tool.commit]);
    page.own("</dl>");
    rules(report, &mut page);
    page.own("</section>");
    page
}

fn read(report: &ReportV1, page: &mut Markup) {
    let source = match report.input.kind {
        InputKindV1::Cluster => "a running cluster, read-only",
        InputKindV1::Manifests => "manifests, as if somebody were about to create them",
        InputKindV1::Snapshot => "a snapshot of a cluster",
    };
    page.own("<div><dt>Source</dt><dd>").own(source);
    if let Some(taken) = &report.input.taken {
        page.fill(", taken {}", [&moment(taken)]);
        if let Some(age) = age(report) {
            page.fill(", {}", [&age]);
        }
    }
    page.own("</dd></div>");
    let coverage = &report.coverage;
    page.fill("<div><dt>Read</dt><dd>{}", [&counting(coverage.objects, "object")]);
    if coverage.requests > 0 {
        page.fill(" in {}", [&counting(coverage.requests, "request")]);
    }
    if report.input.unjudged > 0 {
        page.fill(", {} of kinds that no rule looks at", [&report.input.unjudged]);
    }
    if coverage.without_managed_fields > 0 {
        page.fill(", {} without managedFields", [&coverage.without_managed_fields]);
    }
    page.own("</dd></div>");
}

/// Every rule with its outcome, folded away.
fn rules(report: &ReportV1, page: &mut Markup) {
    page.fill(
        "<details class=\"more\"><summary>{}</summary>",
        [&format!("What became of each of {}", counting(report.rules.len(), "rule"))],
    );
    page.own("<table class=\"rules\"><thead><tr><th scope=\"col\">Rule</th><th scope=\"col\">Problem</th>")
        .own("<th scope=\"col\">Outcome</th></tr></thead><tbody>");
    for rule in &report.rules {
        let tone = Tone::from(rule.outcome);
        page.fill("<tr><th scope=\"row\">{}</th><td>{}", [&rule.code, &rule.summary]);
        if !rule.reason.is_empty() {
            page.fill(" <span class=\"remark\">{}</span>", [&rule.reason]);
        }
        page.own("</td><td class=\"outcome ").own(tone.class()).own("\">");
        tone.sign(page);
        page.fill("<span>{}</span></td></tr>", [&rule.outcome.as_str()]);
    }
    page.own("</tbody></table></details>");
}
