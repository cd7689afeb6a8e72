//! The findings, by rule and weight: the objects, is and should be, who and when, what each rests on, and the ways back.

use std::collections::BTreeSet;

use aksarc_shared::verdict::report::v1::{ConsequenceV1, EvidenceV1, FindingV1, OutcomeV1, ReportV1};

use super::evidence;
use super::fixes;
use super::markup::Markup;
use super::source;
use super::tone::Tone;
use crate::screen::report::summary::of_manifests;
use crate::screen::wording::counting;

/// All findings that nobody has waived, and before them the rules that could void support and are not decided.
pub(super) fn part(report: &ReportV1) -> Markup {
    let mut page = Markup::default();
    page.own("<section id=\"findings\" aria-labelledby=\"findings-title\"><h2 id=\"findings-title\">Findings</h2>");
    let (info, heavy): (Vec<&FindingV1>, Vec<&FindingV1>) = report
        .findings
        .iter()
        .filter(|finding| finding.waiver.is_none())
        .partition(|finding| finding.consequence == ConsequenceV1::Info);
    if heavy.is_empty() {
        page.own("<p class=\"lead\">No finding is heavier than information.</p>");
    }
    let (voids, lighter): (Vec<&FindingV1>, Vec<&FindingV1>) =
        heavy.iter().partition(|finding| finding.consequence == ConsequenceV1::Voids);
    groups(&mut page, &voids, report);
    undecided(&mut page, report);
    groups(&mut page, &lighter, report);
    if !info.is_empty() {
        page.fill("<details class=\"more\"><summary>{} for information</summary>", [&counting(info.len(), "finding")]);
        groups(&mut page, &info, report);
        page.own("</details>");
    }
    page.own("</section>");
    page
}

/// Appends the findings of each rule and weight.
pub(super) fn groups(page: &mut Markup, findings: &[&FindingV1], report: &ReportV1) {
    for group in by_rule(findings) {
        rule(page, &group, report);
    }
}

/// The rules that could void support and are not decided.
fn undecided(page: &mut Markup, report: &ReportV1) {
    for rule in report.rules.iter().filter(|rule| rule.could_void) {
        page.own("<article class=\"finding unknown\"><header>");
        Tone::Unknown.sign(page);
        page.fill("<h3>{}</h3>", [&rule.summary]);
        page.own("<p class=\"tags\"><b>could void support: not decided</b> ");
        page.fill(
            "<span class=\"code\">{}</span> <span class=\"slug\">{}</span></p></header>",
            [&rule.code, &rule.slug],
        );
        let beyond = if rule.outcome == OutcomeV1::Unknown { "" } else { "Beyond what was found: " };
        page.fill("<p class=\"why\">{}{}</p></article>", [&beyond, &rule.reason]);
    }
}

/// One rule's findings of one weight.
fn rule(page: &mut Markup, group: &[&FindingV1], report: &ReportV1) {
    let Some(first) = group.first() else { return };
    let tone = if first.waiver.is_some() { Tone::Waived } else { Tone::from(first.consequence) };
    let summary = report.rule(&first.code).map_or(&*first.slug, |rule| &*rule.summary);
    page.own("<article class=\"finding ").own(tone.class()).own("\"><header>");
    tone.sign(page);
    page.fill("<h3>{}</h3><p class=\"tags\"><b>", [&summary]).own(Tone::from(first.consequence).words());
    if first.waiver.is_some() {
        page.own(", waived");
    }
    page.fill("</b> <span>{}</span> <span>{}</span> ", [&first.basis.phrase(), &amount(group)]);
    page.fill("<span class=\"code\">{}</span> <span class=\"slug\">{}</span></p></header>", [&first.code, &first.slug]);
    let sets = alike(group);
    for same in sets.iter().take(MAX_SETS) {
        objects(page, same, report);
    }
    if sets.len() > MAX_SETS {
        let left: usize = sets.iter().skip(MAX_SETS).map(Vec::len).sum();
        page.fill(
            "<p class=\"remark\">and {} of this rule, all in the JSON report</p>",
            [&format!("{} more", counting(left, "finding"))],
        );
    }
    rests_on(page, first, report);
    fixes::part(page, group);
    page.own("</article>");
}

/// Objects that differ in nothing but their name and the time.
fn objects(page: &mut Markup, same: &[&FindingV1], report: &ReportV1) {
    let Some(first) = same.first() else { return };
    page.own("<div class=\"set\"><div>");
    let names: Vec<String> = same.iter().map(|finding| finding.object_and_places()).collect();
    list(page, "objects", &names);
    if !first.members.is_empty() {
        page.own("<p class=\"members\">Members</p>");
        list(page, "objects members", &first.members);
    }
    page.own("</div><div class=\"says-so\">");
    field(page, first, report);
    if same.iter().all(|finding| finding.message == first.message) && !first.message.is_empty() {
        page.fill("<p class=\"message\">{}</p>", [&first.message]);
    }
    if !first.evidence.is_empty() {
        page.own("<ul class=\"evidence\">");
        for (at, evidence) in first.evidence.iter().enumerate() {
            let times = same.iter().filter_map(|finding| finding.evidence.get(at)).map(|own| &*own.time);
            let (earliest, latest) = (times.clone().min(), times.max());
            evidence::item(page, evidence, earliest.zip(latest));
        }
        page.own("</ul>");
    }
    page.own("</div></div>");
}

/// The field, with what is there and what should be.
fn field(page: &mut Markup, finding: &FindingV1, report: &ReportV1) {
    let repeats = finding.path == "metadata.namespace" && finding.after.as_ref() == Some(&finding.object.namespace);
    if repeats || finding.path.is_empty() && finding.before.is_none() && finding.after.is_none() {
        return;
    }
    page.own("<dl class=\"field\">");
    if !finding.path.is_empty() {
        page.fill("<div class=\"path\"><dt>Field</dt><dd><code>{}</code></dd></div>", [&finding.path]);
    }
    if finding.before.is_some() || finding.after.is_some() {
        page.own("<div class=\"is\"><dt>Is</dt><dd>");
        match &finding.after {
            Some(value) => page.fill("<code>{}</code>", [value]),
            None => page.own("<i>not there</i>"),
        };
        page.own("</dd></div><div class=\"should\"><dt>Should be</dt><dd>");
        match &finding.before {
            Some(value) => page.fill("<code>{}</code>", [value]),
            None if of_manifests(report) => page.own("<i>left out</i>"),
            // The value before is not known, which does not mean that there was none.
            None => page.own("<i>not known</i>"),
        };
        page.own("</dd></div>");
    }
    page.own("</dl>");
}

/// The sections and pages that a finding rests on.
fn rests_on(page: &mut Markup, finding: &FindingV1, report: &ReportV1) {
    if finding.sections.is_empty() && finding.documents.is_empty() {
        return;
    }
    page.own("<div class=\"sources\"><h4>Rests on</h4><ul>");
    for section in &finding.sections {
        page.own("<li>");
        source::section(page, section, report);
        page.own("</li>");
    }
    for document in &finding.documents {
        page.own("<li>");
        source::document(page, document);
        page.own("</li>");
    }
    page.own("</ul></div>");
}

/// Appends names: the first at once, more of them folded, and a count of the others.
fn list(page: &mut Markup, class: &'static str, names: &[String]) {
    let (first, rest) = names.split_at(names.len().min(MAX_NAMES));
    items(page, class, first);
    if !rest.is_empty() {
        let (folded, left_out) = rest.split_at(rest.len().min(MAX_FOLDED));
        page.fill("<details><summary>{}</summary>", [&counting(rest.len(), "more name")]);
        items(page, class, folded);
        if !left_out.is_empty() {
            page.fill("<p class=\"remark\">and {} more, all in the JSON report</p>", [&left_out.len()]);
        }
        page.own("</details>");
    }
}

fn items(page: &mut Markup, class: &'static str, names: &[String]) {
    page.own("<ul class=\"").own(class).own("\">");
    for name in names {
        page.fill("<li>{}</li>", [name]);
    }
    page.own("</ul>");
}

/// Findings of one rule, weight and basis, side by side in the report's order.
fn by_rule<'f>(findings: &[&'f FindingV1]) -> Vec<Vec<&'f FindingV1>> {
    let mut groups: Vec<Vec<&FindingV1>> = Vec::new();
    for finding in findings {
        let key = |f: &&'f FindingV1| (&f.code, f.consequence, f.basis, &f.documents, &f.clauses, f.waiver.is_some());
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| key(first) == key(finding))) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

/// Findings that differ only in their objects and in the times of their evidence.
fn alike<'f>(group: &[&'f FindingV1]) -> Vec<Vec<&'f FindingV1>> {
    let mut sets: Vec<Vec<&FindingV1>> = Vec::new();
    for finding in group {
        let same = |first: &&FindingV1| {
            first.path == finding.path
                && first.before == finding.before
                && first.after == finding.after
                && first.members.is_empty()
                && finding.members.is_empty()
                && first.waiver == finding.waiver
                && first.evidence.len() == finding.evidence.len()
                && first.evidence.iter().zip(&finding.evidence).all(|(a, b)| timeless(a) == timeless(b))
        };
        match sets.iter_mut().find(|set| set.first().is_some_and(same)) {
            Some(set) => set.push(finding),
            None => sets.push(vec![finding]),
        }
    }
    sets
}

fn timeless(evidence: &EvidenceV1) -> [&str; 4] {
    [&evidence.what, &evidence.manager, &evidence.operation, &evidence.detail]
}

fn amount(group: &[&FindingV1]) -> String {
    let objects: BTreeSet<_> = group.iter().map(|finding| &finding.object).collect();
    let kinds: BTreeSet<String> = objects.iter().map(|object| object.kind.to_lowercase()).collect();
    let kind = kinds.first().filter(|_| kinds.len() == 1).map_or("object", String::as_str);
    counting(objects.len(), kind)
}

/// Names that are shown at once.
const MAX_NAMES: usize = 12;

/// Further names that are folded away: enough to look somebody's node up, and few enough that the page stays light.
const MAX_FOLDED: usize = 200;

/// Sets of alike objects of one rule.
const MAX_SETS: usize = 25;
