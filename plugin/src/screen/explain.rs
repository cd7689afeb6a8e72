//! A rule's page, below a summary of the rule's declaration.

use aksarc_shared::data::known_issues::KnownIssue;
use aksarc_shared::data::tables;
use aksarc_shared::data::{ClauseText, Data, Document, Platform};
use aksarc_shared::k8s::certificate;
use aksarc_shared::rules::catalogue::Deciders;
use aksarc_shared::rules::derive;
use aksarc_shared::rules::rule::{Mode, Rule, Scope};

use super::grid::{columns, wrap};
use super::sheet::Sheet;
use super::style::{Look, Paint};
use super::wording::{counting, dated};

/// The part of a page that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The part that a person reads in a minute: the way out, the reason, the sources.
    Short,
    /// Also what the rule checks, guards and cannot see.
    Full,
    /// Also the examples: objects and changes, each with the rule's answer.
    Examples,
}

/// A clause of the policy as text: our words for it, where the texts differ, what decides it, and where it stands.
pub fn clause(clause: &ClauseText, data: &Data, look: Look) -> String {
    let mut page = RulePage::new(look);
    page.line(&Paint::bold(format_args!("{} {}", clause.id, clause.section)));
    page.text("  ", &clause.says);
    page.line("");
    page.fact("consequence", &clause.consequence);
    for (platform, how) in &clause.differs {
        page.fact("differs", &format!("on {platform}: {how}"));
    }
    let deciders = Deciders::of(clause);
    for rule in &deciders.rules {
        page.fact("rule", &format!("{} {}: {}", rule.code, rule.slug, rule.summary));
    }
    if let Some(asked) = deciders.asked_as {
        let together = if asked == clause.id { String::new() } else { format!(", with {asked}") };
        let whom = clause.ask.as_ref().map(|ask| format!(" {ask}")).unwrap_or_default();
        page.fact("asked", &format!("of people, who answer with --attest{together}.{whom}"));
    }
    if let Some(settled) = deciders.settled_by {
        page.fact("settled by", settled);
    }
    let has_it = |document: &&Document| document.platforms.iter().any(|own| !clause.no_text_on.contains(own));
    page.line("");
    page.line(&Paint::bold("Sources"));
    for document in data.policy_texts().filter(has_it) {
        page.source(document, &clause.section);
    }
    page.out.into_text()
}

/// The page of a rule as text, folded where the terminal ends. `name` is this program's, as it was called.
pub fn page(rule: &Rule, data: &Data, look: Look, extent: Extent, name: &str) -> String {
    let mut page = RulePage::new(look);
    page.line(&Paint::bold(format_args!("{} {}", rule.code, rule.slug)));
    page.text("  ", rule.summary);
    page.line("");
    facts(&mut page, rule, extent);
    let sections = sections(rule.page());
    let section = |heading: &str| sections.iter().find(|(own, _)| *own == heading).map_or("", |(_, text)| *text);
    // A reader who looks a rule up has its finding on the screen and wants it gone: the way out comes first.
    for heading in ["Instead", "Why it matters"] {
        page.line("");
        page.line(&Paint::bold(heading));
        let text = section(heading);
        if extent == Extent::Short { page.markdown(&without_code(text)) } else { page.markdown(text) }
    }
    if extent != Extent::Short {
        for (heading, text) in &sections {
            let is_shown = ["Instead", "Why it matters", "Source", EXAMPLES].contains(heading);
            if !is_shown {
                page.line("");
                page.line(&Paint::bold(heading));
                page.markdown(text);
            }
        }
    }
    clauses(&mut page, rule, data);
    sources(&mut page, rule, data);
    if extent != Extent::Short {
        page.markdown(section("Source"));
    }
    known_issues(&mut page, rule);
    let examples = section(EXAMPLES);
    if extent == Extent::Examples {
        page.line("");
        page.line(&Paint::bold(EXAMPLES));
        page.markdown(examples);
    }
    // Examples are long, and these sections are rarely needed.
    let count = examples.matches("\n```yaml").count();
    page.line("");
    match extent {
        Extent::Short => page.text("", &format!(
            "{name} explain {} --full: what it checks, reads and guards, and what it cannot see; --examples: {} with the rule's answers",
            rule.code,
            counting(count, "example")
        )),
        Extent::Full => page.text("", &format!("{} with the rule's answers: --examples", counting(count, "example"))),
        Extent::Examples => {}
    }
    format!("{}\n", page.out.into_text().trim_end())
}

/// The sections of a page, each with its heading.
fn sections(page: &str) -> Vec<(&str, &str)> {
    let sections = page.split("\n## ").skip(1);
    sections
        .map(|section| section.split_once('\n').unwrap_or((section, "")))
        .map(|(heading, text)| (heading, text.trim()))
        .collect()
}

/// A text without its blocks of code, and without the sentences that lead to them.
fn without_code(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut code = false;
    for part in text.split("\n\n") {
        let fences = part.matches("```").count();
        let inside = code || fences > 0;
        code ^= fences % 2 == 1;
        if inside {
            let leads = kept.last().is_some_and(|last| last.trim_end().ends_with(':'));
            if leads {
                kept.pop();
            }
        } else {
            kept.push(part);
        }
    }
    kept.join("\n\n")
}

fn facts(page: &mut RulePage, rule: &Rule, extent: Extent) {
    let consequences = by_platform(rule, |platform| rule.consequence_on(platform).as_str().to_owned());
    page.fact("consequence", &consequences);
    let bases = by_platform(rule, |platform| rule.basis_on(platform).phrase().to_owned());
    page.fact("basis", &bases);
    page.fact("instead", rule.instead.trim_end_matches(" instead"));
    if extent == Extent::Short {
        return;
    }
    let platforms: Vec<&str> = rule.platforms.iter().map(|platform| platform.as_str()).collect();
    page.fact("platforms", &platforms.join(", "));
    let reads: Vec<String> = rule
        .reads
        .iter()
        .map(|read| match read.scope {
            Scope::BesideGuard | Scope::Cluster | Scope::IfRead => read.kind.qualified(),
            Scope::AddOnNamespaces
            | Scope::ComponentNamespaces
            | Scope::ComponentRecords
            | Scope::ManagedNamespaces => {
                format!("{} in system namespaces", read.kind.qualified())
            }
            Scope::ArcNamespaces => format!("{} in the namespaces of the Arc agents", read.kind.qualified()),
            Scope::KubeSystem => format!("{} in {}", read.kind.qualified(), certificate::NAMESPACE),
            Scope::Own => format!("{} in {}", read.kind.qualified(), aksarc_shared::data::own::NAMESPACE),
        })
        .chain(rule.probes.iter().map(|probe| probe.path().unwrap_or("the server's certificate").to_owned()))
        .collect();
    let judges_states = rule.state().per_object.is_some() || rule.state().per_cluster.is_some();
    let reads = match (reads.is_empty(), judges_states) {
        (false, _) => reads.join(", "),
        (true, true) => "the server's version".to_owned(),
        (true, false) => "nothing: it judges changes only".to_owned(),
    };
    page.fact("reads", &reads);
    if !rule.guards.is_empty() {
        let guards: Vec<String> = rule
            .guards
            .iter()
            .filter(|guard| !derive::UNASKED.contains(&guard.kind))
            .map(|guard| {
                let operations: Vec<&str> = guard.operations.iter().map(|operation| operation.as_str()).collect();
                let slash = if guard.subresource.is_empty() { "" } else { "/" };
                format!("{} {}{slash}{}", operations.join("|"), guard.kind.qualified(), guard.subresource)
            })
            .collect();
        let mode = match rule.mode {
            Mode::Off => "off",
            Mode::Record => "recorded, not warned of",
            Mode::Warn => "warns of what puts support at risk or voids it, records the rest",
            Mode::Deny => {
                "in the enforce preset denies what voids support, warns of what puts it at risk, records the rest"
            }
        };
        page.fact("guards", &format!("{} ({mode})", guards.join(", ")));
    }
}

/// The clauses that the rule is about, in our words.
fn clauses(page: &mut RulePage, rule: &Rule, data: &Data) {
    if rule.clauses.is_empty() {
        return;
    }
    page.line("");
    page.line(&Paint::bold("The policy, in our words"));
    for clause in rule.clauses {
        if let Some(row) = data.clauses.iter().find(|row| row.id == clause.as_str()) {
            page.text(&format!("  {}  ", row.id), &format!("{}: {}", row.section, row.says));
        }
    }
}

/// The pages that a rule rests on, with their addresses: those of a documented basis, and the policy texts at the sections of its
/// clauses.
fn sources(page: &mut RulePage, rule: &Rule, data: &Data) {
    page.line("");
    page.line(&Paint::bold("Sources"));
    for document in documents(rule) {
        page.source(document, "");
    }
    let rows: Vec<&ClauseText> =
        rule.clauses.iter().filter_map(|clause| data.clauses.iter().find(|row| row.id == clause.as_str())).collect();
    for document in data.policy_texts() {
        let own = |row: &&&ClauseText| {
            let mut platforms = document.platforms.iter().filter(|platform| rule.platforms.contains(platform));
            platforms.any(|platform| platform.has_policy_text() && !row.no_text_on.contains(platform))
        };
        // The clauses above list the headings of all its sections.
        if let Some(row) = rows.iter().find(own) {
            page.source(document, &row.section);
        }
    }
    if rule.clauses.is_empty() && documents(rule).is_empty() {
        page.text("  ", "no page of anybody's: it is about this project's own guard and waivers");
    }
}

/// A property of a rule: one text if it is the same on all of its platforms, or one for each.
fn by_platform(rule: &Rule, of: impl Fn(Platform) -> String) -> String {
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for platform in rule.platforms {
        let says = of(*platform);
        match told.iter_mut().find(|(known, _)| *known == says) {
            Some((_, platforms)) => platforms.push(platform.as_str()),
            None => told.push((says, vec![platform.as_str()])),
        }
    }
    match told.as_slice() {
        [(says, _)] => says.clone(),
        _ => told
            .iter()
            .map(|(says, platforms)| format!("{says} on {}", platforms.join(", ")))
            .collect::<Vec<_>>()
            .join("; "),
    }
}

/// The pages that a rule cites on any platform.
pub fn documents(rule: &Rule) -> Vec<&'static Document> {
    let mut documents = Vec::new();
    for document in rule.platforms.iter().flat_map(|platform| rule.basis_on(*platform).documents()) {
        if !documents.contains(&document) {
            documents.push(document);
        }
    }
    documents
}

/// Known issues that can cause a finding without anybody having changed anything.
fn known_issues(page: &mut RulePage, rule: &Rule) {
    let own = |issue: &&KnownIssue| issue.rules.iter().any(|code| code == rule.code.as_str());
    let issues: Vec<&KnownIssue> = tables::known_issues().iter().filter(own).collect();
    if issues.is_empty() {
        return;
    }
    page.line("");
    page.line(&Paint::bold("Known issues"));
    for issue in issues {
        page.text("- ", &format!("{}: {}", issue.id, issue.line()));
        for issue in &issue.issues {
            page.address(&issue.to_string(), &issue.url());
        }
    }
}

struct RulePage {
    out: Sheet,
    look: Look,
}

impl RulePage {
    fn new(look: Look) -> Self {
        RulePage { out: Sheet::new(look.width.map(|width| width.min(WIDE))), look }
    }

    /// A page with its address, at a section of it.
    fn source(&mut self, document: &Document, section: &str) {
        let at = if section.is_empty() {
            String::new()
        } else {
            format!(", {}", document.headings.get(section).map_or(section, String::as_str))
        };
        let note = document.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        let words = format!("{}{at}{note}", dated(document));
        match document.section_url(section) {
            Some(url) if self.look.links => self.text("  ", &Paint::link(words, &url)),
            Some(url) => {
                self.text("  ", &words);
                self.line(&format!("    {url}"));
            }
            None => self.text("  ", &words),
        }
    }

    /// The address of something that the text above names; a link names it again.
    fn address(&mut self, name: &str, url: &str) {
        if self.look.links {
            self.text("    ", &Paint::link(name, url));
        } else {
            self.line(&format!("    {url}"));
        }
    }

    fn line(&mut self, line: &str) {
        self.out.line(line);
    }

    fn fact(&mut self, label: &str, text: &str) {
        self.text(&format!("  {label:<11}  "), text);
    }

    /// Text behind a lead, folded below its own beginning.
    fn text(&mut self, lead: &str, text: &str) {
        self.out.fold_below(lead, text);
    }

    /// Writes the paragraphs, lists, tables and code of a page, which contains nothing else.
    fn markdown(&mut self, text: &str) {
        let mut paragraph: Option<(&str, String)> = None;
        let mut code = false;
        let mut rows: Vec<Vec<String>> = Vec::new();
        for line in text.lines() {
            let cells = line.strip_prefix('|').filter(|_| !code && self.out.width().is_some());
            if let Some(cells) = cells {
                self.end(paragraph.take());
                rows.push(
                    cells.trim_end().trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect(),
                );
                continue;
            }
            self.table(std::mem::take(&mut rows));
            let fence = line.starts_with("```");
            let (lead, words) = line.strip_prefix("- ").map_or(("", line), |words| ("- ", words));
            let goes_on = !fence && !code && lead.is_empty() && !line.is_empty() && self.out.width().is_some();
            match &mut paragraph {
                Some((_, all)) if goes_on => {
                    all.push(' ');
                    all.push_str(line.trim_start());
                    continue;
                }
                _ => self.end(paragraph.take()),
            }
            if fence {
                if code {
                    self.line("");
                }
                code = !code;
            } else if code {
                self.line(format!("    {line}").trim_end());
            } else if line.is_empty() || self.out.width().is_none() {
                self.line(line);
            } else {
                paragraph = Some((lead, words.to_owned()));
            }
        }
        self.end(paragraph);
        self.table(rows);
    }

    /// A table: each cell folded in its own column, so that it stays a table on a narrow terminal.
    fn table(&mut self, mut rows: Vec<Vec<String>>) {
        rows.retain(|cells| !cells.iter().all(|cell| cell.chars().all(|mark| "-: ".contains(mark))));
        let Some(count) = rows.iter().map(Vec::len).max() else { return };
        let widths = shares(&rows, count, self.out.width().unwrap_or(WIDE));
        let folded = |row: &Vec<String>| -> Vec<Vec<String>> {
            row.iter().zip(&widths).map(|(cell, width)| wrap(cell, Some(*width))).collect()
        };
        let rows: Vec<Vec<Vec<String>>> = rows.iter().map(folded).collect();
        let are_high = rows.iter().flatten().any(|cell| cell.len() > 1);
        for (number, cells) in rows.iter().enumerate() {
            for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
                let mut text = String::from("  ");
                for (cell, width) in cells.iter().zip(&widths) {
                    let part = cell.get(line).map_or("", String::as_str);
                    text.push_str(part);
                    text.extend(std::iter::repeat_n(' ', width.saturating_sub(columns(part)) + GAP));
                }
                let text = text.trim_end();
                self.line(&if number == 0 { Paint::bold(text) } else { text.to_owned() });
            }
            // Rows of several lines would run into each other.
            if number + 1 < rows.len() && are_high {
                self.line("");
            }
        }
    }

    fn end(&mut self, paragraph: Option<(&str, String)>) {
        if let Some((lead, text)) = paragraph {
            self.text(lead, &text);
        }
    }
}

/// The columns that each of `count` cells gets: what its widest needs. Where that is too much, the widest give way, down to their
/// longest words.
fn shares(rows: &[Vec<String>], count: usize, width: usize) -> Vec<usize> {
    let most = |column: usize, of: &dyn Fn(&str) -> usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| of(cell)).max().unwrap_or(0)
    };
    let word = |cell: &str| cell.split(' ').map(columns).max().unwrap_or(0);
    let least: Vec<usize> = (0..count).map(|column| most(column, &word)).collect();
    let mut widths: Vec<usize> = (0..count).map(|column| most(column, &columns)).collect();
    let room = width.saturating_sub(2 + GAP * count.saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        let slack = widths.iter_mut().zip(&least).filter(|(own, least)| **own > **least);
        let Some((widest, _)) = slack.max_by_key(|(own, _)| **own) else { break };
        *widest -= 1;
    }
    widths
}

/// The heading of a page's examples.
const EXAMPLES: &str = "Examples";

/// Spaces between the columns of a table.
const GAP: usize = 2;

/// The widest text that is easy to read, in columns.
const WIDE: usize = 110;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_stay_tables_on_a_narrow_terminal() {
        let text = "| Part | Its version is read from | Behind by |\n|---|---|---|\n| kubelet | `status.nodeInfo.kubeletVersion` of each node | 3 minors |\n| proxy | image tag | 2 |\n\nAfter.";
        let mut page = RulePage::new(Look { width: Some(44), ..Look::default() });
        page.markdown(text);
        let text = anstream::adapter::strip_str(&page.out.into_text()).to_string();
        insta::assert_snapshot!(text, @r"
          Part     Its version is read from          Behind
                                                     by

          kubelet  `status.nodeInfo.kubeletVersion`  3
                   of each node                      minors

          proxy    image tag                         2

        After.
        ");
    }

    #[test]
    fn prose_is_folded_and_code_is_not() {
        let text = "One sentence that is\nlonger than the width of this terminal is.\n\n- A list, and here too\n  it goes on for a while.\n- End.\n\n```yaml\nkind: Node\n```";
        let page = |width| {
            let mut page = RulePage::new(Look { width, ..Look::default() });
            page.markdown(text);
            page.out.into_text()
        };
        insta::assert_snapshot!(page(Some(42)), @r"
        One sentence that is longer than the width
        of this terminal is.

        - A list, and here too it goes on for a
          while.
        - End.

            kind: Node
        ");
        insta::assert_snapshot!(page(None), @r"
        One sentence that is
        longer than the width of this terminal is.

        - A list, and here too
          it goes on for a while.
        - End.

            kind: Node
        ");
    }
}
