//! A rule's page, with what the rule declares on top.

use std::fmt::Write as _;

use aksarc_shared::data::{Data, Platform};
use aksarc_shared::rule::{Mode, Rule, Scope};

use super::{Paint, dated};

/// The page as text.
pub fn page(rule: &Rule, data: &Data) -> String {
    let mut out = String::new();
    let mut say = |line: String| {
        // Writing to a String cannot fail.
        let _infallible = writeln!(out, "{line}");
    };
    say(Paint::bold(format_args!("{} {}", rule.code, rule.slug)));
    say(format!("  {}", rule.summary));
    say(String::new());
    let platforms: Vec<&str> = rule.platforms.iter().map(|platform| platform.as_str()).collect();
    let weights: Vec<_> = rule.platforms.iter().map(|platform| rule.consequence_on(*platform)).collect();
    let same = weights.windows(2).all(|pair| pair.first() == pair.last());
    let consequence = match weights.first() {
        Some(weight) if same => weight.as_str().to_owned(),
        _ => rule
            .platforms
            .iter()
            .map(|p: &Platform| format!("{} on {}", rule.consequence_on(*p).as_str(), p.as_str()))
            .collect::<Vec<_>>()
            .join(", "),
    };
    say(format!("  consequence  {consequence}"));
    say(format!("  basis        {} ({})", rule.basis.as_str(), rule.basis.phrase()));
    say(format!("  platforms    {}", platforms.join(", ")));
    let reads: Vec<String> = rule
        .reads
        .iter()
        .map(|read| match read.scope {
            Scope::Cluster => read.kind.qualified(),
            Scope::AddOnNamespaces | Scope::ComponentNamespaces => {
                format!("{} in system namespaces", read.kind.qualified())
            }
        })
        .collect();
    say(format!(
        "  reads        {}",
        match (reads.is_empty(), judges_states(rule)) {
            (false, _) => reads.join(", "),
            (true, true) => "the server's version".to_owned(),
            (true, false) => "nothing: it judges changes only".to_owned(),
        }
    ));
    if !rule.guards.is_empty() {
        let guards: Vec<String> = rule
            .guards
            .iter()
            .map(|guard| {
                let operations: Vec<&str> = guard.operations.iter().map(|operation| operation.as_str()).collect();
                let slash = if guard.subresource.is_empty() { "" } else { "/" };
                format!("{} {}{slash}{}", operations.join("|"), guard.kind.qualified(), guard.subresource)
            })
            .collect();
        let mode = match rule.mode {
            Mode::Off => "off",
            Mode::Warn => "warns",
            Mode::Deny => "denies in the enforce preset",
        };
        say(format!("  guards       {} ({mode})", guards.join(", ")));
    }
    say(format!("  instead      {}", rule.instead));
    for (number, clause) in rule.clauses.iter().enumerate() {
        if let Some(row) = data.clauses.iter().find(|row| row.id == *clause) {
            if number == 0 {
                say("  clauses      told in our words".to_owned());
            }
            say(format!("    {} {}: {}", row.id, row.section, row.says));
        }
    }
    for document in &data.documents {
        if rule.platforms.iter().any(|platform| document.platforms.contains(platform)) {
            say(format!("  text         {}", dated(document)));
        }
    }
    say(String::new());
    // The page's own heading repeats code and slug.
    let body = rule.page.strip_prefix("# ").and_then(|page| page.split_once('\n')).map_or(rule.page, |(_, body)| body);
    let (examples, sections): (Vec<&str>, Vec<&str>) =
        body.trim().split("\n## ").partition(|section| section.starts_with("Examples"));
    // Examples are long, and what to do instead is what somebody came for.
    for section in sections.into_iter().chain(examples) {
        let section = section.strip_prefix("## ").unwrap_or(section);
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        say(Paint::bold(heading));
        let mut code = false;
        for line in text.trim_end().lines() {
            if line.starts_with("```") {
                code = !code;
            } else if code {
                say(format!("    {line}"));
            } else {
                say(line.to_owned());
            }
            if line == "```" {
                say(String::new());
            }
        }
        say(String::new());
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out
}

fn judges_states(rule: &Rule) -> bool {
    rule.state.each.is_some() || rule.state.whole.is_some()
}
