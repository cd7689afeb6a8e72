//! YAML as kubectl reads it: the real kubectl reads the same texts, and makes the same JSON of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::process::Command;

use aksarc_shared::k8s::read::yaml;
use aksarc_tests::Finished;
use aksarc_tests::binaries::Tool;
use serde_json::Value;

#[test]
fn values_are_those_of_kubectl() {
    let lines: Vec<String> = SCALARS.iter().map(|scalar| format!("- {scalar}\n")).collect();
    compare(&SCALARS, &lines);
}

#[test]
fn keys_are_those_of_kubectl() {
    let keys: Vec<&str> = SCALARS.iter().filter(|scalar| !NO_KEYS.contains(scalar)).copied().collect();
    let lines: Vec<String> = keys.iter().map(|scalar| format!("- {scalar}: 1\n")).collect();
    compare(&keys, &lines);
}

#[test]
fn whole_texts_are_read_as_kubectl_reads_them() {
    for text in TEXTS {
        let (ours, kubectls) = (ours(text).unwrap(), kubectl(text).unwrap());
        assert!(same(&ours, &kubectls), "{text}\nkubectl: {kubectls}\nours: {ours}");
    }
}

#[test]
fn what_kubectl_refuses_is_refused() {
    let refused = NO_KEYS.iter().map(|key| format!("{key}: 1\n")).chain(REFUSED.iter().map(|text| (*text).to_owned()));
    for text in refused {
        let text = text.replace('\n', "\n  ");
        let text = format!("\n  {}\n", text.trim_end());
        assert!(kubectl(&text).is_err(), "kubectl reads {text:?}");
        assert!(ours(&text).is_err(), "we read {text:?} as {:?}", ours(&text));
    }
}

#[track_caller]
fn compare(scalars: &[&str], lines: &[String]) {
    let text = format!("\n{}", lines.concat());
    let (ours, kubectls) = (ours(&text).unwrap(), kubectl(&text).unwrap());
    let (ours, kubectls) = (ours.as_array().unwrap(), kubectls.as_array().unwrap());
    assert_eq!((ours.len(), kubectls.len()), (scalars.len(), scalars.len()));
    let pairs = scalars.iter().zip(ours.iter().zip(kubectls));
    let differences = pairs.filter(|(_, (own, theirs))| !same(own, theirs));
    let differences: Vec<String> =
        differences.map(|(scalar, (own, theirs))| format!("{scalar}: kubectl {theirs}, ours {own}")).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The field `x` of an object, as we read it.
fn ours(text: &str) -> Result<Value, String> {
    let documents = yaml::documents(&object(text)).map_err(|error| error.to_string())?;
    Ok(documents[0]["x"].clone())
}

/// The same, as kubectl prints it.
fn kubectl(text: &str) -> Result<Value, String> {
    let mut command = Command::new(Tool::Kubectl.path().unwrap());
    command.args(["label", "--local", "-f", "-", "a=b", "-o", "json"]).env_clear();
    let finished = Finished::run(&mut command, Some(&object(text))).unwrap();
    if finished.code != Some(0) {
        return Err(finished.stderr);
    }
    Ok(serde_json::from_str::<Value>(&finished.stdout).unwrap()["x"].clone())
}

fn object(text: &str) -> String {
    format!("apiVersion: example.com/v1\nkind: Text\nmetadata: {{name: a}}\nx: {text}")
}

/// Whether two values mean the same. JSON has one kind of number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

const SCALARS: [&str; 78] = [
    "on",
    "On",
    "ON",
    "off",
    "OFF",
    "yes",
    "Yes",
    "YES",
    "no",
    "No",
    "NO",
    "y",
    "Y",
    "n",
    "N",
    "true",
    "True",
    "TRUE",
    "false",
    "False",
    "FALSE",
    "~",
    "null",
    "Null",
    "NULL",
    "0",
    "1",
    "-1",
    "+1",
    "007",
    "0644",
    "08",
    "019",
    "0o14",
    "0x10",
    "0X1F",
    "0b101",
    "0b2",
    "-0x10",
    "1_000",
    "_1",
    "1.0",
    "1.",
    ".5",
    "-.5",
    "+.5",
    "1e3",
    "1E3",
    "1e+3",
    "1.5e3",
    "1.30",
    "1.25",
    "1234567.5",
    "0.00001",
    "9223372036854775807",
    "-9223372036854775808",
    "1:30",
    "190:20:30",
    "2001-01-01",
    "2001-12-14t21:59:43.10-05:00",
    "1.2.3",
    "v1",
    "0.1.0",
    "1,000",
    "=",
    "'12'",
    "\"yes\"",
    "!!str yes",
    "!!int '3'",
    "!!float 3",
    "0x",
    "0b",
    "00",
    "0_7",
    "1e",
    "0777",
    "1.e3",
    "a b",
];

/// Keys that kubectl refuses.
const NO_KEYS: [&str; 4] = ["~", "null", "Null", "NULL"];

/// What kubectl refuses beside those.
const REFUSED: [&str; 5] = ["a: .inf", "a: .nan", "? [a]\n: 1", "a: [", "a: *b"];

const TEXTS: [&str; 8] = [
    "{on: 1, 'on': 2, a: 1, a: 2}\n",
    "\n  a: &a {b: 1, c: 2}\n  d:\n    <<: *a\n    c: 3\n",
    "\n  a: &a [1, 2]\n  b: *a\n",
    "\n  a: |\n    one\n      two\n\n  b: >-\n    three\n    four\n  c: |+\n    five\n\n",
    "\n  a: 'it''s'\n  b: \"tab\\tline\\n\\u00e9\"\n  c: plain # with a remark\n",
    "\n- a\n- - b\n  - c\n-\n  d: e\n",
    "\n  ? a\n  : b\n  empty:\n  list: []\n  map: {}\n",
    "\n  5: {0x10: {1.5: {no: {}}}}\n",
];
