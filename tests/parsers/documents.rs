//! Parsers of whole files: YAML and JSON, waivers, answers, baselines, the guard's configuration, the index of a
//! snapshot.

use aksarc_shared::facts::{answers, baseline};
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::read::{json, yaml};
use aksarc_shared::people::waiver;
use aksarc_webhook::config;
use kubectl_aksarc::snapshot::index::Index;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::draw::{each, mangled, printed, texts};

/// Each reads a file.
const CASES: u32 = 1_000;

const WAIVERS: &str = include_str!("../from-0.1.0/waivers.yaml");
const ANSWERS: &str = include_str!("../from-0.1.0/answers.yaml");
const GUARD: &str = include_str!("../../deploy/guard-config.example.yaml");
const BASELINE: &str = include_str!("../from-0.1.0/baseline.json");
const INDEX: &str = include_str!("../clusters/drifted/index.json");

#[test]
fn json_is_yaml_and_comes_to_the_same() {
    each(CASES, value(), |value| {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            // An empty document is none.
            let expected = if value.is_null() { Vec::new() } else { vec![value.clone()] };
            assert_eq!(yaml::documents(&text).unwrap(), expected, "{text}");
        }
    });
    each(CASES, texts(&["a: [1, {b: c}]\n---\nd: &x |\n  e\n", "{\"a\": [1, null]}", "- a\n- b: *x\n"]), |text| {
        // An error says what is wrong, and where it can be shown.
        if let Err(error) = yaml::documents(&text) {
            assert!(!error.to_string().is_empty(), "{text:?}");
        }
    });
}

#[test]
fn a_page_holds_the_items_that_it_was_made_of() {
    let items = prop::collection::vec(("[a-z]{1,8}", value()), 0..5);
    each(CASES, (items, "[a-z]{0,5}"), |(items, token)| {
        let objects: Vec<Value> =
            items.iter().map(|(name, value)| json!({"metadata": {"name": name}, "spec": value})).collect();
        let text = json!({"kind": "List", "metadata": {"continue": token}, "items": objects}).to_string();
        let mut names = Vec::new();
        let page = json::page(text.as_bytes(), |object| names.push(object.meta.name.to_string())).unwrap();
        assert_eq!(names, items.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
        assert_eq!((page.items, page.continue_token.as_deref().unwrap_or_default()), (items.len(), &*token));
    });
    let good = r#"{"kind":"NodeList","metadata":{"continue":"a"},"items":[{"metadata":{"name":"a"}},{"spec":null}]}"#;
    each(CASES, mangled(good), |text| {
        // Nothing is a page that is no JSON, and every object of a page was handed out.
        let mut objects = 0;
        let page = json::page(text.as_bytes(), |_| objects += 1);
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        assert!(page.is_err() || is_json, "{text}");
        assert!(page.map_or(true, |page| page.items == objects), "{text}");
    });
}

#[test]
fn waivers_say_what_was_written() {
    let texts = (printed(), printed(), printed(), prop::option::of(printed()), 0..4_000_000_000_i64);
    each(CASES, texts, |(name, reason, path, ticket, expires)| {
        let expires = Timestamp::from_second(expires).unwrap();
        let mut item = json!({"name": name, "rules": ["AA303"], "match": {"kind": "Pod", "name": "a", "path": path},
            "reason": reason, "requestedBy": "a", "approvedBy": "b", "expires": expires.to_string()});
        if let Some(ticket) = &ticket {
            item["ticket"] = json!(ticket);
        }
        let file = json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "SupportWaiverList", "items": [item]});
        let read = waiver::parse(&file.to_string()).unwrap().remove(0);
        assert_eq!((read.name.clone(), read.reason.clone(), read.matches.path.clone()), (name, reason, Some(path)));
        assert_eq!((read.ticket.clone(), read.expires), (ticket, expires));
        let again = json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "SupportWaiverList", "items": [read]});
        assert_eq!(waiver::parse(&again.to_string()).unwrap(), [read]);
    });
    each(CASES, mangled(WAIVERS), |text| {
        if let Ok(waivers) = waiver::parse(&text) {
            let again = json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "SupportWaiverList", "items": waivers});
            assert_eq!(waiver::parse(&again.to_string()).unwrap(), waivers, "{text}");
        }
    });
}

#[test]
fn answers_say_what_was_written() {
    each(CASES, (printed(), printed(), any::<bool>(), 0..4_000_000_000_i64), |(by, note, fulfilled, on)| {
        let on = Timestamp::from_second(on).unwrap();
        let answer = if fulfilled { "fulfilled" } else { "not-fulfilled" };
        let item = json!({"clause": "C09", "answer": answer, "by": by, "on": on.to_string(), "note": note});
        let file = json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "AttestationList", "items": [item]});
        let read = answers::parse(&file.to_string()).unwrap().remove(0);
        assert_eq!((&read.by, &read.note, read.on.0), (&by, &note, on));
        assert_eq!(read.answer.as_str(), answer);
    });
    each(CASES, mangled(ANSWERS), |text| drop(answers::parse(&text)));
}

#[test]
fn a_baseline_that_is_read_is_written_as_it_was() {
    let good = baseline::parse(BASELINE).unwrap();
    assert_eq!(baseline::parse(&serde_json::to_string(&good).unwrap()).unwrap(), good);
    // A short one, so that mishaps meet every part.
    let short = {
        let mut value: Value = serde_json::from_str(BASELINE).unwrap();
        shorten(&mut value);
        value.to_string()
    };
    assert_ne!(baseline::parse(&short).unwrap(), good);
    each(CASES, mangled(&short), |text| {
        if let Ok(baseline) = baseline::parse(&text) {
            assert_eq!(baseline::parse(&serde_json::to_string(&baseline).unwrap()).unwrap(), baseline, "{text}");
        }
    });
}

#[test]
fn a_configuration_is_the_same_in_json_and_in_yaml() {
    let good: Value = yaml::parse(GUARD).unwrap();
    let good = good.to_string();
    assert!(config::guard(good.as_bytes()).is_ok(), "{good}");
    each(CASES, mangled(&good), |text| {
        let guard = config::guard(text.as_bytes());
        let Ok(value) = serde_json::from_str::<Value>(&text) else { return };
        // Written anew it says the same; a member that stood twice stands once.
        let again = config::guard(value.to_string().as_bytes());
        assert!(again.is_ok() || guard.is_err(), "{text}");
    });
    each(CASES, mangled(GUARD), |text| {
        if let Err(error) = config::guard(text.as_bytes()) {
            assert!(!error.to_string().is_empty(), "{text}");
        }
    });
    each(CASES, prop::collection::vec(any::<u8>(), 0..64), |bytes| drop(config::guard(&bytes)));
}

#[test]
fn an_index_that_is_read_is_written_as_it_was() {
    let good: Index = serde_json::from_str(INDEX).unwrap();
    assert_eq!(serde_json::from_str::<Index>(&serde_json::to_string(&good).unwrap()).unwrap(), good);
    let short = {
        let mut value: Value = serde_json::from_str(INDEX).unwrap();
        shorten(&mut value);
        value.to_string()
    };
    each(CASES, mangled(&short), |text| {
        if let Ok(index) = serde_json::from_str::<Index>(&text) {
            let again: Index = serde_json::from_str(&serde_json::to_string(&index).unwrap()).unwrap();
            assert_eq!(again, index, "{text}");
        }
    });
}

/// Leaves the first three of every list, and the first two of every map of many members.
fn shorten(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.truncate(3);
            items.iter_mut().for_each(shorten);
        }
        Value::Object(fields) => {
            if fields.len() > 12 {
                let kept: Vec<String> = fields.keys().take(2).cloned().collect();
                fields.retain(|key, _| kept.contains(key));
            }
            fields.values_mut().for_each(shorten);
        }
        _ => {}
    }
}

/// Any JSON of a few levels. Numbers are whole: how a fraction is printed is for each printer to choose.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
