//! Every rule's page has its headings, and its examples come out as they say.
//!
//! An example is a fenced YAML block whose first line is the question and the expected answer:
//!
//! ```text
//! # state: AA201 metadata.labels[kubernetes.io/hostname]
//! # state on windows-server, 2025-01-15: pass (why it is lawful)
//! # create: AA401 spec.providerID          one document
//! # update: pass (…)                       two documents, before and after
//! # update status: AA201 metadata.labels[…]
//! # delete: AA208 metadata                 one document
//! # manifests: AA303 metadata.namespace     what support-check -f says of them together
//! ```
//!
//! The answer is `pass`, `unknown`, `not-observable`, `info PATH`, or the code with one path per finding. Behind `info` or
//! the code, a weight, a basis, or both, say what all of the findings have: `AA204 at-risk documented PATH`. In a state, a
//! document `gitVersion: v1.33.5` is the server's version, `release: "2019"` the host's, `waivers` those given, and `probe: metrics` with `text:`
//! (or `forbidden: true`) what the API server answers to a probe. An `AttestationList` is what people answered. Lists that the
//! rule reads and no document is of are empty.

use std::collections::BTreeSet;

use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::facts::answers;
use aksarc_shared::facts::change::{Change, Operation};
use aksarc_shared::facts::inventory::{ReadKey, ReadState};
use aksarc_shared::facts::probe::{Probe, ProbeState};
use aksarc_shared::finding::{Basis, Consequence, Finding};
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::jiff::civil::Date;
use aksarc_shared::k8s::kinds::{self, Kind};
use aksarc_shared::k8s::object::{MAX_ENTRIES, Object};
use aksarc_shared::k8s::read::{json, yaml};
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::{Rule, Scope};
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::{Report, RuleResult, ToolVersion};
use aksarc_shared::verdict::weigh::merge;

#[test]
fn every_page_has_its_headings_in_order() {
    for rule in catalogue::ALL {
        let title = format!("# {} {}\n", rule.code, rule.slug);
        assert!(rule.page().starts_with(&title), "{} must begin with {title:?}", rule.code);
        let found: Vec<&str> = rule.page().lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(found, HEADINGS, "{}", rule.code);
        for clause in rule.clauses {
            assert!(rule.page().contains(clause.as_str()), "{} does not mention {clause}", rule.code);
        }
    }
}

#[test]
fn every_example_comes_out_as_it_says() {
    let mut wrong = Vec::new();
    for rule in catalogue::ALL {
        for example in examples(rule) {
            let Answer { words, standings, .. } = example.run(rule);
            let stands = |(weight, basis): &(Consequence, Basis)| {
                example.weight.is_none_or(|own| own == *weight)
                    && example.basis.as_deref().is_none_or(|own| own == basis.as_str())
            };
            if words != example.expected || !standings.iter().all(stands) {
                wrong.push(format!("{} is {words:?} {standings:?}:\n{}", rule.code, example.body));
            }
        }
    }
    assert!(wrong.is_empty(), "{} examples:\n{}", wrong.len(), wrong.join("\n"));
}

/// A missing part of a list may hold the object that makes a cluster lawful. Without it no rule may report anything
/// that it would not report with it, and no rule that rests on it may pass.
#[test]
fn a_list_that_was_not_read_accuses_nobody_and_acquits_nobody() {
    let mut left_out = 0;
    let mut wrong = Vec::new();
    for rule in catalogue::ALL {
        for example in examples(rule).iter().filter(|example| example.question == Question::State) {
            let whole = example.run(rule).words;
            for (kind, part) in example.unread(rule) {
                let Some(found) = example.without(rule, kind, part) else { continue };
                left_out += 1;
                let told =
                    || format!("{} without {} ({part:?}): {found:?}\n{}", rule.code, kind.qualified(), example.body);
                let is_new = |answer: &&String| answer.contains(' ') && !whole.contains(answer);
                if found.iter().any(|answer| is_new(&answer)) {
                    wrong.push(format!("accuses: {}", told()));
                }
                let rests_on = rule.reads.iter().any(|read| read.kind == kind && read.scope != Scope::IfRead);
                if rests_on && rule.platforms.contains(&example.platform) && found.is_empty() {
                    wrong.push(format!("passes: {}", told()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {left_out}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(left_out > catalogue::ALL.len(), "only {left_out} lists were left out");
}

#[test]
fn every_rule_shows_a_violation_a_pass_and_a_lawful_look_alike() {
    for rule in catalogue::ALL {
        let examples = examples(rule);
        let passing = examples.iter().filter(|e| e.expected.is_empty()).count();
        let violating = examples.iter().filter(|e| e.expected.iter().any(|answer| violates(answer, rule))).count();
        assert!(violating >= 1, "{} has no example that violates", rule.code);
        assert!(passing >= 2, "{} needs a passing example and a lawful look-alike", rule.code);
        if rule.change.is_some() {
            let judged = |e: &&Example| matches!(e.question, Question::Change(_));
            assert!(
                examples.iter().any(|e| judged(&e) && !e.expected.is_empty()),
                "{} shows no change it judges",
                rule.code
            );
        }
        if rule.state().per_object.is_some() || rule.state().per_cluster.is_some() {
            let state = |e: &&Example| e.question == Question::State;
            assert!(
                examples.iter().any(|e| state(&e) && !e.expected.is_empty()),
                "{} shows no state it judges",
                rule.code
            );
        }
    }
}

/// Whether an answer is a violation; of a rule that only informs, what it says.
fn violates(answer: &str, rule: &Rule) -> bool {
    let informs = rule.heaviest(&Platform::ALL) == Consequence::Info;
    answer.starts_with(rule.code.as_str()) || (informs && answer.starts_with("info "))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Manifests,
    State,
    Change(Operation),
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The part of a list that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    Whole,
    /// One object, by its place among those of its kind.
    Nth(usize),
    /// One that is there and cannot be read as its kind.
    Broken(usize),
    /// One with more managedFields than are looked at.
    Flooded(usize),
}

impl Unread {
    fn place(self) -> Option<usize> {
        match self {
            Unread::Whole => None,
            Unread::Nth(at) | Unread::Broken(at) | Unread::Flooded(at) => Some(at),
        }
    }

    /// The object that takes the place of another; `None` where it is gone.
    fn alter(self, object: &serde_json::Value) -> Option<String> {
        let mut object = object.clone();
        let meta =
            object.as_object_mut()?.entry("metadata").or_insert_with(|| serde_json::json!({})).as_object_mut()?;
        match self {
            Unread::Whole | Unread::Nth(_) => return None,
            Unread::Broken(_) => {
                meta.insert("ownerReferences".to_owned(), "no list".into());
            }
            Unread::Flooded(_) => {
                let entries = meta.get("managedFields").and_then(serde_json::Value::as_array);
                let mut all = entries.cloned().unwrap_or_default();
                all.resize(MAX_ENTRIES + 1, serde_json::json!({"manager": "kubectl-edit", "fieldsV1": {}}));
                meta.insert("managedFields".to_owned(), all.into());
            }
        }
        Some(object.to_string())
    }
}

struct Example {
    question: Question,
    subresource: String,
    platform: Platform,
    day: Date,
    /// Empty for a pass; otherwise `AA201 path`, `info path`, `unknown`, `not-observable`.
    expected: Vec<String>,
    /// The weight of every finding, where the example states it.
    weight: Option<Consequence>,
    /// The basis of every finding, where the example states it.
    basis: Option<String>,
    body: String,
}

/// The answer of a rule to an example.
struct Answer {
    words: Vec<String>,
    standings: Vec<(Consequence, Basis)>,
    /// Whether the list that was to be left out was one that the rule asks for.
    is_missed: bool,
}

impl Answer {
    fn of(report: &Report) -> Self {
        let outcome = report.rules.first().expect("one rule");
        let mut words = words(&report.findings);
        match outcome.outcome {
            RuleResult::Unknown | RuleResult::NotObservable => words.push(outcome.outcome.as_str().to_owned()),
            _ => {}
        }
        Answer { words, standings: standings(&report.findings), is_missed: false }
    }
}

fn examples(rule: &Rule) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut rest = rule.page();
    while let Some((_, after)) = rest.split_once("```yaml\n") {
        let (body, tail) = after.split_once("```").expect("a fence that ends");
        examples.push(Example::parse(rule, body));
        rest = tail;
    }
    examples
}

impl Example {
    fn parse(rule: &Rule, body: &str) -> Self {
        let header = body.lines().next().unwrap_or_default();
        let broken = || format!("{}: {header:?} is no question and answer", rule.code);
        let text = header.strip_prefix("# ").unwrap_or_else(|| panic!("{}", broken()));
        let (question, answer) = text.split_once(": ").unwrap_or_else(|| panic!("{}", broken()));
        let (question, setting) = question.split_once(" on ").unwrap_or((question, ""));
        let (mut platform, mut day) = (Platform::AzureLocal, "2026-06-01".parse().expect("a date"));
        for word in setting.split(", ").filter(|word| !word.is_empty()) {
            match Platform::parse(word) {
                Some(given) => platform = given,
                None => day = word.parse().unwrap_or_else(|_| panic!("{}", broken())),
            }
        }
        let (question, subresource) = question.split_once(' ').unwrap_or((question, ""));
        let question = match question {
            "manifests" => Question::Manifests,
            "state" => Question::State,
            "create" => Question::Change(Operation::Create),
            "update" => Question::Change(Operation::Update),
            "delete" => Question::Change(Operation::Delete),
            _ => panic!("{}", broken()),
        };
        let answer = answer.split(" (").next().unwrap_or_default().trim();
        let mut words = answer.split(' ').peekable();
        let first = words.next().unwrap_or_default();
        let weight = words.next_if(|word| Consequence::parse(word).is_some()).and_then(Consequence::parse);
        let basis = words.next_if(|word| BASES.contains(word)).map(str::to_owned);
        let paths: Vec<&str> = words.collect();
        let expected = match (first, paths.is_empty()) {
            ("pass", true) => Vec::new(),
            ("unknown" | "not-observable", true) => vec![first.to_owned()],
            (word, false) if word == "info" || word == rule.code.as_str() => {
                paths.iter().map(|path| format!("{word} {path}")).collect()
            }
            _ => panic!("{}", broken()),
        };
        let subresource = subresource.to_owned();
        Example { question, subresource, platform, day, expected, weight, basis, body: body.to_owned() }
    }

    fn documents(&self, rule: &Rule) -> Vec<String> {
        yaml::documents(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", rule.code, self.body))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Of each kind that the rule reads or a document is of: all of it, and each of its objects alone.
    fn unread(&self, rule: &Rule) -> Vec<(&'static Kind, Unread)> {
        let documents = self.documents(rule);
        let objects = documents.iter().filter_map(|document| json::object(document.as_bytes()).ok());
        let of_objects: Vec<&Kind> =
            objects.filter_map(|object| kinds::of(&object.api_version, &object.kind)).collect();
        let kinds: BTreeSet<&Kind> =
            of_objects.iter().copied().chain(rule.reads.iter().map(|read| read.kind)).collect();
        let lists = kinds.into_iter().map(|kind| (kind, Unread::Whole));
        let before = |at: usize, kind: &Kind| of_objects.iter().take(at).filter(|other| **other == kind).count();
        let single = of_objects.iter().enumerate().flat_map(|(at, kind)| {
            let place = before(at, kind);
            [Unread::Nth(place), Unread::Broken(place), Unread::Flooded(place)].map(|part| (*kind, part))
        });
        lists.chain(single).collect()
    }

    /// The answer to a state in which no list of a kind is read to its end; `None` where the rule asks for none.
    fn without(&self, rule: &'static Rule, kind: &'static Kind, part: Unread) -> Option<Vec<String>> {
        let answer = self.state(rule, &self.documents(rule), Some((kind, part)));
        answer.is_missed.then_some(answer.words)
    }

    fn run(&self, rule: &'static Rule) -> Answer {
        let documents = self.documents(rule);
        match self.question {
            Question::Manifests => self.manifests(rule, &documents),
            Question::State => self.state(rule, &documents, None),
            Question::Change(operation) => self.change(rule, operation, &documents),
        }
    }

    fn state(&self, rule: &'static Rule, documents: &[String], unread: Option<(&Kind, Unread)>) -> Answer {
        let now: Timestamp = format!("{}T00:00:00Z", self.day).parse().expect("a moment");
        let values: Vec<serde_json::Value> =
            documents.iter().map(|document| serde_json::from_str(document).expect("JSON")).collect();
        let word = |field: &str| values.iter().find_map(|value| value.get(field)?.as_str());
        let mut params = Params { platform: Some(self.platform), rules: vec![rule], ..Params::at(now) };
        // Objects that an example leaves out do not exist.
        params.as_written = true;
        params.release = word("release").map(str::to_owned);
        if let Some(waivers) = values.iter().find_map(|value| value.get("waivers")) {
            params.waivers = serde_json::from_value(waivers.clone()).expect("waivers");
        }
        // From the text: as kubectl reads YAML, the key `on` of a value would be `true`.
        for text in self.body.split("\n---").filter(|text| text.contains("kind: AttestationList")) {
            params.attestations.extend(answers::parse(text).expect("answers"));
        }
        let answers = |value: &&serde_json::Value| value["kind"] == "AttestationList";
        let mut check = Check::new(embedded(), params);
        if let Some(version) = word("gitVersion") {
            check.server_version(version);
        }
        for value in values.iter().filter(|value| value.get("probe").is_some()) {
            let probe = value["probe"].as_str().and_then(Probe::parse).expect("a probe");
            let state = match value.get("text").and_then(|text| text.as_str()) {
                Some(text) => ProbeState::Read(text.to_owned()),
                None => ProbeState::Forbidden,
            };
            check.probe(probe, state);
        }
        let special = ["gitVersion", "release", "probe", "waivers"];
        let is_object = |(_, value): &(_, &serde_json::Value)| {
            special.iter().all(|field| value.get(field).is_none()) && !answers(value)
        };
        let objects: Vec<Object<'_>> = documents
            .iter()
            .zip(&values)
            .filter(is_object)
            .map(|(document, _)| json::object(document.as_bytes()).expect("an object"))
            .collect();
        let values_of_objects: Vec<&serde_json::Value> =
            documents.iter().zip(&values).filter(is_object).map(|(_, value)| value).collect();
        let mut is_missed = false;
        for plan in [Check::plan_first, Check::plan_then] {
            for key in plan(&check) {
                let part = unread.filter(|(kind, _)| *kind == key.kind).map(|(_, part)| part);
                if part == Some(Unread::Whole) {
                    is_missed = true;
                    check.not_read(key, ReadState::Forbidden);
                    continue;
                }
                let mut segment = check.segment(&key);
                let mut of_kind =
                    objects.iter().filter(|object| kinds::of(&object.api_version, &object.kind) == Some(key.kind));
                let missed = part.and_then(Unread::place).and_then(|nth| of_kind.nth(nth));
                if let Some(missed) = missed.filter(|missed| belongs(missed, &key)) {
                    is_missed = true;
                    let read = |object: &&Object<'_>| belongs(object, &key) && !std::ptr::addr_eq(*object, missed);
                    objects.iter().filter(read).for_each(|object| segment.object(object));
                    let is_it = |(object, _): &(&Object<'_>, _)| std::ptr::addr_eq(*object, missed);
                    let value = objects.iter().zip(&values_of_objects).find(is_it).map(|(_, value)| *value);
                    match part.zip(value).and_then(|(part, value)| part.alter(value)) {
                        Some(text) => {
                            segment.object(&json::object(text.as_bytes()).expect("an object"));
                            check.complete(segment);
                        }
                        None => check.cut_short(segment, "the connection ended".to_owned()),
                    }
                    continue;
                }
                objects.iter().filter(|object| belongs(object, &key)).for_each(|object| segment.object(object));
                check.complete(segment);
            }
        }
        let report = check.finish(ToolVersion::default(), "example", "").expect("an AKS Arc cluster");
        Answer { is_missed, ..Answer::of(&report) }
    }

    fn manifests(&self, rule: &'static Rule, documents: &[String]) -> Answer {
        let now: Timestamp = format!("{}T00:00:00Z", self.day).parse().expect("a moment");
        let params = Params { platform: Some(self.platform), rules: vec![rule], ..Params::at(now) };
        let mut check = Check::new(embedded(), params);
        for document in documents {
            check.manifest(json::object(document.as_bytes()).expect("an object"));
        }
        let report =
            check.finish(ToolVersion::default(), "example", "").expect("manifests are no other product's cluster");
        Answer::of(&report)
    }

    fn change(&self, rule: &'static Rule, operation: Operation, documents: &[String]) -> Answer {
        let mut objects = documents.iter().map(|document| json::object(document.as_bytes()).expect("an object"));
        let (before, after) = match operation {
            Operation::Create => (None, objects.next()),
            Operation::Delete => (objects.next(), None),
            Operation::Update => (objects.next(), objects.next()),
        };
        assert!(objects.next().is_none(), "{}: too many documents", rule.code);
        let object = before.as_ref().or(after.as_ref()).expect("an object");
        let kind = kinds::of(&object.api_version, &object.kind)
            .unwrap_or_else(|| panic!("{}: unknown kind {}", rule.code, object.kind));
        let change = Change::new(operation, kind, &self.subresource, before.map(Box::new), after.map(Box::new));
        let judge = rule.change.unwrap_or_else(|| panic!("{} judges no change", rule.code));
        let findings = merge(rule, self.platform, judge(&change, embedded()));
        Answer { words: words(&findings), standings: standings(&findings), is_missed: false }
    }
}

fn words(findings: &[Finding]) -> Vec<String> {
    let word =
        |finding: &Finding| if finding.consequence == Consequence::Info { "info" } else { finding.code.as_str() };
    let mut words: Vec<String> = findings.iter().map(|finding| format!("{} {}", word(finding), finding.path)).collect();
    words.sort();
    words.dedup();
    words
}

fn standings(findings: &[Finding]) -> Vec<(Consequence, Basis)> {
    findings.iter().map(|finding| (finding.consequence, finding.basis)).collect()
}

fn belongs(object: &Object<'_>, key: &ReadKey) -> bool {
    let namespace = (!object.meta.namespace.is_empty()).then(|| object.meta.namespace.to_string());
    kinds::of(&object.api_version, &object.kind) == Some(key.kind)
        && (key.namespace == namespace || key.namespace.is_none())
}

const HEADINGS: [&str; 6] = ["What it checks", "Why it matters", "Examples", "Instead", "What it cannot see", "Source"];

const BASES: [&str; 4] = ["explicit", "documented", "derived", "operational"];
