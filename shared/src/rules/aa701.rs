//! AA701: an alpha feature of Kubernetes is turned on.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::Platform;
use crate::data::tables;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::probe::Probe;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::read::metrics;
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};
use crate::text;

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA701"),
    slug: "alpha-feature-gate",
    summary: "an alpha feature gate of Kubernetes is turned on",
    consequence: Weight::Always(Consequence::NotCovered),
    basis: Grounds::Always(Basis::Derived),
    clauses: &[Clause::new("C37")],
    platforms: &Platform::ALL,
    reads: &[Read { kind: &kinds::POD, scope: Scope::AddOnNamespaces }],
    probes: &[Probe::Metrics],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "turn the gate off where it was turned on",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

/// Notes the feature gates of the control plane. Its components are static pods: their flags show in the kubelet's
/// mirror pods.
fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let object = seen.object;
    if *seen.kind != kinds::POD
        || !seen.data.namespaces.is_add_on(&object.meta.namespace)
        || object.meta.annotations.get(MIRROR).is_none()
    {
        return;
    }
    let Some(pod) = seen.pod() else { return };
    for flags in pod.all_containers().filter_map(|container| container.flag("--feature-gates")) {
        notes.remark(Gated { pod: format!("{}/{}", &*object.meta.namespace, &*object.meta.name), flags });
    }
}

/// A pod of the control plane, and the value of its `--feature-gates`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Gated {
    pod: String,
    flags: String,
}

fn per_cluster(inventory: &Inventory, _: &Context<'_>) -> Verdict {
    let text = inventory.probe(Probe::Metrics);
    let gates = text.as_deref().map(Gates::of).unwrap_or_default();
    let mut found: BTreeMap<&str, Vec<Evidence>> = BTreeMap::new();
    for gate in &gates.on {
        let line = format!("kubernetes_feature_enabled{{name={gate:?},stage=\"ALPHA\"}} is 1 at the API server");
        found.entry(gate).or_default().push(Evidence::seen("metrics", line));
    }
    let mut open = BTreeSet::new();
    for Gated { pod, flags } in inventory.remarks(RULE.code) {
        for gate in turned_on(flags) {
            if gate == ALL_ALPHA || gates.alpha.contains(gate) {
                let flag = format!("pod {pod} runs with --feature-gates={gate}=true");
                found.entry(gate).or_default().push(Evidence::seen("flag", text::line(&flag, 200)));
            } else if !gates.known.contains(gate) && !tables::alpha().is_platform_gate(gate) {
                open.insert(text::line(gate, 80));
            }
        }
    }
    // All alpha gates at once are one finding.
    if found.contains_key(ALL_ALPHA) {
        found.retain(|gate, _| *gate == ALL_ALPHA);
    }
    found.retain(|gate, _| !tables::alpha().is_platform_gate(gate));
    let drafts: Vec<Draft> = found.into_iter().map(|(gate, evidence)| draft(gate, evidence)).collect();
    if let Err(why) = text {
        return Verdict::FoundPartly(drafts, why);
    }
    if gates.known.is_empty() {
        return Verdict::FoundPartly(drafts, "the metrics of the API server name no feature gates".to_owned());
    }
    match open.first() {
        None => Verdict::Found(drafts),
        Some(gate) => {
            let rest = if open.len() > 1 { format!(" and {} more", open.len() - 1) } else { String::new() };
            let why = format!("a static pod sets gate {gate}{rest}, whose stage the API server does not tell");
            Verdict::FoundPartly(drafts, why)
        }
    }
}

fn draft(gate: &str, evidence: Vec<Evidence>) -> Draft {
    let shown = text::line(gate, 80);
    let state = if gate == ALL_ALPHA {
        "every alpha feature of Kubernetes is turned on".to_owned()
    } else {
        format!("the alpha feature {shown} of Kubernetes is turned on")
    };
    let draft = Draft::at(ObjectRef::cluster(), format!("featureGates[{shown}]"))
        .values(Some("false"), Some("true"))
        .says(format!("{state}; who turned it on is unknown"));
    evidence.into_iter().fold(draft, Draft::with)
}

/// The feature gates in the API server's metrics. These name the gates of other components too.
#[derive(Default)]
struct Gates {
    known: BTreeSet<String>,
    alpha: BTreeSet<String>,
    on: BTreeSet<String>,
}

impl Gates {
    fn of(text: &str) -> Self {
        let mut gates = Gates::default();
        for sample in metrics::samples(text, "kubernetes_feature_enabled") {
            let name = sample.label("name").to_owned();
            if sample.label("stage") == "ALPHA" {
                gates.alpha.insert(name.clone());
                if sample.value > 0.0 {
                    gates.on.insert(name.clone());
                }
            }
            gates.known.insert(name);
        }
        gates
    }
}

/// The gates that `A=true,B=false` turns on; the last value of a gate counts.
fn turned_on(flags: &str) -> Vec<&str> {
    let pairs: BTreeMap<&str, &str> = flags.split(',').filter_map(|pair| pair.trim().split_once('=')).collect();
    // The values that Go parses as true.
    let is_true = |word: &str| matches!(word.trim(), "1" | "t" | "T" | "true" | "TRUE" | "True");
    pairs.into_iter().filter(|(_, word)| is_true(word)).map(|(gate, _)| gate.trim()).collect()
}

/// The gate that turns on every alpha gate.
const ALL_ALPHA: &str = "AllAlpha";

const MIRROR: &str = "kubernetes.io/config.mirror";
