//! A rule's page, below a summary of the rule's declaration.

use aksarc_shared::data::known_issues::KnownIssue;
use aksarc_shared::data::{Data, Document, Platform};
use aksarc_shared::k8s::certificate;
use aksarc_shared::rules::derive;
use aksarc_shared::rules::rule::{Mode, Rule, Scope};

use super::sheet::Sheet;
use super::style::Paint;
use super::wording::dated;

/// The page as text, folded to `width` columns where one is given.
pub fn page(rule: &Rule, data: &Data, width: Option<usize>) -> String {
    let mut page = RulePage { out: Sheet::new(width.map(|width| width.min(WIDE))) };
    page.line(&Paint::bold(format_args!("{} {}", rule.code, rule.slug)));
    page.text("  ", rule.summary);
    page.line("");
    facts(&mut page, rule, data);
    page.line("");
    // The page's own heading repeats code and slug.
    let body = rule.page.strip_prefix("# ").and_then(|page| page.split_once('\n')).map_or(rule.page, |(_, body)| body);
    let (examples, sections): (Vec<&str>, Vec<&str>) =
        body.trim().split("\n## ").partition(|section| section.starts_with("Examples"));
    // Examples are long, and most readers look for the supported way.
    for section in sections.into_iter().chain(examples) {
        let section = section.strip_prefix("## ").unwrap_or(section);
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        page.line(&Paint::bold(heading));
        page.markdown(text.trim_end());
        page.line("");
    }
    known_issues(&mut page, rule, data);
    format!("{}\n", page.out.into_text().trim_end())
}

fn facts(page: &mut RulePage, rule: &Rule, data: &Data) {
    let platforms: Vec<&str> = rule.platforms.iter().map(|platform| platform.as_str()).collect();
    let consequences = by_platform(rule, |platform| rule.consequence_on(platform).as_str().to_owned());
    page.fact("consequence", &consequences);
    let bases = by_platform(rule, |platform| {
        let basis = rule.basis_on(platform);
        format!("{} ({})", basis.as_str(), basis.phrase())
    });
    page.fact("basis", &bases);
    for document in documents(rule) {
        let address = document.url.as_ref().map(|url| format!(", {url}")).unwrap_or_default();
        let note = document.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        page.fact("page", &format!("{}{note}{address}", dated(document)));
    }
    page.fact("platforms", &platforms.join(", "));
    let reads: Vec<String> = rule
        .reads
        .iter()
        .map(|read| match read.scope {
            Scope::Cluster | Scope::IfRead => read.kind.qualified(),
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
    let judges_states = rule.state.per_object.is_some() || rule.state.per_cluster.is_some();
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
    page.fact("instead", rule.instead);
    for document in data.policy_texts() {
        if rule.platforms.iter().any(|platform| document.platforms.contains(platform)) {
            page.fact("text", &dated(document));
        }
    }
    if !rule.clauses.is_empty() {
        page.fact("clauses", "in our words");
    }
    for clause in rule.clauses {
        if let Some(row) = data.clauses.iter().find(|row| row.id == clause.as_str()) {
            page.text(&format!("    {}  ", row.id), &format!("{}: {}", row.section, row.says));
        }
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
fn known_issues(page: &mut RulePage, rule: &Rule, data: &Data) {
    let own = |issue: &&KnownIssue| issue.rules.iter().any(|code| code == rule.code.as_str());
    let issues: Vec<&KnownIssue> = data.known_issues.iter().filter(own).collect();
    if issues.is_empty() {
        return;
    }
    page.line(&Paint::bold("Known issues"));
    for issue in issues {
        page.text("- ", &format!("{}: {}", issue.id, issue.line()));
    }
}

struct RulePage {
    out: Sheet,
}

impl RulePage {
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

    /// Writes the paragraphs, lists and code of a page, which contains nothing else.
    fn markdown(&mut self, text: &str) {
        let mut paragraph: Option<(&str, String)> = None;
        let mut code = false;
        for line in text.lines() {
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
    }

    fn end(&mut self, paragraph: Option<(&str, String)>) {
        if let Some((lead, text)) = paragraph {
            self.text(lead, &text);
        }
    }
}

/// The widest text that is easy to read, in columns.
const WIDE: usize = 110;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_folded_and_code_is_not() {
        let text = "One sentence that is\nlonger than the width of this terminal is.\n\n- A list, and here too\n  it goes on for a while.\n- End.\n\n```yaml\nkind: Node\n```";
        let page = |width| {
            let mut page = RulePage { out: Sheet::new(width) };
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
