//! The top of the page: the verdict, its sources, the counts, and the subject of the check.

use aksarc_shared::verdict::report::v1::{OutcomeV1, ReportV1};

use super::markup::Markup;
use super::source;
use super::tone::Tone;
use crate::formats::words::{candidates, moment, place};
use crate::screen::report::sentence::VerdictSentence;
use crate::screen::report::summary::{counted, of_manifests, texts};
use crate::screen::wording::TYPOGRAPHIC;

/// The title of the page, which names verdict, cluster and day.
pub(super) fn title(report: &ReportV1) -> String {
    let VerdictSentence { word, .. } = sentence(report);
    format!("{word}: {} · AKS Arc support check of {}", place(report), report.policy.as_of)
}

/// The top of the page.
pub(super) fn part(report: &ReportV1) -> Markup {
    let mut page = Markup::default();
    let tone = Tone::from(report.verdict);
    page.own("<header class=\"verdict ").own(tone.class()).own("\">");
    page.fill("<p class=\"kicker\">AKS Arc support check <span>as of {}</span></p>", [&report.policy.as_of]);
    let verdict = sentence(report);
    page.own("<h1>");
    tone.sign(&mut page);
    page.fill("<span class=\"word\">{}</span> <span class=\"rest\">{}</span></h1>", [&verdict.word, &verdict.rest]);
    if report.policy.documents.len() > 1 {
        page.own("<ul class=\"texts\">");
        for text in &report.policy.documents {
            page.own("<li>");
            source::document(&mut page, text);
            page.own("</li>");
        }
        page.own("</ul>");
    }
    if let Some(basis) = report.verdict_basis {
        page.fill("<p class=\"basis\"><span>Strongest basis</span> {}</p>", [&basis.phrase()]);
    }
    facts(report, &mut page);
    counts(report, &mut page);
    page.own("</header>");
    page
}

/// The verdict in words: the first, in large letters, and the rest of the sentence.
fn sentence(report: &ReportV1) -> VerdictSentence {
    VerdictSentence::of(report, &published(report), TYPOGRAPHIC)
}

fn published(report: &ReportV1) -> String {
    match texts(report, TYPOGRAPHIC).as_slice() {
        [] => "the published support policy".to_owned(),
        // The page of the preview is no support policy.
        [one] if report.policy.preview => format!("what is known of a preview without a policy text, {one}"),
        [one] => format!("the published text {one}"),
        _ => "the published texts of every platform that it may be".to_owned(),
    }
}

/// The subject of the check.
fn facts(report: &ReportV1, page: &mut Markup) {
    page.own("<dl class=\"facts\">");
    page.fill("<div><dt>Cluster</dt><dd>{}</dd></div>", [&place(report)]);
    if !report.cluster.kubernetes_version.is_empty() {
        page.fill("<div><dt>Kubernetes</dt><dd>{}</dd></div>", [&report.cluster.kubernetes_version]);
    }
    if !of_manifests(report) {
        let nodes = if report.input.nodes_read { report.cluster.nodes.to_string() } else { "not read".to_owned() };
        page.fill("<div><dt>Nodes</dt><dd>{}</dd></div>", [&nodes]);
    }
    if let Some(taken) = &report.input.taken {
        page.fill("<div><dt>Snapshot taken</dt><dd>{}</dd></div>", [&moment(taken)]);
    }
    page.fill(
        "<div class=\"wide\"><dt>Platform</dt><dd>{} <span class=\"remark\">{}</span></dd></div>",
        [&candidates(report), &report.policy.platform_evidence.join("; ")],
    );
    page.own("</dl>");
}

/// The counts, each with its sign and word. Zeros are shown too where they are good news.
fn counts(report: &ReportV1, page: &mut Markup) {
    let passed = report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::Pass).count();
    let could_void = report.rules.iter().filter(|rule| rule.could_void).count();
    let voids = counted(report, "voids");
    let rows = [
        (Tone::Violated, voids, if voids == 1 { "finding voids support" } else { "findings void support" }, true),
        (Tone::AtRisk, counted(report, "at-risk"), "at risk", true),
        (Tone::NotCovered, counted(report, "not-covered"), "not covered", true),
        (Tone::Info, counted(report, "info"), "for information", false),
        (Tone::Waived, counted(report, "waived"), "waived", false),
        (Tone::Unknown, could_void, "undecided, could void support", false),
        (Tone::Unknown, counted(report, "unknown"), "rules unknown", true),
        (Tone::NotObservable, counted(report, "not-observable"), "rules not observable", false),
        (Tone::NotJudged, report.catalogue.left_out, "rules not run", false),
        (Tone::Pass, passed, "rules ok", true),
    ];
    page.own("<ul class=\"counts\">");
    for (tone, count, words, always) in rows {
        if count == 0 && !always {
            continue;
        }
        page.own("<li class=\"").own(if count == 0 { "quiet zero" } else { tone.class() }).own("\">");
        tone.sign(page);
        page.fill("<b>{}</b> ", [&count]).own("<span>").own(words).own("</span></li>");
    }
    page.own("</ul>");
}
