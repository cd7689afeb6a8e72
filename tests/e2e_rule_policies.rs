//! The policies that `aksarc-webhook manifest --rules` prints, beside the guard on a real API server: what they refuse,
//! the guard refuses too, and what the guard refuses of their rules they refuse, but for named exceptions.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

mod rule_policies {
    pub(crate) mod edits;
    pub(crate) mod exceptions;
}

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aksarc_shared::data;
use aksarc_shared::verdict::guard::{Guard as Engine, Settings};
use aksarc_tests::guard::Guard;
use aksarc_tests::{Answer, ControlPlane, Http, Identity, PatchKind, samples, wait};
use aksarc_webhook::manifest::{self, rules};
use rule_policies::edits::{Edit, Stored, edits, traces};
use rule_policies::exceptions::{EXCEPTIONS, excepted};
use serde_json::{Value, json};

/// The number of changes that a run draws.
const CASES: usize = 1_200;

#[test]
fn policies_and_guard_refuse_the_same_changes_and_policies_do_it_alone() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let clients = Clients::of(&cluster);
    traces(&clients.people["alice"]);
    let mut guard = Guard::install(&cluster, &json!({"mode": "enforce", "platform": "azure-local"})).unwrap();
    let manifest = rules::render(&Engine::new(data::embedded(), Settings::default()).unwrap());
    // One request tells both: a policy that only warns leaves the refusal to the guard.
    apply(&cluster, &manifest.replace("validationActions: [Deny, Audit]", "validationActions: [Warn]"));
    let alice = &clients.people["alice"];
    for edit in Edit::samples() {
        wait::until(&format!("{edit:?}"), LIMIT, || {
            let answer = edit.send(alice);
            if policies_of(&answer).is_empty() { Err(format!("{} {:?}", answer.body, answer.warnings)) } else { Ok(()) }
        })
        .unwrap();
    }
    let stored = Stored::of(&cluster.http(&Identity::Admin).unwrap());
    let mut tally = Tally::default();
    for edit in edits(&stored, CASES) {
        let answer = edit.send(&clients.people[edit.who]);
        tally.add(&edit, &answer, &guard.webhooks);
    }
    println!("{}", tally.summary());
    assert!(tally.broken.is_empty(), "{:#?}", tally.broken);
    let covered: BTreeSet<&str> = COVERED.into_iter().collect();
    assert_eq!(tally.refused.keys().map(|code| &**code).collect::<BTreeSet<_>>(), covered, "{}", tally.summary());
    let needed: BTreeSet<&str> = tally.excepted.keys().copied().collect();
    assert_eq!(needed, EXCEPTIONS.iter().map(|exception| exception.reason).collect(), "{}", tally.summary());

    // As shipped, and with no guard that could answer.
    guard.kill();
    apply(&cluster, &manifest);
    for edit in Edit::samples() {
        let answer = wait::until(&format!("{edit:?}"), LIMIT, || {
            let answer = edit.send(alice);
            if answer.code == 403 { Ok(answer) } else { Err(answer.body) }
        });
        let body = answer.unwrap().body;
        let code = COVERED.iter().find(|code| body.contains(&format!("{code} ("))).unwrap_or_else(|| panic!("{body}"));
        let (_, instead) = Engine::new(data::embedded(), Settings::default()).unwrap().denial(code).unwrap();
        assert!(body.contains("is forbidden: ValidatingAdmissionPolicy '"), "{body}");
        for part in [instead, "aksarc.dev/open=", "delete ValidatingAdmissionPolicyBinding"] {
            assert!(body.contains(part), "{part}: {body}");
        }
        assert!(edit.send(&clients.people["platform"]).is_success(), "{edit:?}");
    }
    let space = format!("/api/v1/namespaces/{}", manifest::NAMESPACE);
    let open = json!({"metadata": {"annotations": {"aksarc.dev/open": "a test"}}});
    alice.patch(&space, PatchKind::Merge, &open).unwrap().object().unwrap();
    for edit in Edit::samples() {
        wait::until(&format!("{edit:?} after the opening"), LIMIT, || {
            let answer = edit.send(alice);
            if answer.is_success() { Ok(()) } else { Err(answer.body) }
        })
        .unwrap();
    }
}

/// The rules that the policies stand in for.
const COVERED: [&str; 7] = ["AA201", "AA202", "AA301", "AA302", "AA303", "AA307", "AA401"];

/// Those who make changes, by a word.
struct Clients {
    people: BTreeMap<&'static str, Http>,
}

impl Clients {
    fn of(cluster: &ControlPlane) -> Self {
        let platform = cluster.service_account("kube-system", "installer").unwrap();
        cluster.bind(&platform, "cluster-admin").unwrap();
        let who = [
            ("admin", Identity::Admin),
            ("alice", Identity::Person),
            ("argo", Identity::GitOps),
            ("platform", platform),
        ];
        Clients { people: who.map(|(word, who)| (word, cluster.http(&who).unwrap())).into() }
    }
}

#[derive(Default)]
struct Tally {
    changes: usize,
    /// How often both refused, by rule.
    refused: BTreeMap<String, usize>,
    excepted: BTreeMap<&'static str, usize>,
    broken: Vec<String>,
}

impl Tally {
    fn add(&mut self, edit: &Edit, answer: &Answer, webhooks: &[String]) {
        self.changes += 1;
        let by_policies = policies_of(answer);
        let by_guard = guards_codes(answer, webhooks);
        for code in &by_policies {
            if by_guard.contains(code) {
                *self.refused.entry(code.clone()).or_default() += 1;
            } else {
                self.broken
                    .push(format!("only the policy refuses, {code}: {edit:?} {} {:?}", answer.body, answer.warnings));
            }
        }
        for code in by_guard.iter().filter(|code| COVERED.contains(&&***code) && !by_policies.contains(*code)) {
            match excepted(code, edit) {
                Some(reason) => *self.excepted.entry(reason).or_default() += 1,
                None => self.broken.push(format!("only the guard refuses, {code}: {edit:?} {}", answer.body)),
            }
        }
    }

    fn summary(&self) -> String {
        format!("{} changes; refused by both: {:?}; excepted: {:?}", self.changes, self.refused, self.excepted)
    }
}

/// The rules by which policies would refuse.
fn policies_of(answer: &Answer) -> BTreeSet<String> {
    let ours = answer.warnings.iter().filter(|warning| warning.contains("ValidatingAdmissionPolicy '"));
    ours.map(|warning| {
        let code = COVERED.iter().find(|code| warning.contains(&format!(": {code} (")));
        code.map_or_else(|| warning.clone(), |code| (*code).to_owned())
    })
    .collect()
}

/// The rules by which the guard refuses.
fn guards_codes(answer: &Answer, webhooks: &[String]) -> BTreeSet<String> {
    let status: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let message = status["message"].as_str().unwrap_or_default();
    if answer.code != 403 || !webhooks.iter().any(|name| message.contains(&format!("\"{name}\" denied the request"))) {
        return BTreeSet::new();
    }
    let causes = status["details"]["causes"].as_array().unwrap().iter();
    causes.map(|cause| cause["reason"].as_str().unwrap().to_owned()).collect()
}

fn apply(cluster: &ControlPlane, text: &str) {
    cluster.kubectl_with(&Identity::Admin, ["apply", "-f", "-"], text).unwrap().succeeded().unwrap();
}

const LIMIT: Duration = Duration::from_mins(1);
