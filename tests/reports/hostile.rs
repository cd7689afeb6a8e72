//! Reports with words in them that somebody would choose who means harm.

use std::sync::LazyLock;

use aksarc_shared::data::embedded;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::ToolVersion;
use aksarc_shared::verdict::report::v1::{InputKindV1, InputV1, ReportV1};
use aksarc_tests::root;
use kubectl_aksarc::snapshot;
use proptest::prelude::*;
use serde_json::Value;

/// Words that somebody would choose who means harm, and any others.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just(String::new()),
        Just("\u{1b}[2J\u{1b}]0;x\u{7}".to_owned()),
        Just("a\r\n\n exit 0\u{2028}".to_owned()),
        Just("\u{202e}txt.exe\u{200b}\u{feff}\u{0}".to_owned()),
        Just("\"}],\"verdict\":\"within\"".to_owned()),
        Just("9".repeat(400)),
        Just("##vso[task.setvariable variable=x]y ##[error]z ::error::w ::add-mask::v %0A%0D%25%AZP25 ;]".to_owned()),
        Just("\n::error title=a::b\r\n##vso[task.complete result=Succeeded;]".to_owned()),
        Just("]]></system-out><testcase/> <!-- & &amp; \u{fffe}\u{ffff}\u{1}".to_owned()),
        Just("</script><script>alert(1)</script><img src=x onerror=y>".to_owned()),
        Just(
            "@org/team [a](https://example.com) ![b](c) | x | `y` ``z`` <b> www.example.com a@example.com #1 GH-1"
                .to_owned()
        ),
        Just("- a\n# b\n1. c\n---\n```\n> d | e \\| f \\".to_owned()),
        Just("=HYPERLINK(\"https://example.com\",\"x\")\r\n+1,-1,@SUM(1)\t".to_owned()),
        Just("\u{a0} ＝cmd|' /C calc'!A0".to_owned()),
        Just("a\"b\\c\nd} 1\naksarc_verdict{verdict=\"within\"} 1".to_owned()),
        Just("../../{0} [b](1) \u{2066}c".to_owned()),
    ]
}

/// The report of a sample with other words in every field that holds any word, each taken in turn.
pub(crate) fn with(words: &[String]) -> ReportV1 {
    let mut value = REPORT.clone();
    let mut words = words.iter().cycle();
    replace(&mut value, "", &mut words);
    serde_json::from_value(value).unwrap()
}

fn replace<'w>(value: &mut Value, way: &str, words: &mut impl Iterator<Item = &'w String>) {
    match value {
        Value::String(word) if !CLOSED.contains(&way) => word.clone_from(words.next().unwrap()),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, &format!("{way}[]"), words)),
        Value::Object(fields) => {
            let dot = if way.is_empty() { "" } else { "." };
            fields.iter_mut().for_each(|(key, field)| replace(field, &format!("{way}{dot}{key}"), words));
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The report of a sample in which everything can be found.
pub(crate) static REPORT: LazyLock<Value> = LazyLock::new(|| {
    let mut check = Check::new(embedded(), Params::at("2026-12-01T00:00:00Z".parse().unwrap()));
    let about = snapshot::read::judge(&root().join("tests/clusters/drifted"), &mut check).unwrap();
    let input = InputV1 {
        kind: InputKindV1::Snapshot,
        taken: about.taken,
        taken_at: None,
        as_of: Some("2026-12-01T00:00:00Z".to_owned()),
        nodes_read: true,
        unjudged: 1,
        recorded: 1,
    };
    let report = check.finish(ToolVersion::default(), "drifted", "").unwrap();
    serde_json::to_value(ReportV1::new(report, input)).unwrap()
});

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
