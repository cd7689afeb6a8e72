//! The findings of one rule: its title, the objects with the fault and its evidence, the sources, and the commands that
//! lead back.

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{ConsequenceV1, EvidenceV1, FindingV1, Urgency};

use super::layout::Screen;
use crate::screen::report::commands;
use crate::screen::report::summary::of_manifests;
use crate::screen::report::view::Show;
use crate::screen::style::{Paint, heading, mark};
use crate::screen::wording::{capitalised, counting, kind_words, number, object_words};

/// The findings of one rule, most urgent first; there is at least one.
pub(super) struct RuleGroup<'f> {
    pub(super) first: &'f FindingV1,
    findings: Vec<&'f FindingV1>,
}

/// Whether the title above a group names the object already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Headed {
    ByObject,
    ByRule,
}

impl<'f> RuleGroup<'f> {
    pub(super) fn of(findings: Vec<&'f FindingV1>) -> Option<Self> {
        Some(RuleGroup { first: findings.first()?, findings })
    }

    /// The urgency of the most urgent of them.
    pub(super) fn urgency(&self) -> Urgency {
        self.first.urgency()
    }
}

impl Screen<'_> {
    pub(super) fn group(&mut self, group: &RuleGroup<'_>, headed: Headed) {
        let first = group.first;
        let (report, weight) = (self.report, first.consequence);
        let rule = report.rule(&first.code);
        let summary = rule.map(|rule| capitalised(&rule.summary)).filter(|summary| !summary.is_empty());
        self.gap();
        let title = format!("{} {}", text::line(&first.code, 40), summary.unwrap_or_else(|| first.slug.clone()));
        let room = self.out.room(2);
        for (number, line) in crate::screen::grid::wrap(&title, room).iter().enumerate() {
            let lead = if number == 0 { mark(weight) } else { " " };
            self.out.line(&Paint::consequence(weight, format_args!("{lead} {line}")));
        }
        let parts = same(&group.findings, |a, b| weighed(a) == weighed(b));
        let mut left = if self.view.show == Show::All { usize::MAX } else { MAX_OBJECTS };
        let alone = parts.len() == 1;
        if !alone {
            self.out.fold("  ", "  ", &format!("{} · {}", first.slug, amount(&group.findings)));
        }
        for part in &parts {
            let Some(one) = part.first() else { continue };
            let name = if alone { format!("{} · ", one.slug) } else { String::new() };
            self.out.fold("  ", "  ", &format!("{name}{}", subheading(one, part)));
            if self.view.show != Show::Fixes {
                self.objects(part, headed, &mut left);
            }
        }
        if self.view.show != Show::Fixes {
            let cited = self.cited.cite(report, first, self.view.look);
            // The project's own guard and waivers are nothing that others publish about.
            let none = "no published text: the page below says why";
            self.tagged("see", if cited.is_empty() { none } else { &cited });
        }
        self.fixes(group);
        if self.view.show != Show::Fixes {
            let more = format!("    more  {} explain {}", self.view.name, text::line(&first.code, 40));
            self.out.line(&more);
        }
    }

    /// The objects of findings of one weight, as many as there is room left for.
    fn objects(&mut self, findings: &[&FindingV1], headed: Headed, left: &mut usize) {
        let sets = same(findings, alike);
        let most = if self.view.show == Show::All { usize::MAX } else { MAX_SETS };
        let mut unseen = 0;
        for (number, set) in sets.iter().enumerate() {
            let Some(first) = set.first().filter(|_| number < most && *left > 0) else {
                unseen += set.len();
                continue;
            };
            let names: Vec<String> = set.iter().map(|finding| named(finding)).collect();
            let room = names.len().min(*left);
            *left = left.saturating_sub(room);
            // The line above says that it is about the cluster.
            let is_named = headed == Headed::ByRule && !is_cluster(first);
            if is_named {
                self.out.fold_below("    ", &listed(&names, room));
            }
            if headed == Headed::ByObject && !first.places.is_empty() {
                self.out.fold("      ", "        ", &format!("in {}", places(first)));
            }
            self.one(first, set.len() == 1);
        }
        if unseen > 0 {
            self.out.line(&format!("    … and {}, all in -o wide", counting(unseen, "more finding")));
        }
    }

    /// Writes the fault of an object and its evidence. `alone` tells whether all of it is about this object only.
    fn one(&mut self, finding: &FindingV1, alone: bool) {
        if !finding.members.is_empty() {
            let members: Vec<String> = finding.members.iter().map(|member| text::line(member, 120)).collect();
            let most = if self.view.show == Show::All { members.len() } else { MAX_OBJECTS };
            self.out.fold("      ", "        ", &format!("members: {}", listed(&members, most)));
        }
        if let Some(field) = self.field(finding) {
            self.out.fold("      ", "        ", &field);
        }
        if alone && !finding.message.is_empty() && !says_the_same(finding) {
            self.out.fold("      ", "        ", &text::clean(&finding.message));
        }
        let told = |evidence: &&EvidenceV1| {
            finding.after.as_ref().is_none_or(|after| evidence.detail != format!("{} is {after}", finding.path))
        };
        let evidence: Vec<&EvidenceV1> = finding.evidence.iter().filter(told).collect();
        for evidence in evidence.iter().take(MAX_EVIDENCE) {
            self.out.fold("      ", "        ", &Paint::dim(words(evidence)));
        }
        if let Some(more) = evidence.len().checked_sub(MAX_EVIDENCE).filter(|more| *more > 0) {
            let pieces = if more == 1 { "piece" } else { "pieces" };
            self.out.line(&format!("      … and {more} more {pieces} of evidence, in -o json"));
        }
        if let Some(waiver) = &finding.waiver {
            let (name, reason) = (text::line(&waiver.name, 60), text::line(&waiver.reason, 160));
            let until = text::line(&waiver.expires, 40);
            self.out.fold("      ", "        ", &format!("waived by {name} until {until}: {reason}"));
        }
    }

    /// The field with its present value, and the value that it should have.
    fn field(&self, finding: &FindingV1) -> Option<String> {
        // The object's own line says where it is.
        let repeats = finding.path == "metadata.namespace" && finding.after.as_ref() == Some(&finding.object.namespace);
        if repeats || finding.path.is_empty() && finding.before.is_none() && finding.after.is_none() {
            return None;
        }
        let path = text::line(path_words(finding), 200);
        let value = |value: &str| if value.is_empty() { "\"\"".to_owned() } else { text::line(value, 120) };
        // A lawful value has none that should replace it.
        let lawful = matches!(finding.consequence, ConsequenceV1::NotCovered | ConsequenceV1::Info);
        Some(match (&finding.before, &finding.after) {
            (None, None) if lawful || of_manifests(self.report) => path,
            (None, None) => format!("{path}: what it should be is not known"),
            (Some(before), None) => format!("{path} is missing, should be {}", Paint::bold(value(before))),
            (before, Some(after)) => {
                let is = format!("{path} is {}", Paint::bold(value(after)));
                match before {
                    Some(before) => format!("{is}, should be {}", value(before)),
                    None if lawful => is,
                    None if finding.surplus => format!("{is}, should not be there"),
                    None if of_manifests(self.report) => is,
                    None => format!("{is}; what it should be is not known"),
                }
            }
        })
    }

    /// The commands that lead back, or the supported way where none does.
    fn fixes(&mut self, group: &RuleGroup<'_>) {
        let commands = commands::of(&group.findings, MAX_FIXES);
        let width = self.out.width();
        let most = if matches!(self.view.show, Show::All | Show::Fixes) { usize::MAX } else { MAX_FIXES };
        for command in commands.iter().take(most) {
            for line in command.lines("    fix   ", width) {
                self.out.line(&line);
            }
        }
        if let Some(more) = commands.len().checked_sub(most).filter(|more| *more > 0) {
            self.tagged("", &format!("… and {} more: --show fixes", number(more)));
        }
        let waived = group.urgency() == Urgency::Waived;
        let instead = self.report.rule(&group.first.code).map(|rule| &*rule.instead).unwrap_or_default();
        if commands.is_empty() && !waived && !instead.is_empty() {
            let instead = text::line(instead.trim_end_matches(" instead"), 160);
            self.tagged("fix", &format!("no command does it: {instead}"));
        }
    }
}

/// The weight of findings, whose word it is, and how many there are.
fn subheading(one: &FindingV1, part: &[&FindingV1]) -> String {
    let broken = if one.urgency() == Urgency::BrokenNow { "BROKEN NOW · " } else { "" };
    let words = format!("{broken}{}", heading(one.consequence));
    let waived = if one.waiver.is_some() { " · waived" } else { "" };
    format!("{} · {} · {}{waived}", Paint::consequence(one.consequence, words), one.basis.phrase(), amount(part))
}

/// The object, and behind it where that stands in files.
fn named(finding: &FindingV1) -> String {
    let object = object_words(&finding.object);
    if finding.places.is_empty() { object } else { format!("{object} ({})", places(finding)) }
}

/// Where the object of a finding stands in files.
fn places(finding: &FindingV1) -> String {
    let places: Vec<String> = finding.places.iter().map(|place| text::line(&place.short(), 200)).collect();
    listed(&places, MAX_PLACES)
}

/// The properties that all findings of one part share.
fn weighed(finding: &FindingV1) -> impl PartialEq {
    (finding.urgency(), finding.consequence, finding.basis, finding.documents.clone(), finding.clauses.clone())
}

/// Whether findings say the same of different objects, down to who did it and when.
fn alike(a: &FindingV1, b: &FindingV1) -> bool {
    a.path == b.path
        && a.before == b.before
        && a.after == b.after
        && a.surplus == b.surplus
        && a.evidence == b.evidence
        && a.waiver == b.waiver
        && a.members.is_empty()
        && b.members.is_empty()
}

/// Findings in sets of those that are the same, each where its first one stands.
fn same<'f>(findings: &[&'f FindingV1], are: impl Fn(&FindingV1, &FindingV1) -> bool) -> Vec<Vec<&'f FindingV1>> {
    let mut sets: Vec<Vec<&FindingV1>> = Vec::new();
    for finding in findings {
        match sets.iter_mut().find(|set| set.first().is_some_and(|first| are(first, finding))) {
            Some(set) => set.push(finding),
            None => sets.push(vec![finding]),
        }
    }
    sets
}

/// `4 nodes`, or `6 findings on 4 nodes`.
fn amount(findings: &[&FindingV1]) -> String {
    let mut objects: Vec<_> = findings.iter().map(|finding| &finding.object).collect();
    objects.sort();
    objects.dedup();
    let kind = findings.first().map(|finding| kind_words(&finding.object)).unwrap_or_default();
    let one_kind = objects.iter().all(|object| kind_words(object) == kind);
    let on = match (one_kind, &*kind) {
        (true, "cluster") if objects.len() == 1 => "the cluster".to_owned(),
        (true, kind) => counting(objects.len(), kind),
        (false, _) => counting(objects.len(), "object"),
    };
    if objects.len() == findings.len() { on } else { format!("{} on {on}", counting(findings.len(), "finding")) }
}

/// The path without the value found, which some rules add to it so that each value is a finding of its own.
fn path_words(finding: &FindingV1) -> &str {
    let value = finding.after.as_deref().unwrap_or_default();
    let bare = finding.path.strip_suffix(']').and_then(|path| path.strip_suffix(value)?.strip_suffix('['));
    bare.filter(|_| !value.is_empty()).unwrap_or(&finding.path)
}

/// Whether a finding is about the cluster as a whole.
fn is_cluster(finding: &FindingV1) -> bool {
    finding.object.kind == "Cluster" && finding.object.api_version.starts_with("aksarc.dev/")
}

/// Whether the sentence tells no more than the field's line does: both values.
fn says_the_same(finding: &FindingV1) -> bool {
    let tells = |value: &Option<String>| value.as_ref().is_some_and(|value| finding.message.contains(&**value));
    tells(&finding.before) && tells(&finding.after)
}

/// The evidence of a finding: the writer and the time, or another fact.
fn words(evidence: &EvidenceV1) -> String {
    let clean = |text: &str| text::line(text, 200);
    if evidence.manager.is_empty() {
        return if evidence.detail.is_empty() {
            clean(&evidence.what)
        } else {
            format!("{} ({})", clean(&evidence.detail), clean(&evidence.what))
        };
    }
    let time = if evidence.time.is_empty() { String::new() } else { format!(", {}", clean(&evidence.time)) };
    let detail = if evidence.detail.is_empty() { String::new() } else { format!(": {}", clean(&evidence.detail)) };
    format!("by {}{time} ({}){detail}", clean(&evidence.manager), clean(&evidence.what))
}

fn listed(names: &[String], most: usize) -> String {
    let head = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > most { format!("{head} … and {} more", number(names.len() - most)) } else { head }
}

/// Objects named below one title: a screen has to be readable at a glance.
const MAX_OBJECTS: usize = 12;

/// Places in files of one object. One that stands in more of them is meant for several clusters.
const MAX_PLACES: usize = 3;

/// Sets of objects that differ in more than their names, below one weight: each takes several lines.
const MAX_SETS: usize = 3;

/// Commands below one title.
const MAX_FIXES: usize = 4;

/// Lines of evidence for one object.
const MAX_EVIDENCE: usize = 3;
