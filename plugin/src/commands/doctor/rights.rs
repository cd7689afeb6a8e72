//! The rights of the caller: the rules they are sufficient for, and the parts of a dry run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aksarc_shared::data::embedded;
use aksarc_shared::facts::inventory::ReadKey;
use aksarc_shared::facts::probe::Probe;
use aksarc_shared::k8s::kinds::Kind;
use aksarc_shared::rules::derive::DRY_RUN_LISTS;
use aksarc_shared::rules::rule::{Rule, Scope};
use aksarc_shared::text;
use aksarc_shared::verdict::check::{Check, Params};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::ask::Asker;
use super::report::{Symptom, SymptomState};

/// Asks about every list and path that a check would read. The right to list a kind in the whole cluster includes each
/// namespace, so namespaces are asked about only where it is missing.
pub(super) async fn examine(asker: &Asker, parallel: usize, own_name: &str) -> Vec<Symptom> {
    let check = Check::new(embedded(), Params::at(Timestamp::now()));
    let first = check.plan_first();
    let then = check.plan_then();
    let kinds: BTreeSet<_> = then.iter().map(|key| ReadKey { kind: key.kind, namespace: None }).collect();
    let dry_run = DRY_RUN_LISTS.iter().map(|kind| ReadKey { kind, namespace: None });
    let wide: BTreeSet<ReadKey> = first.iter().cloned().chain(kinds).chain(dry_run).collect();
    let mut answers = ask(asker, parallel, wide.into_iter().map(|key| (key.to_string(), attributes(&key)))).await;
    let covered = |answers: &AccessAnswers, key: &ReadKey| {
        let wide = ReadKey { kind: key.kind, namespace: None }.to_string();
        matches!(answers.get(&wide), Some(Ok(true)))
    };
    let narrow = then.iter().filter(|key| !covered(&answers, key)).map(|key| (key.to_string(), attributes(key)));
    let narrow: Vec<_> = narrow.collect();
    let probes = check.probes().into_iter().filter_map(Probe::path);
    let probes = probes.map(|path| {
        let path = path.split('?').next().unwrap_or(path);
        (format!("get {path}"), json!({"nonResourceAttributes": {"verb": "get", "path": path}}))
    });
    answers.extend(ask(asker, parallel, narrow.into_iter().chain(probes)).await);

    let mut missing: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut untold: BTreeMap<String, String> = BTreeMap::new();
    let mut open = BTreeSet::new();
    for rule in aksarc_shared::rules::catalogue::ALL {
        for need in needs(&check, rule, &first, &then, &|key| covered(&answers, key)) {
            match answers.get(&need) {
                Some(Ok(true)) => {}
                Some(Err(why)) => _ = untold.insert(need, why.clone()),
                Some(Ok(false)) | None => {
                    missing.entry(need).or_default().push(rule.code.as_str());
                    open.insert(rule.code.as_str());
                }
            }
        }
    }
    vec![symptom(missing, &untold, open.len(), own_name), rehearsals(&answers)]
}

/// Whether a dry run can tell which server serves an API group. If not, it sends less; a check does not need this
/// right.
fn rehearsals(answers: &AccessAnswers) -> Symptom {
    let name = "dry-run";
    let answer = |kind: &'static Kind| answers.get(&ReadKey { kind, namespace: None }.to_string());
    let [services, definitions] = DRY_RUN_LISTS.map(answer);
    let lacks = DRY_RUN_LISTS.into_iter().filter_map(|kind| match answer(kind) {
        Some(Ok(true)) => None,
        Some(Ok(false)) => Some(format!("list {}: no", kind.qualified())),
        Some(Err(_)) | None => Some(format!("list {}: not known", kind.qualified())),
    });
    let less = match (services, definitions) {
        (Some(Ok(true)), _) => return Symptom::new(name, SymptomState::Fine, "sees the server of each API group"),
        (Some(Err(why)), _) => {
            let why =
                format!("could not find out whether it may see the servers of API groups: {}", text::line(why, 200));
            return Symptom::new(name, SymptomState::Unknown, why);
        }
        (_, Some(Ok(true))) => "Kubernetes' own API groups and those of CustomResourceDefinitions",
        _ => "Kubernetes' own API groups",
    };
    let mut symptom = Symptom::new(
        name,
        SymptomState::Warned,
        format!("rehearses only {less}: the servers of other groups are not known"),
    );
    symptom.details = lacks.collect();
    symptom
}

fn symptom(
    missing: BTreeMap<String, Vec<&str>>,
    untold: &BTreeMap<String, String>,
    open: usize,
    own_name: &str,
) -> Symptom {
    let rules = aksarc_shared::rules::catalogue::ALL.len();
    if let Some(why) = untold.values().next()
        && missing.is_empty()
    {
        let why = format!("could not find out what you may read: {}", text::line(why, 200));
        return Symptom::new(NAME, SymptomState::Unknown, why).on_completeness().next("kubectl auth can-i --list");
    }
    if missing.is_empty() {
        return Symptom::new(NAME, SymptomState::Fine, format!("enough for all {rules} rules"));
    }
    let summary = format!("enough for {} of {rules} rules; the others would be unknown", rules - open);
    let mut symptom = Symptom::new(NAME, SymptomState::Incomplete, summary);
    for (need, codes) in missing {
        let need = if need.starts_with("get ") { need } else { format!("list {need}") };
        symptom.details.push(format!("{need}: no   {}", codes.join(" ")));
    }
    symptom
        .next(format!("{own_name} doctor --print-role | kubectl apply -f -   (somebody who may grant rights)"))
        .next("kubectl create clusterrolebinding aksarc-reader --clusterrole=aksarc-reader --user=NAME")
}

/// The lists and paths that a rule reads, as keys of the answers.
fn needs(
    check: &Check<'_>,
    rule: &Rule,
    first: &[ReadKey],
    then: &[ReadKey],
    covered: &dyn Fn(&ReadKey) -> bool,
) -> BTreeSet<String> {
    let wants = |key: &ReadKey| match key.namespace {
        None => rule
            .reads
            .iter()
            .any(|read| read.kind == key.kind && matches!(read.scope, Scope::BesideGuard | Scope::Cluster)),
        Some(_) => check.wants(rule, key),
    };
    let lists = first.iter().chain(then.iter().filter(|key| !covered(key))).filter(|key| wants(key));
    let probes = rule.probes.iter().filter_map(|probe| probe.path());
    let probes = probes.map(|path| format!("get {}", path.split('?').next().unwrap_or(path)));
    lists.map(ToString::to_string).chain(probes).collect()
}

type AccessAnswers = BTreeMap<String, Result<bool, String>>;

async fn ask(asker: &Asker, parallel: usize, questions: impl Iterator<Item = (String, Value)>) -> AccessAnswers {
    let slots = Arc::new(Semaphore::new(parallel.max(1)));
    let mut running = JoinSet::new();
    for (word, attributes) in questions {
        let (asker, slots) = (asker.clone(), Arc::clone(&slots));
        running.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let answer = asker.may(&attributes).await;
            (word, answer)
        });
    }
    running.join_all().await.into_iter().collect()
}

fn attributes(key: &ReadKey) -> Value {
    let namespace = key.namespace.as_deref().unwrap_or_default();
    let (group, resource) = (key.kind.group, key.kind.resource);
    json!({"resourceAttributes": {"verb": "list", "group": group, "resource": resource, "namespace": namespace}})
}

/// The name of this symptom.
const NAME: &str = "rights";
