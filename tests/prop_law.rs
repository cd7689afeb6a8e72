//! The law that keeps check, dry run and guard one: for every attempted change the guard and the dry run say the same,
//! and what the change newly breaks shows in a check of the state after it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::semicolon_if_nothing_returned,
    reason = "helpers of tests are tests"
)]

mod law {
    pub(crate) mod edits;
    pub(crate) mod world;
}

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use aksarc_shared::actor::{Actor, User};
use aksarc_shared::change::{Change, Operation};
use aksarc_shared::check::{Check, Params};
use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::finding::{Consequence, Finding};
use aksarc_shared::guard::{Decision, Guard, Judgement, Preset, Settings};
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::kinds;
use aksarc_shared::read::json;
use aksarc_shared::report::Tool;
use aksarc_webhook::metrics::Metrics;
use aksarc_webhook::respond::Reviewer;
use arc_swap::ArcSwap;
use law::edits::{Edit, edits};
use law::world::World;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// How many changes one run draws, at the least.
const CASES: u32 = 2_500;

#[test]
fn guard_and_dry_run_agree_and_what_breaks_shows_in_the_state_after() {
    let runner = Runner::new();
    let mut drawn = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let seen = RefCell::new(BTreeSet::new());
    drawn
        .run(&edits(), |edit| {
            runner.holds(&edit)?;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    // A law over changes that no rule minds would prove nothing: every rule that judges changes must have spoken.
    let mut sample = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    sample
        .run(&edits(), |edit| {
            seen.borrow_mut().extend(runner.dry_run(&edit).findings().map(|finding| finding.code));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let guarding: BTreeSet<&str> = aksarc_shared::catalogue::ALL
        .iter()
        .filter(|rule| rule.change.is_some())
        .map(|rule| rule.code.as_str())
        .collect();
    assert_eq!(seen.into_inner(), guarding, "the drawn changes must touch every rule that judges changes");
    println!("{CASES} changes over {} rules", guarding.len());
}

struct Runner {
    settings: Settings,
    reviewer: Reviewer,
    now: Timestamp,
}

impl Runner {
    fn new() -> Self {
        let settings = Settings { mode: Preset::Enforce, platform: Some(Platform::AzureLocal), ..Settings::default() };
        let guard = Guard::new(embedded(), settings.clone()).unwrap();
        let reviewer = Reviewer::new(Arc::new(ArcSwap::from_pointee(guard)), Arc::new(Metrics::new()));
        Runner { settings, reviewer, now: "2026-06-02T09:15:00Z".parse().unwrap() }
    }

    fn holds(&self, edit: &Edit) -> Result<(), TestCaseError> {
        let judgement = self.dry_run(edit);
        let answer = self.guard(edit);
        let denied = judgement.decision() == Decision::Deny;
        prop_assert_eq!(answer["allowed"].as_bool(), Some(!denied), "{:?} {}", judgement, answer);
        if denied {
            prop_assert_eq!(answer["status"]["code"].as_u64(), Some(403));
            let causes = answer["status"]["details"]["causes"].as_array().cloned().unwrap_or_default();
            let refused = judgement.judged.iter().filter(|judged| judged.decision == Decision::Deny);
            let expected: BTreeSet<(&str, &str)> = refused.map(|j| (j.finding.code, &*j.finding.path)).collect();
            let found: BTreeSet<(&str, &str)> = causes
                .iter()
                .map(|c| (c["reason"].as_str().unwrap_or_default(), c["field"].as_str().unwrap_or_default()))
                .collect();
            prop_assert_eq!(found, expected);
        }
        let warned = judgement.judged.iter().filter(|judged| judged.decision == Decision::Warn);
        let warnings = answer["warnings"].as_array().cloned().unwrap_or_default();
        for judged in warned.filter(|_| !denied) {
            let said = warnings.iter().any(|line| line.as_str().is_some_and(|line| line.contains(judged.finding.code)));
            prop_assert!(said, "{} is not in {:?}", judged.finding.code, warnings);
        }
        if judgement.actor == Actor::Ambiguous {
            prop_assert!(!denied, "an ambiguous identity was denied");
        }
        self.shows_in_the_state_after(edit, &judgement)
    }

    fn shows_in_the_state_after(&self, edit: &Edit, judgement: &Judgement) -> Result<(), TestCaseError> {
        let Some(after) = &edit.after else { return Ok(()) };
        let mut world = World::healthy();
        if let Some(before) = &edit.before {
            world.insert(before.clone());
        }
        let earlier = self.state(&world);
        world.insert(after.clone());
        let later = self.state(&world);
        // A state tells who wrote a field by the manager's name alone, so what an unknown client did shows no author.
        if edit.who.is_known_tool {
            for finding in judgement.findings().filter(|finding| leaves_a_trace(finding, edit)) {
                let same = |other: &&Finding| other.code == finding.code && (other.object.name == finding.object.name);
                prop_assert!(later.iter().any(|other| same(&other)), "{:?} is not in {:?}", finding, later);
            }
        }
        // And the other way round: nothing new in the state that the guard did not see coming.
        let fresh =
            later.iter().filter(|finding| !earlier.iter().any(|other| other.fingerprint == finding.fingerprint));
        for finding in
            fresh.filter(|finding| finding.consequence != Consequence::Info && judgement.actor != Actor::Platform)
        {
            let foreseen = judgement.findings().any(|other| other.code == finding.code);
            prop_assert!(foreseen, "{:?} was not foreseen by {:?}", finding, judgement);
        }
        Ok(())
    }

    fn dry_run(&self, edit: &Edit) -> Judgement {
        let text = |value: &Option<Value>| value.as_ref().map(ToString::to_string);
        let (before, after) = (text(&edit.before), text(&edit.after));
        let object = |text: &'_ Option<String>| text.as_deref().map(str::to_owned);
        let (before, after) = (object(&before), object(&after));
        let before = before.as_deref().map(|text| json::object(text.as_bytes()).unwrap());
        let after = after.as_deref().map(|text| json::object(text.as_bytes()).unwrap());
        let some = before.as_ref().or(after.as_ref()).unwrap();
        let kind = kinds::of(&some.api_version, &some.kind).unwrap();
        let change = Change::new(Operation::parse(edit.operation).unwrap(), kind, edit.subresource, before, after);
        kubectl_aksarc::dry_run::judge(&change, &user(edit), &self.settings, self.now).unwrap()
    }

    fn guard(&self, edit: &Edit) -> Value {
        let body = review(edit).to_string();
        let answer: Value = serde_json::from_slice(&self.reviewer.answer(body.as_bytes()).unwrap()).unwrap();
        answer["response"].clone()
    }

    fn state(&self, world: &World) -> Vec<Finding> {
        let params = Params { platform: Some(Platform::AzureLocal), ..Params::at(self.now) };
        let mut check = Check::new(embedded(), params);
        check.server_version("v1.33.5");
        let texts: Vec<(String, String)> = world
            .objects
            .values()
            .map(|object| (object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned(), object.to_string()))
            .collect();
        for plan in [Check::plan_first, Check::plan_then] {
            for key in plan(&check) {
                let mut segment = check.segment(&key);
                for (namespace, text) in &texts {
                    let object = json::object(text.as_bytes()).unwrap();
                    let here = key.namespace.as_ref().is_none_or(|own| own == namespace);
                    if here && kinds::of(&object.api_version, &object.kind) == Some(key.kind) {
                        segment.object(&object);
                    }
                }
                check.complete(segment);
            }
        }
        check.finish(Tool::default(), "law", "").unwrap().findings
    }
}

/// What no state can show: a removal whose right value nothing tells, and a creation, which looks the same whoever made
/// the object first.
fn leaves_a_trace(finding: &Finding, edit: &Edit) -> bool {
    let removed = finding.after.is_none();
    let invariant = ["hostname", "arch", "kubernetes.io/os", "nodepool-name", "spec.finalizers"]
        .iter()
        .any(|part| finding.path.contains(part))
        && finding.path != "metadata.labels[kubernetes.io/metadata.name]";
    let created_component = finding.code == "AA301" && edit.operation == "CREATE";
    (!removed || invariant) && !created_component
}

fn user(edit: &Edit) -> User {
    User {
        name: edit.who.user.to_owned(),
        groups: edit.who.groups.iter().map(|group| (*group).to_owned()).collect(),
        credential_ids: Vec::new(),
        // A DELETE has no field manager.
        field_manager: if edit.operation == "DELETE" { String::new() } else { edit.who.manager.to_owned() },
    }
}

fn review(edit: &Edit) -> Value {
    let (kind, namespace, name) = &edit.key;
    let object = edit.after.as_ref().or(edit.before.as_ref()).unwrap();
    let api_version = object["apiVersion"].as_str().unwrap();
    let known = kinds::of(api_version, kind).unwrap();
    let options = if edit.operation == "DELETE" { json!({}) } else { json!({"fieldManager": edit.who.manager}) };
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "0f5c1c1c-0000-4000-8000-000000000001",
        "kind": {"group": known.group, "version": known.version, "kind": kind},
        "resource": {"group": known.group, "version": known.version, "resource": known.resource},
        "subResource": edit.subresource, "name": name, "namespace": namespace, "operation": edit.operation,
        "userInfo": {"username": edit.who.user, "groups": edit.who.groups},
        "object": edit.after, "oldObject": edit.before, "dryRun": false, "options": options,
    }})
}
