//! Every finding, with what it rests on and what to do.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{EvidenceV1, FindingV1, OutcomeV1, VerdictV1};

use super::layout::Screen;
use crate::screen::report::summary::{of_manifests, shown};
use crate::screen::report::view::GroupBy;
use crate::screen::style::{Paint, heading, mark, sign};
use crate::screen::wording::{counting, dated_page};

impl Screen<'_> {
    pub(super) fn findings(&mut self) -> fmt::Result {
        let findings = shown(self.report, self.view.show);
        match self.view.group_by {
            GroupBy::Rule => {
                for group in by_rule(&findings) {
                    self.rule(&group)?;
                }
            }
            GroupBy::Object => self.sections(&findings, |finding| text::line(&finding.object.short(), 160))?,
            GroupBy::Namespace => self.sections(&findings, |finding| match &*finding.object.namespace {
                "" => "(cluster)".to_owned(),
                namespace => format!("namespace {}", text::line(namespace, 80)),
            })?,
        }
        self.undecided()?;
        let hidden = self.report.findings.len() - findings.len();
        if hidden > 0 {
            let waived = self.report.findings.iter().filter(|finding| finding.waiver.is_some()).count();
            let both = [(waived, "waived"), (hidden.saturating_sub(waived), "info")];
            let kinds: Vec<String> =
                both.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
            writeln!(self.out)?;
            self.wrapped_line("hidden", &format!("{}: --show all shows them", kinds.join(", ")));
        }
        Ok(())
    }

    /// The rules that could void support and are not decided.
    fn undecided(&mut self) -> fmt::Result {
        for rule in self.report.rules.iter().filter(|rule| rule.could_void) {
            let undecided = VerdictV1::Inconclusive;
            let left = Paint::verdict(undecided, format_args!("{} {} {}", sign(undecided), rule.code, rule.slug));
            let right = Paint::verdict(undecided, "COULD VOID SUPPORT · not decided").clone();
            writeln!(self.out)?;
            self.spread(&left, &right)?;
            let beyond = if rule.outcome == OutcomeV1::Unknown { "" } else { "beyond what was found: " };
            self.out.fold_below("    ", &format!("{beyond}{}", text::line(&rule.reason, 300)));
        }
        Ok(())
    }

    fn sections(&mut self, findings: &[&FindingV1], title: impl Fn(&FindingV1) -> String) -> fmt::Result {
        let mut sections: BTreeMap<String, Vec<&FindingV1>> = BTreeMap::new();
        for finding in findings {
            sections.entry(title(finding)).or_default().push(finding);
        }
        for (title, findings) in sections {
            writeln!(self.out, "\n{} {}", Paint::bold("#"), Paint::bold(title))?;
            for group in by_rule(&findings) {
                self.rule(&group)?;
            }
        }
        Ok(())
    }

    /// One rule's findings of one weight.
    fn rule(&mut self, group: &[&FindingV1]) -> fmt::Result {
        let Some(first) = group.first() else { return Ok(()) };
        let weight = first.consequence;
        let left = Paint::consequence(weight, format_args!("{} {} {}", mark(weight), first.code, first.slug));
        let waived = if first.waiver.is_some() { " · waived" } else { "" };
        let right = format!(
            "{} · {} · {}{waived}",
            Paint::consequence(weight, heading(weight)),
            first.basis.phrase(),
            amount(group)
        );
        writeln!(self.out)?;
        self.spread(&left, &right)?;
        for same in alike(group) {
            self.objects(&same)?;
        }
        if !first.documents.is_empty() {
            let pages: Vec<String> = first.documents.iter().map(dated_page).collect();
            self.tagged("page", &pages.join("; "));
        }
        self.why(first);
        let fixes = fixes(group);
        for fix in fixes.iter().take(MAX_FIXES) {
            self.tagged("fix", fix);
        }
        if fixes.len() > MAX_FIXES {
            self.tagged("", &format!("… and {} more, all in -o json", fixes.len() - MAX_FIXES));
        }
        let more = format!("{} explain {}", self.view.name, first.code);
        self.tagged("more", &more);
        Ok(())
    }

    /// Objects that differ in nothing but their name.
    fn objects(&mut self, same: &[&FindingV1]) -> fmt::Result {
        let Some(first) = same.first() else { return Ok(()) };
        let names: Vec<String> = same.iter().map(|finding| text::line(&finding.object.short(), 160)).collect();
        self.out.fold_below("    ", &listed(&names, MAX_OBJECTS));
        if !first.members.is_empty() {
            let members: Vec<String> = first.members.iter().map(|member| text::line(member, 120)).collect();
            self.out.fold_below("      ", &format!("members: {}", listed(&members, MAX_OBJECTS)));
        }
        self.field(first)?;
        if same.len() == 1 && !first.message.is_empty() {
            self.out.fold_below("      ", &text::clean(&first.message));
        }
        for evidence in first.evidence.iter().take(MAX_EVIDENCE) {
            let words = words(evidence);
            writeln!(self.out, "      {}", Paint::dim(words))?;
        }
        if let Some(waiver) = &first.waiver {
            let (name, reason) = (text::line(&waiver.name, 60), text::line(&waiver.reason, 160));
            writeln!(self.out, "      waived by {name} until {}: {reason}", waiver.expires)?;
        }
        Ok(())
    }

    /// The field, with what stands there and, where somebody knows, what has to or what did.
    fn field(&mut self, finding: &FindingV1) -> fmt::Result {
        // The object's own line says where it is.
        let repeats = finding.path == "metadata.namespace" && finding.after.as_ref() == Some(&finding.object.namespace);
        if repeats || finding.path.is_empty() && finding.before.is_none() && finding.after.is_none() {
            return Ok(());
        }
        let path = text::line(&finding.path, 200);
        let value =
            |value: &Option<String>| value.as_deref().map_or_else(|| "(none)".to_owned(), |v| text::line(v, 120));
        let after = Paint::bold(value(&finding.after));
        match (&finding.before, &finding.after) {
            (None, None) => writeln!(self.out, "      {path}"),
            // A state without its past: that nothing is known does not mean that nothing was there.
            (None, Some(_)) if !of_manifests(self.report) => writeln!(self.out, "      {path}   {after}"),
            (before, _) => writeln!(self.out, "      {path}   {} → {after}", value(before)),
        }
    }

    fn why(&mut self, finding: &FindingV1) {
        let summary = self.report.rule(&finding.code).map(|rule| &*rule.summary).unwrap_or_default();
        let sections: Vec<String> = finding
            .sections
            .iter()
            .map(|own| format!("{} {}", own.clauses.join(", "), own.section).trim_end().to_owned())
            .collect();
        let clauses = if sections.is_empty() { String::new() } else { format!(" · {}", sections.join("; ")) };
        self.tagged("why", &format!("{summary}{clauses}"));
    }
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

/// Findings that say the same of different objects.
fn alike<'f>(group: &[&'f FindingV1]) -> Vec<Vec<&'f FindingV1>> {
    let authors = |f: &FindingV1| f.evidence.iter().map(|e| (e.what.clone(), e.manager.clone())).collect::<Vec<_>>();
    let mut sets: Vec<Vec<&FindingV1>> = Vec::new();
    for finding in group {
        let same = |first: &&FindingV1| {
            first.path == finding.path
                && first.before == finding.before
                && first.after == finding.after
                && authors(first) == authors(finding)
                && first.members.is_empty()
                && finding.members.is_empty()
                && first.waiver == finding.waiver
        };
        match sets.iter_mut().find(|set| set.first().is_some_and(same)) {
            Some(set) => set.push(finding),
            None => sets.push(vec![finding]),
        }
    }
    sets
}

fn amount(group: &[&FindingV1]) -> String {
    let mut objects: Vec<_> = group.iter().map(|finding| &finding.object).collect();
    objects.sort();
    objects.dedup();
    let kind = group.first().map(|finding| finding.object.kind.to_lowercase()).unwrap_or_default();
    let one_kind = objects.iter().all(|object| object.kind.to_lowercase() == kind);
    counting(objects.len(), if one_kind { &kind } else { "object" })
}

/// The commands of a rule's findings, first those of findings that they make go away.
fn fixes(group: &[&FindingV1]) -> Vec<String> {
    let clears = |finding: &&&FindingV1| finding.fix.iter().any(|fix| fix.clears);
    let (first, rest): (Vec<&FindingV1>, Vec<&FindingV1>) = group.iter().partition(clears);
    let mut fixes = Vec::new();
    for fix in first.into_iter().chain(rest).flat_map(|finding| &finding.fix) {
        if !fixes.contains(&fix.printed) {
            fixes.push(fix.printed.clone());
        }
    }
    fixes
}

/// Who and when, or what else we rest on.
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
    if names.len() > most { format!("{head} and {} more", names.len() - most) } else { head }
}

/// Names shown per finding: a pool can have hundreds.
const MAX_OBJECTS: usize = 8;

/// Commands shown per rule.
const MAX_FIXES: usize = 6;

/// Lines of evidence shown per finding.
const MAX_EVIDENCE: usize = 3;
