//! The rights of the guard's account: those of the shipped manifest, and what SECURITY.md says that each is for.

use std::collections::BTreeSet;
use std::fmt;

use aksarc_shared::k8s::read::yaml;
use aksarc_webhook::manifest::{self, ManifestOptions};
use anyhow::Context;
use serde_json::Value;

use crate::root;

/// One verb of one rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    pub verb: String,
    /// As kubectl writes it, with its group: `validatingwebhookconfigurations.admissionregistration.k8s.io`.
    pub resource: String,
    /// The one object that it is limited to; empty where it is not.
    pub name: String,
}

impl fmt::Display for Right {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Right { verb, resource, name } = self;
        if name.is_empty() { write!(out, "{verb} {resource}") } else { write!(out, "{verb} {resource}/{name}") }
    }
}

/// A right as SECURITY.md lists it.
#[derive(Clone, Debug)]
pub struct RightRow {
    /// The right, as it is printed.
    pub right: String,
    /// The series that grows without it, as Prometheus prints its name and labels.
    pub series: String,
    /// A part of the line that the guard logs without it.
    pub line: String,
}

/// The roles of the shipped manifest.
///
/// # Errors
/// It is no YAML.
pub fn roles() -> anyhow::Result<Vec<Value>> {
    let printed = manifest::render(&ManifestOptions::default());
    let documents = yaml::documents(&printed)?;
    Ok(documents.into_iter().filter(|document| matches!(kind(document), "Role" | "ClusterRole")).collect())
}

/// The rights that a role gives.
pub fn of(role: &Value) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in rules(role) {
        let names = match words(rule, "resourceNames") {
            names if names.is_empty() => vec![""],
            names => names,
        };
        for (resource, group) in words(rule, "resources").into_iter().zip(words(rule, "apiGroups").into_iter().cycle())
        {
            let resource = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
            for name in &names {
                for verb in words(rule, "verbs") {
                    let (verb, name) = (verb.to_owned(), (*name).to_owned());
                    rights.insert(Right { verb, resource: resource.clone(), name });
                }
            }
        }
    }
    rights
}

/// The role without one right. A rule that gives nothing any more is left out.
pub fn without(role: &Value, right: &Right) -> Value {
    let mut role = role.clone();
    let Some(rules) = role.get_mut("rules").and_then(Value::as_array_mut) else { return role };
    for rule in &mut *rules {
        let of_rule = of(&serde_json::json!({"rules": [rule]}));
        if let Some(verbs) = rule.get_mut("verbs").and_then(Value::as_array_mut)
            && of_rule.contains(right)
        {
            verbs.retain(|verb| *verb != *right.verb);
        }
    }
    rules.retain(|rule| !words(rule, "verbs").is_empty());
    role
}

/// The table of SECURITY.md.
///
/// # Errors
/// It is not there.
pub fn table() -> anyhow::Result<Vec<RightRow>> {
    let text = std::fs::read_to_string(root().join("SECURITY.md"))?;
    let table = text.split(HEAD).nth(1).with_context(|| format!("SECURITY.md has no table {HEAD}"))?;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [right, _, series, line] = cells.as_slice() else { anyhow::bail!("no row of four: {line}") };
        let plain = |cell: &str| cell.trim_matches('`').to_owned();
        Ok(RightRow { right: plain(right), series: plain(series), line: plain(line) })
    };
    rows.map(row).collect()
}

fn kind(document: &Value) -> &str {
    document.get("kind").and_then(Value::as_str).unwrap_or_default()
}

fn rules(role: &Value) -> impl Iterator<Item = &Value> {
    role.get("rules").and_then(Value::as_array).into_iter().flatten()
}

fn words<'v>(rule: &'v Value, field: &str) -> Vec<&'v str> {
    rule.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

const HEAD: &str = "| Right | Without it | Counted as | Logged as |";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_lists_every_right_of_the_manifest_and_no_other() {
        let mut given: Vec<String> = roles().unwrap().iter().flat_map(of).map(|right| right.to_string()).collect();
        given.sort();
        let mut listed: Vec<String> = table().unwrap().into_iter().map(|row| row.right).collect();
        listed.sort();
        assert_eq!(given, listed);
    }

    #[test]
    fn a_role_without_a_right_gives_all_others() {
        for role in roles().unwrap() {
            let rights = of(&role);
            for right in &rights {
                let mut others = rights.clone();
                others.remove(right);
                assert_eq!(of(&without(&role, right)), others);
            }
        }
    }
}
