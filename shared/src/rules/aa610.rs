//! AA610: the cluster stood still beyond the limit, by somebody's word.

use crate::data::Platform;
use crate::finding::{Basis, Consequence};
use crate::inventory::Inventory;
use crate::rule::{Code, Context, Grounds, Mode, Reach, Rule, StateCheck, Verdict, Weight};
use crate::rules::attested::{self, Fault};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA610"),
    slug: "standstill-told",
    summary: "the cluster stood still for longer than the policy allows",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &["C31"],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "stop clusters for less than 30 days",
    page: include_str!("aa610.md"),
    state: StateCheck { each: None, whole: Some(whole), clocks: None },
    change: None,
};

/// Nothing in a cluster tells: only an answer decides.
fn whole(_: &Inventory, context: &Context<'_>) -> Verdict {
    attested::judge(RULE.clauses, context, |_, _| Fault::of(SAID))
}

const SAID: &str = "the cluster stood still for longer than its control plane is supported for";
