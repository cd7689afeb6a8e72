//! The shortcut that reads a review agrees with the JSON parser: each review is answered twice, once in a form that the
//! shortcut leaves to the parser, and both answers are the same bytes.
//!
//! Objects of every kind that rules judge are changed at random, and their text is written in the many ways in which
//! JSON can be. No key stands twice in a map: the API server writes reviews from structs and maps.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

use std::cell::Cell;
use std::fmt::Write as _;

use aksarc_shared::k8s::kinds;
use aksarc_tests::reviews;
use aksarc_webhook::refusal::HttpRefusal;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// The number of reviews that one run draws.
const CASES: u32 = 4_000;

#[test]
fn both_ways_to_read_a_review_come_to_the_same() {
    let (reviewer, _) = reviews::enforcing().unwrap();
    let objects = reviews::objects().unwrap();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config { cases: CASES, ..Config::default() }, rng);
    let drawn = (any::<prop::sample::Index>(), edits(), edits(), 0..3_usize, form(), prop::option::of(damage()));
    let (judged, broken) = (Cell::new(0), Cell::new(0));
    runner
        .run(&drawn, |(which, before, after, operation, form, damage)| {
            let object = which.get(&objects);
            let sides =
                [before, after].map(|edits| edits.iter().fold(object.clone(), |object, edit| edit.apply(object)));
            let mut body = form.write(&review(object, ["CREATE", "UPDATE", "DELETE"][operation], sides)).into_bytes();
            if let Some(damage) = damage {
                damage.apply(&mut body);
            }
            let own = reviewer.answer(&body);
            if serde_json::from_slice::<IgnoredAny>(&body).is_err() {
                broken.set(broken.get() + 1);
                // The API server sends nothing of the kind: that there is an answer, or a refusal, is enough.
                if let Ok(answer) = own {
                    serde_json::from_slice::<Value>(&answer).unwrap();
                }
                return Ok(());
            }
            let Some(parsed) = for_the_parser(&body) else { return Ok(()) };
            judged.set(judged.get() + 1);
            prop_assert_eq!(text(own), text(reviewer.answer(&parsed)), "{}", String::from_utf8_lossy(&body));
            Ok(())
        })
        .unwrap();
    let (judged, broken) = (judged.get(), broken.get());
    assert!(judged > 2_500 && broken > 200, "{judged} reviews compared, {broken} broken");
}

/// The same review with a member that nobody reads and whose key has an escape: that is left to the parser.
fn for_the_parser(body: &[u8]) -> Option<Vec<u8>> {
    let at = body.iter().position(|byte| *byte == b'{')? + 1;
    let (head, rest) = body.split_at(at);
    let member: &[u8] = if rest.trim_ascii_start().starts_with(b"}") { br#""\u0078":0"# } else { br#""\u0078":0,"# };
    Some([head, member, rest].concat())
}

fn text(answer: Result<Vec<u8>, HttpRefusal>) -> Result<String, u16> {
    // What was wrong stands at another column.
    answer.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|refusal| refusal.status.as_u16())
}

/// The review of a change of `object`, whose sides may be anything.
fn review(object: &Value, operation: &str, [before, after]: [Value; 2]) -> Value {
    let kind = kinds::of(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap()).unwrap();
    let before = if operation == "CREATE" { Value::Null } else { before };
    let after = if operation == "DELETE" { Value::Null } else { after };
    let mut review = reviews::review(kind, operation, &before, &after);
    review["request"]["name"] = object["metadata"]["name"].clone();
    review["request"]["namespace"] = object["metadata"]["namespace"].as_str().unwrap_or_default().into();
    review
}

/// A change of one place of an object.
#[derive(Clone, Debug)]
struct Edit {
    place: prop::sample::Index,
    value: Value,
}

impl Edit {
    fn apply(&self, mut object: Value) -> Value {
        let places = places(&object, String::new());
        let place: &String = self.place.get(&places);
        if let Some(place) = object.pointer_mut(place) {
            *place = self.value.clone();
        }
        object
    }
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let value = prop_oneof![
        4 => "[ -~]{0,12}".prop_map(Value::from),
        1 => "\\PC{0,6}".prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => (-1.0e9..1.0e9).prop_map(|number: f64| json!(number)),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!([])),
        1 => Just(json!({})),
        1 => Just(json!({"a\"b": ["}]", {"c": -1.5e-3}]})),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), value).prop_map(|(place, value)| Edit { place, value }), 0..3)
}

/// The paths of all values of an object, as JSON pointers.
fn places(value: &Value, path: String) -> Vec<String> {
    let below =
        |key: &str, value: &Value| places(value, format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")));
    let mut all: Vec<String> = match value {
        Value::Object(fields) => fields.iter().flat_map(|(key, value)| below(key, value)).collect(),
        Value::Array(items) => items.iter().enumerate().flat_map(|(at, item)| below(&at.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    all.push(path);
    all
}

/// The form of a text: with or without white space, and with some of its letters escaped.
#[derive(Clone, Debug)]
struct Form {
    pretty: bool,
    escaped: Option<char>,
}

fn form() -> impl Strategy<Value = Form> {
    let letters = prop::option::weighted(0.4, prop::sample::select(vec!['a', 'e', 'k', 'm', 's', 'Z', '/']));
    (any::<bool>(), letters).prop_map(|(pretty, escaped)| Form { pretty, escaped })
}

impl Form {
    fn write(&self, value: &Value) -> String {
        let text = if self.pretty { serde_json::to_string_pretty(value).unwrap() } else { value.to_string() };
        let Some(letter) = self.escaped else { return text };
        // Only within strings, and not behind a backslash: there a letter has a meaning of its own.
        let (mut inside, mut behind) = (false, false);
        let mut written = String::with_capacity(text.len());
        for own in text.chars() {
            if inside && !behind && own == letter {
                write!(written, "\\u{:04x}", u32::from(own)).unwrap();
            } else {
                written.push(own);
            }
            inside ^= own == '"' && !behind;
            behind = own == '\\' && !behind;
        }
        written
    }
}

/// Damage to a text on its way.
#[derive(Clone, Debug)]
enum Damage {
    /// It ends early.
    Cut(prop::sample::Index),
    /// One byte is another one.
    Byte(prop::sample::Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\ntf0-. ".to_vec())];
    prop_oneof![
        1 => any::<prop::sample::Index>().prop_map(Damage::Cut),
        4 => (any::<prop::sample::Index>(), bytes).prop_map(|(at, byte)| Damage::Byte(at, byte)),
    ]
}

impl Damage {
    fn apply(&self, body: &mut Vec<u8>) {
        match self {
            Damage::Cut(at) => body.truncate(at.index(body.len())),
            Damage::Byte(at, byte) => {
                let at = at.index(body.len());
                body[at] = *byte;
            }
        }
    }
}
