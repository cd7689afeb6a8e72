//! AA904: a waiver does not do what it was written for.

use crate::data::Platform;
use crate::finding::{Basis, Code, Consequence};
use crate::rules::rule::{Grounds, ManifestUse, Mode, Reach, Rule, StateCheck, Verdict, Voiding, Weight};

pub(crate) static RULE: Rule = Rule {
    code: Code::new("AA904"),
    slug: "waiver-problem",
    summary: "a waiver breaks a term, has expired, or covers no finding",
    consequence: Weight::Always(Consequence::Info),
    basis: Grounds::Always(Basis::Operational),
    clauses: &[],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "renew or remove the waiver",
    // The check adds the findings: it knows the use of waivers once all other rules have been judged.
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(crate) static STATE: StateCheck =
    StateCheck { per_object: None, per_cluster: Some(|_, _| Verdict::Found(Vec::new())), deadlines: None };
