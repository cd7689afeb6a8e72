//! The generated parts of AA903's proof: the digests of its webhook configurations, and the groups that one of them
//! names.

use std::collections::BTreeMap;

use aksarc_shared::data::own::GENERATED;
use aksarc_shared::facts::digest::digest;
use aksarc_shared::k8s::read::yaml;
use aksarc_shared::rules::derive;
use anyhow::ensure;
use serde_json::Value;

/// The proof with the digests that its webhooks have, and with every group but [`LEFT_OUT`] below [`GROUPS`].
pub(super) fn renewed(text: &str) -> anyhow::Result<String> {
    let text = with_groups(text)?;
    let mut configurations = Vec::new();
    for document in yaml::documents(&text)? {
        collect(&document, &mut configurations);
    }
    let mark = format!("{GENERATED}: ");
    let mut parts = text.split(&mark);
    let mut renewed = parts.next().unwrap_or_default().to_owned();
    let places: Vec<&str> = parts.collect();
    ensure!(
        places.len() == configurations.len() && !places.is_empty(),
        "{} digests are written, and {} configurations have one",
        places.len(),
        configurations.len()
    );
    for (place, digest) in places.into_iter().zip(configurations) {
        let rest = place.trim_start_matches(|own: char| own.is_ascii_hexdigit());
        renewed = format!("{renewed}{mark}{digest}{rest}");
    }
    Ok(renewed)
}

/// The digests that the objects in a document should have, of those that have one.
fn collect(value: &Value, digests: &mut Vec<String>) {
    let annotations = value.pointer("/metadata/annotations");
    if annotations.and_then(|all| all.get(GENERATED)).is_some() {
        digests.push(digest(value.get("webhooks").unwrap_or(&Value::Null)));
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, digests)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, digests)),
        _ => {}
    }
}

fn with_groups(text: &str) -> anyhow::Result<String> {
    let watched = derive::watched(&BTreeMap::new());
    let mut groups: Vec<String> = watched.iter().map(|watched| format!("{:?}", watched.kind.group)).collect();
    groups.sort();
    groups.dedup();
    groups.retain(|group| *group != format!("{LEFT_OUT:?}"));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = lines.iter().position(|line| line.trim() == GROUPS);
    let line = at.and_then(|at| lines.get_mut(at + 1)).filter(|line| line.trim_start().starts_with("apiGroups: ["));
    let Some(line) = line else { anyhow::bail!("no apiGroups below {GROUPS:?}") };
    let indent = line.len() - line.trim_start().len();
    let plain = |group: &String| {
        let own = group.trim_matches('"');
        if own.is_empty() { group.clone() } else { own.to_owned() }
    };
    let groups: Vec<String> = groups.iter().map(plain).collect();
    *line = format!("{}apiGroups: [{}]", " ".repeat(indent), groups.join(", "));
    Ok(format!("{}\n", lines.join("\n")))
}

/// The comment above the list of groups.
const GROUPS: &str = "# All groups of kinds that rules guard, without operator.tigera.io.";
const LEFT_OUT: &str = "operator.tigera.io";

#[cfg(test)]
mod tests {
    use super::*;

    const PROOF: &str = include_str!("../../proofs/aa903.yaml");

    #[test]
    fn a_digest_or_a_group_that_is_wrong_is_mended() {
        let good = renewed(PROOF).unwrap();
        let (_, digest) = good.split_once("aksarc.dev/generated: ").unwrap();
        for (from, to) in [(&digest[..32], "0123456789abcdef0123456789abcdef"), ("autoscaling, ", "")] {
            let stale = good.replacen(from, to, 1);
            assert_ne!(stale, good, "{from}");
            assert_eq!(renewed(&stale).unwrap(), good, "{from}");
        }
    }

    #[test]
    fn a_proof_without_the_places_is_refused() {
        assert_eq!(renewed("rule: AA903\n").unwrap_err().to_string(), format!("no apiGroups below {GROUPS:?}"));
        let none = PROOF.replace("aksarc.dev/generated: ", "aksarc.dev/other: ");
        assert!(renewed(&none).unwrap_err().to_string().starts_with("0 digests are written, and 0 configurations"));
    }
}
