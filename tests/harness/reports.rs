//! Reports of the sample clusters, and the same with other words in them.

use aksarc_shared::data::embedded;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::ToolVersion;
use aksarc_shared::verdict::report::v1::{InputKindV1, InputV1, ReportV1};
use kubectl_aksarc::snapshot;
use serde_json::Value;

use crate::root;

/// The report of a sample cluster, as of the moment of `params`.
///
/// # Errors
/// There is no such sample, or it cannot be judged.
pub fn of_sample(name: &str, params: Params, tool: ToolVersion, context: &str) -> anyhow::Result<ReportV1> {
    let as_of = Some(params.now.to_string());
    let mut check = Check::new(embedded(), params);
    let about = snapshot::read::judge(&root().join("tests/clusters").join(name), &mut check)?;
    let input = InputV1 { as_of, ..InputV1::of(InputKindV1::Snapshot, about.taken) };
    Ok(ReportV1::new(check.finish(tool, context, "")?, input))
}

/// The report with other words in every field that holds any word, each taken in turn.
///
/// # Errors
/// A word stands in a field that takes only some.
pub fn with_words<'w>(report: &ReportV1, words: impl IntoIterator<Item = &'w str>) -> anyhow::Result<ReportV1> {
    let mut value = serde_json::to_value(report)?;
    replace(&mut value, "", &mut words.into_iter());
    Ok(serde_json::from_value(value)?)
}

fn replace<'w>(value: &mut Value, way: &str, words: &mut impl Iterator<Item = &'w str>) {
    match value {
        Value::String(word) if !CLOSED.contains(&way) => words.next().unwrap_or_default().clone_into(word),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, &format!("{way}[]"), words)),
        Value::Object(fields) => {
            let dot = if way.is_empty() { "" } else { "." };
            fields.iter_mut().for_each(|(key, field)| replace(field, &format!("{way}{dot}{key}"), words));
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The fields that hold one word of a closed set.
const CLOSED: [&str; 10] = [
    "apiVersion",
    "kind",
    "input.kind",
    "verdict",
    "verdictBasis",
    "failOn",
    "rules[].outcome",
    "findings[].consequence",
    "findings[].basis",
    "clauses[].state",
];
