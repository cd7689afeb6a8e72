//! AA801: open-source software of others runs.

use crate::data::Platform;
use crate::data::third_party::Licence;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence};
use crate::rules::parts::third_party::{self, READS};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Rule, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA801"),
    slug: "third-party-open-source",
    summary: "open-source software runs that AKS Arc did not deploy",
    consequence: Weight::Always(Consequence::NotCovered),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &[Clause::new("C16")],
    platforms: &Platform::ALL,
    reads: READS,
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "allowed; ask who supports it",
    change: None,
    claim: None,
    manifests: ManifestUse::AsState,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    third_party::per_object(seen, notes, Licence::Open);
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    third_party::per_cluster(inventory, context, RULE.code)
}
