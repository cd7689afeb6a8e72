//! The law that keeps check, dry run and guard one. For every attempted change: guard and dry run agree, a manifest
//! gives the findings of its creation, every new fault shows in a check of the state after it, and that check shows
//! nothing new that the guard did not foresee.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::semicolon_if_nothing_returned,
    reason = "helpers of tests are tests"
)]

mod law {
    pub(crate) mod edits;
    pub(crate) mod fields;
    pub(crate) mod objects;
    pub(crate) mod traces;
    pub(crate) mod world;
}

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;

use aksarc_shared::data::{Data, Platform, embedded};
use aksarc_shared::facts::actor::Actor;
use aksarc_shared::facts::change::{Beside, Operation};
use aksarc_shared::finding::{Consequence, Finding};
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::kinds;
use aksarc_shared::k8s::object::Object;
use aksarc_shared::k8s::read::json;
use aksarc_shared::k8s::user::User;
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::{Mode, Rule};
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::guard::{Decision, Guard, Judgement, Preset, Settings};
use aksarc_shared::verdict::report::ToolVersion;
use aksarc_webhook::metrics::Metrics;
use aksarc_webhook::review::{ReviewCounters, Reviewer};
use arc_swap::ArcSwap;
use kubectl_aksarc::dry_run::judge::Sides;
use law::edits::{Asked, Edit, all_asked, edits};
use law::traces::{CURES, EXCEPTIONS, UNASKED, denied, excepted, unasked};
use law::world::{Key, World, key_of};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// The number of changes that one run draws.
const CASES: u32 = 6_000;

/// Over so many seeds every exception has to be needed.
const ENOUGH: usize = 8;

/// The seed, where no other is asked for.
const SEED: u64 = 20_261_121;

#[test]
fn guard_and_dry_run_agree_and_every_new_fault_shows_in_the_state_after() {
    // The same changes in every run, so that no run fails for what another would not have seen; .ci/long has more seeds.
    let given = std::env::var("AKSARC_LAW_SEEDS").unwrap_or_else(|_| SEED.to_string());
    let seeds: Vec<u64> =
        given.split_whitespace().map(|seed| seed.parse().expect("AKSARC_LAW_SEEDS are numbers")).collect();
    let all = seeds.iter().map(|seed| hold(*seed)).fold(Tally::default(), Tally::and);
    println!("{}", all.summary());
    // One run is too short for the rare ones.
    if seeds.len() >= ENOUGH {
        assert_eq!(all.never_needed(), Vec::<&str>::new(), "exceptions that nothing needs excuse what they should not");
    }
}

/// Holds the law over the changes of one seed.
fn hold(seed: u64) -> Tally {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
    let mut drawn = TestRunner::new_with_rng(Config::default(), rng);
    let changes = edits();
    let drawn: Vec<Edit> = (0..CASES).map(|_| changes.new_tree(&mut drawn).unwrap().current()).collect();
    let share = |edits: &[Edit]| {
        // Each share has its own: an object keeps what was read of it, and is not for several threads.
        let world = Healthy::new();
        let laws = [Platform::AzureLocal, Platform::WindowsServer].map(|platform| Law::new(platform, &world));
        let mut tally = Tally::default();
        for edit in edits {
            let law = laws.iter().find(|law| law.platform == edit.platform).unwrap();
            law.holds(edit, &mut tally);
        }
        tally
    };
    // One share for each core; what a run comes to does not depend on how many there are.
    let size = drawn.len().div_ceil(thread::available_parallelism().unwrap().get());
    let tally = thread::scope(|scope| {
        let shares: Vec<_> = drawn.chunks(size).map(|edits| scope.spawn(|| share(edits))).collect();
        shares.into_iter().map(|share| share.join().unwrap()).fold(Tally::default(), Tally::and)
    });
    assert!(tally.broken.is_empty(), "AKSARC_LAW_SEEDS={seed}\n{}", tally.shown());
    // A law over changes that no rule minds would prove nothing.
    let judging = catalogue::ALL.iter().filter(|rule| rule.change.is_some());
    let judging: BTreeSet<&str> = judging.map(|rule| rule.code.as_str()).collect();
    assert_eq!(tally.findings.keys().copied().collect::<BTreeSet<_>>(), judging, "every rule must have spoken");
    assert_eq!(tally.asked, all_asked(), "every request that a guard is asked about must have been drawn");
    tally
}

/// The tally of a run.
#[derive(Default)]
struct Tally {
    changes: usize,
    denied: usize,
    asked: BTreeSet<Asked>,
    findings: BTreeMap<&'static str, usize>,
    /// The number of times that each exception was needed.
    excepted: BTreeMap<&'static str, usize>,
    /// One example of each way in which the law is broken, by its shortest description, and how often.
    broken: BTreeMap<String, (usize, String)>,
}

impl Tally {
    fn and(mut self, more: Tally) -> Tally {
        self.changes += more.changes;
        self.denied += more.denied;
        self.asked.extend(more.asked);
        for (code, count) in more.findings {
            *self.findings.entry(code).or_default() += count;
        }
        for (reason, count) in more.excepted {
            *self.excepted.entry(reason).or_default() += count;
        }
        for (how, (count, example)) in more.broken {
            self.broken.entry(how).or_insert_with(|| (0, example)).0 += count;
        }
        self
    }

    /// The reasons of exceptions that no change needed.
    fn never_needed(&self) -> Vec<&'static str> {
        let reasons = EXCEPTIONS.iter().chain(UNASKED).chain(CURES).map(|exception| exception.reason);
        reasons.filter(|reason| !self.excepted.contains_key(reason)).collect()
    }

    fn broken(&mut self, how: String, edit: &Edit, detail: &dyn Fn() -> String) {
        let example = || {
            let side = |side: &Option<Value>| side.as_ref().map_or("-".to_owned(), ToString::to_string);
            format!(
                "  by {} with {:?}\n  before {}\n  after  {}\n  {}",
                edit.who.user,
                edit.who.manager,
                side(&edit.stored.before),
                side(&edit.stored.after),
                detail()
            )
        };
        self.broken.entry(how).or_insert_with(|| (0, example())).0 += 1;
    }

    fn shown(&self) -> String {
        let ways = self.broken.iter().map(|(how, (count, example))| format!("{count} times: {how}\n{example}\n"));
        ways.collect::<Vec<_>>().concat()
    }

    /// The counts of a run as text: its changes, the findings of each rule, and the needs for each exception.
    fn summary(&self) -> String {
        let (changes, denied, asked) = (self.changes, self.denied, self.asked.len());
        let rules = self.findings.len();
        let mut lines = vec![format!("{changes} changes of {asked} kinds, {denied} denied, {rules} rules touched")];
        lines.extend(self.findings.iter().map(|(code, count)| format!("{code}: {count} findings")));
        lines.extend(EXCEPTIONS.iter().chain(UNASKED).chain(CURES).map(|exception| {
            let count = self.excepted.get(exception.reason).copied().unwrap_or_default();
            format!("{count} times excepted: {}", exception.reason)
        }));
        lines.join("\n")
    }
}

/// The healthy cluster, read once.
struct Healthy {
    objects: Vec<(Key, Object<'static>)>,
    values: BTreeMap<Key, Value>,
}

impl Healthy {
    fn new() -> Self {
        let values = World::healthy().objects;
        let read = |value: &Value| json::object(value.to_string().leak().as_bytes()).unwrap();
        Healthy { objects: values.iter().map(|(key, value)| (key.clone(), read(value))).collect(), values }
    }
}

/// The law on one platform.
struct Law<'w> {
    /// The tables, as far as they are about the platform.
    data: &'static Data,
    platform: Platform,
    guard: Guard,
    reviewer: Reviewer,
    now: Timestamp,
    world: &'w Healthy,
    /// The findings of the healthy cluster.
    healthy: Vec<Finding>,
}

impl<'w> Law<'w> {
    fn new(platform: Platform, world: &'w Healthy) -> Self {
        // Every rule that judges changes is on, also one that is off unless asked for.
        let off = catalogue::ALL.iter().filter(|rule| rule.change.is_some() && rule.mode == Mode::Off);
        let rules = off.map(|rule| (rule.code.as_str().to_owned(), Mode::Warn)).collect();
        let settings = Settings { mode: Preset::Enforce, platform: Some(platform), rules, ..Settings::default() };
        let guard = Guard::new(embedded(), settings).unwrap();
        let reviewer = Reviewer::new(
            Arc::new(ArcSwap::from_pointee(guard.clone())),
            ReviewCounters::register(&mut Metrics::new()),
        );
        let now = "2026-06-02T09:15:00Z".parse().unwrap();
        let data = Box::leak(Box::new(embedded().on(&[platform])));
        let mut law = Law { data, platform, guard, reviewer, now, world, healthy: Vec::new() };
        law.healthy = law.state(catalogue::ALL.to_vec(), None);
        let heavy: Vec<_> = law.healthy.iter().filter(|finding| is_judged(finding)).collect();
        assert!(heavy.is_empty(), "the healthy cluster is not: {heavy:?}");
        law
    }

    fn holds(&self, edit: &Edit, tally: &mut Tally) {
        let judgement = self.dry_run(edit);
        let answer = self.guard(edit);
        tally.changes += 1;
        tally.denied += usize::from(judgement.decision() == Decision::Deny);
        tally.asked.insert(edit.asked);
        for finding in judgement.findings() {
            *tally.findings.entry(finding.code.as_str()).or_default() += 1;
        }
        if let Err(how) = agree(&judgement, &answer) {
            tally.broken(how, edit, &|| format!("{judgement:?} {answer}"));
        }
        if judgement.actor == Actor::Ambiguous && judgement.decision() == Decision::Deny {
            tally.broken("an ambiguous identity is denied".to_owned(), edit, &|| format!("{judgement:?}"));
        }
        self.manifest_says_the_same(edit, &judgement, tally);
        self.is_an_extensions(edit, &judgement, tally);
        self.shows_in_the_state_after(edit, &judgement, tally);
    }

    /// A manifest is judged as its creation by a person is. One of a node or of a namespace with metadata is judged as
    /// an update, since it may be there.
    fn manifest_says_the_same(&self, edit: &Edit, judgement: &Judgement, tally: &mut Tally) {
        let (kind, subresource, operation) = edit.asked;
        let created = operation == Operation::Create && subresource.is_empty();
        let created = created && *kind != kinds::NODE && *kind != kinds::NAMESPACE;
        let Some(manifest) = edit.request.after.as_ref().filter(|_| created && judgement.actor != Actor::Platform)
        else {
            return;
        };
        let said = |findings: &mut dyn Iterator<Item = &Finding>| -> BTreeSet<(&'static str, String, Consequence)> {
            let judging = findings.filter(|finding| is_judged(finding));
            judging.map(|finding| (finding.code.as_str(), finding.path.to_string(), finding.consequence)).collect()
        };
        let mut check = Check::new(self.data, Params { platform: Some(self.platform), ..Params::at(self.now) });
        let text = manifest.to_string();
        check.manifest(json::object(text.as_bytes()).unwrap());
        let findings = check.finish(ToolVersion::default(), "law", "").unwrap().findings;
        let (by_manifest, by_request) = (said(&mut findings.iter()), said(&mut judgement.findings()));
        if by_manifest != by_request {
            tally.broken(format!("CREATE {}: a manifest is judged otherwise", kind.kind), edit, &|| {
                format!("manifest {by_manifest:?}\n  request {by_request:?}")
            });
        }
    }

    /// A dry run that has found an object's release among the installed Arc extensions takes the object for the
    /// platform's: what it says besides is AA306 alone, and nothing of it voids support that did not before.
    fn is_an_extensions(&self, edit: &Edit, judgement: &Judgement, tally: &mut Tally) {
        let before = edit.stored.before.as_ref();
        let release = before.and_then(|own| own.pointer("/metadata/annotations/meta.helm.sh~1release-name")?.as_str());
        let Some(release) = release else { return };
        let known = self.judge(edit, Beside { extension: Some(release.to_owned()), ..Beside::default() });
        let said = |judgement: &Judgement| -> BTreeSet<(&'static str, String, Consequence)> {
            let told = |finding: &Finding| (finding.code.as_str(), finding.path.to_string(), finding.consequence);
            judgement.findings().map(told).collect()
        };
        let (known, unknown) = (said(&known), said(judgement));
        let own = known.iter().any(|(code, ..)| ["AA303", "AA405", "AA406", "AA407"].contains(code));
        let more =
            known.difference(&unknown).any(|(code, _, weight)| *code != "AA306" || *weight == Consequence::Voids);
        if own || more {
            tally.broken("what an extension brought is judged as somebody's".to_owned(), edit, &|| {
                format!("known {known:?}\n  unknown {unknown:?}")
            });
        }
    }

    fn shows_in_the_state_after(&self, edit: &Edit, judgement: &Judgement, tally: &mut Tally) {
        // The judgement of a state by a rule depends on the lists that it reads alone: the others give the same answer
        // as before.
        let reads = |rule: &&&Rule| rule.reads.iter().any(|read| read.kind == edit.asked.0);
        let rules: Vec<&'static Rule> = catalogue::ALL.iter().filter(reads).copied().collect();
        let key = edit.stored.before.as_ref().or(edit.stored.after.as_ref()).map(key_of).unwrap();
        let was_healthy = self.world.values.get(&key) == edit.stored.before.as_ref();
        let earlier = if was_healthy {
            self.healthy.iter().filter(|own| rules.iter().any(|rule| rule.code == own.code)).cloned().collect()
        } else {
            self.state(rules.clone(), Some((&key, edit.stored.before.as_ref())))
        };
        let later = self.state(rules, Some((&key, edit.stored.after.as_ref())));
        let (kind, subresource, operation) = edit.asked;
        let what = |finding: &Finding| {
            let place = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
            format!("{} {}{place} {} {}", operation.as_str(), kind.kind, finding.code, shape(&finding.path))
        };
        // A state tells who wrote a field by the manager's name alone, so what an unknown client did shows no author.
        for finding in judgement.findings().filter(|_| edit.who.is_known_tool) {
            if later.iter().any(|other| is_trace(other, finding, edit)) {
                continue;
            }
            match excepted(finding, edit) {
                Some(reason) => *tally.excepted.entry(reason).or_default() += 1,
                None => tally.broken(format!("{}: not in the state after", what(finding)), edit, &|| {
                    format!("{finding:?}\n  state {later:?}")
                }),
            }
        }
        let heavier = |finding: &&Finding| {
            let before = earlier.iter().find(|other| other.fingerprint() == finding.fingerprint());
            finding.consequence != Consequence::Info
                && before.is_none_or(|before| finding.consequence < before.consequence)
        };
        for finding in later.iter().filter(heavier).filter(|_| judgement.actor != Actor::Platform) {
            if judgement.findings().any(|other| other.code == finding.code) {
                continue;
            }
            match unasked(finding, edit) {
                Some(reason) => *tally.excepted.entry(reason).or_default() += 1,
                None => tally.broken(format!("{}: not foreseen", what(finding)), edit, &|| {
                    format!("{finding:?}\n  foreseen {:?}", judgement.judged)
                }),
            }
        }
        // A change that takes back a visible earlier change is not denied.
        let heavy = |findings: &[Finding]| findings.iter().filter(|finding| is_judged(finding)).count();
        if edit.undoes && heavy(&later) < heavy(&earlier) {
            for judged in judgement.judged.iter().filter(|judged| judged.decision == Decision::Deny) {
                match denied(&judged.finding, edit) {
                    Some(reason) => *tally.excepted.entry(reason).or_default() += 1,
                    None => tally.broken(format!("{}: a cure is denied", what(&judged.finding)), edit, &|| {
                        format!("{judged:?}\n  earlier {earlier:?}\n  later {later:?}")
                    }),
                }
            }
        }
    }

    fn dry_run(&self, edit: &Edit) -> Judgement {
        self.judge(edit, Beside::default())
    }

    fn judge(&self, edit: &Edit, beside: Beside) -> Judgement {
        let (kind, subresource, operation) = edit.asked;
        let object = edit.request.after.as_ref().or(edit.request.before.as_ref()).unwrap();
        let of_object = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let sides = Sides {
            operation,
            group: kind.group.to_owned(),
            plural: kind.resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: of_object("namespace"),
            name: of_object("name"),
            before: edit.request.before.clone(),
            after: edit.request.after.clone(),
            beside,
        };
        sides.judge(&self.guard, &user(edit), self.now).unwrap()
    }

    fn guard(&self, edit: &Edit) -> Value {
        let body = review(edit).to_string();
        let answer: Value = serde_json::from_slice(&self.reviewer.answer(body.as_bytes()).unwrap()).unwrap();
        answer["response"].clone()
    }

    /// The findings of a check in the healthy cluster with one object otherwise, or gone.
    fn state(&self, rules: Vec<&'static Rule>, other: Option<(&Key, Option<&Value>)>) -> Vec<Finding> {
        let params = Params { platform: Some(self.platform), rules, ..Params::at(self.now) };
        let mut check = Check::new(self.data, params);
        check.server_version("v1.33.5");
        let text = other.and_then(|(_, value)| value).map(ToString::to_string);
        let changed = text.as_deref().map(|text| json::object(text.as_bytes()).unwrap());
        let rest = || {
            let others = self.world.objects.iter().filter(|(key, _)| other.is_none_or(|(gone, _)| gone != key));
            others.map(|(_, object)| object)
        };
        for plan in [Check::plan_first, Check::plan_then] {
            for key in plan(&check) {
                let mut segment = check.segment(&key);
                let is_here = |object: &Object<'_>| {
                    kinds::of(&object.api_version, &object.kind) == Some(key.kind)
                        && key.namespace.as_ref().is_none_or(|own| *own == *object.meta.namespace)
                };
                rest().filter(|object| is_here(object)).for_each(|object| segment.object(object));
                changed.iter().filter(|object| is_here(object)).for_each(|object| segment.object(object));
                check.complete(segment);
            }
        }
        check.finish(ToolVersion::default(), "law", "").unwrap().findings
    }
}

/// Whether the guard's answer says what the dry run says.
fn agree(judgement: &Judgement, answer: &Value) -> Result<(), String> {
    let denied = judgement.decision() == Decision::Deny;
    if answer["allowed"].as_bool() != Some(!denied) {
        return Err("guard and dry run decide otherwise".to_owned());
    }
    if denied {
        let causes = answer["status"]["details"]["causes"].as_array().cloned().unwrap_or_default();
        let refused = judgement.judged.iter().filter(|judged| judged.decision == Decision::Deny);
        let expected: BTreeSet<(&str, &str)> = refused.map(|j| (j.finding.code.as_str(), &*j.finding.path)).collect();
        let text = |cause: &Value, field: &str| cause[field].as_str().unwrap_or_default().to_owned();
        let found: Vec<(String, String)> = causes.iter().map(|c| (text(c, "reason"), text(c, "field"))).collect();
        let found: BTreeSet<(&str, &str)> = found.iter().map(|(code, path)| (&**code, &**path)).collect();
        if answer["status"]["code"].as_u64() != Some(403) || found != expected {
            return Err("guard and dry run give other causes".to_owned());
        }
        return Ok(());
    }
    let warnings = answer["warnings"].as_array().cloned().unwrap_or_default();
    for judged in judgement.judged.iter().filter(|judged| judged.decision == Decision::Warn) {
        if !warnings.iter().any(|line| line.as_str().is_some_and(|line| line.contains(judged.finding.code.as_str()))) {
            return Err(format!("the guard does not warn of {}", judged.finding.code));
        }
    }
    Ok(())
}

/// Whether one finding in the state is the trace of another about the change.
fn is_trace(trace: &Finding, finding: &Finding, edit: &Edit) -> bool {
    let object = |finding: &Finding| {
        let own = &finding.object;
        (own.kind.clone(), own.namespace.clone(), own.name.clone())
    };
    // A node that is deleted leaves its machine.
    let machine = edit.asked.2 == Operation::Delete && trace.before.as_deref() == Some(&*finding.object.name);
    trace.code == finding.code && (object(trace) == object(finding) || machine)
}

/// Whether a finding is of a rule that judges changes, and no mere note.
fn is_judged(finding: &Finding) -> bool {
    let judges = catalogue::find(finding.code.as_str()).is_some_and(|rule| rule.change.is_some());
    judges && finding.consequence != Consequence::Info
}

/// A path, short enough to group by.
fn shape(path: &str) -> String {
    path.chars().take(60).collect()
}

fn user(edit: &Edit) -> User {
    User {
        name: edit.who.user.to_owned(),
        groups: edit.who.groups.iter().map(|group| (*group).to_owned()).collect(),
        credential_ids: Vec::new(),
        // A DELETE has no field manager.
        field_manager: if edit.asked.2 == Operation::Delete { String::new() } else { edit.who.manager.to_owned() },
    }
}

fn review(edit: &Edit) -> Value {
    let (kind, subresource, operation) = edit.asked;
    let object = edit.request.after.as_ref().or(edit.request.before.as_ref()).unwrap();
    let (group, version) = object["apiVersion"].as_str().unwrap().split_once('/').unwrap_or(("", "v1"));
    let (name, namespace) = (&object["metadata"]["name"], &object["metadata"]["namespace"]);
    let options = if operation == Operation::Delete { json!({}) } else { json!({"fieldManager": edit.who.manager}) };
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "0f5c1c1c-0000-4000-8000-000000000001",
        "kind": {"group": group, "version": version, "kind": object["kind"]},
        "resource": {"group": kind.group, "version": kind.version, "resource": kind.resource},
        "subResource": subresource, "name": name, "namespace": namespace.as_str().unwrap_or_default(),
        "operation": operation.as_str(),
        "userInfo": {"username": edit.who.user, "groups": edit.who.groups},
        "object": edit.request.after, "oldObject": edit.request.before, "dryRun": false, "options": options,
    }})
}
