//! A report holds whatever somebody wrote into a cluster or into a saved report: it is read back as it was, and nothing
//! that is printed from it steers a terminal.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::LazyLock;

use aksarc_shared::data::embedded;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::ToolVersion;
use aksarc_shared::verdict::report::v1::{InputKindV1, InputV1, ReportV1};
use aksarc_tests::root;
use jiff::Timestamp;
use kubectl_aksarc::screen::format::ScreenFormat;
use kubectl_aksarc::screen::grid::Headings;
use kubectl_aksarc::screen::report::{GroupBy, Show, View, report};
use kubectl_aksarc::screen::style::Look;
use kubectl_aksarc::snapshot;
use proptest::prelude::*;
use serde_json::Value;

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_report_of_hostile_words_is_read_back_as_it_was(words in prop::collection::vec(hostile(), 1..40)) {
        let hostile = with(&words);
        let json = serde_json::to_string_pretty(&hostile).unwrap();
        let read = ReportV1::parse(&json).unwrap();
        prop_assert_eq!(&read, &hostile);
        prop_assert_eq!(serde_json::to_string_pretty(&read).unwrap(), json);
    }

    #[test]
    fn a_report_of_hostile_words_steers_no_terminal(words in prop::collection::vec(hostile(), 1..40)) {
        let hostile = with(&words);
        for format in [ScreenFormat::Table, ScreenFormat::Wide, ScreenFormat::Short, ScreenFormat::Name] {
            for group_by in [GroupBy::Rule, GroupBy::Object, GroupBy::Namespace] {
                let now = Timestamp::UNIX_EPOCH;
                let look = Look { ascii: false, width: Some(80), headings: Headings::Shown };
                let view = View { look, name: "kubectl aksarc", show: Show::All, group_by, now };
                let printed = report(&hostile, format, &view).unwrap();
                let steering = OWN_COLOURS.iter().fold(printed, |text, own| text.replace(own, ""));
                let found = steering.chars().find(|c| (c.is_control() && *c != '\n') || STEERING.contains(c));
                prop_assert_eq!(found, None, "{:?}: {:?}", format, steering);
            }
        }
    }
}

/// Words that somebody would choose who means harm, and any others.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just(String::new()),
        Just("\u{1b}[2J\u{1b}]0;x\u{7}".to_owned()),
        Just("a\r\n\n exit 0\u{2028}".to_owned()),
        Just("\u{202e}txt.exe\u{200b}\u{feff}\u{0}".to_owned()),
        Just("\"}],\"verdict\":\"within\"".to_owned()),
        Just("9".repeat(400)),
    ]
}

/// The report of a sample with other words in every field that holds any word, each taken in turn.
fn with(words: &[String]) -> ReportV1 {
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
static REPORT: LazyLock<Value> = LazyLock::new(|| {
    let mut check = Check::new(embedded(), Params::at("2026-12-01T00:00:00Z".parse().unwrap()));
    let about = snapshot::read::judge(&root().join("tests/clusters/drifted"), &mut check).unwrap();
    let input = InputV1 {
        kind: InputKindV1::Snapshot,
        taken: about.taken,
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

/// The codes of our own colours.
const OWN_COLOURS: [&str; 8] =
    ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[35m", "\u{1b}[36m"];

/// Characters that are no control characters and reorder or hide text all the same.
const STEERING: [char; 5] = ['\u{202e}', '\u{2028}', '\u{2066}', '\u{200b}', '\u{feff}'];
