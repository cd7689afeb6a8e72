//! AA414: the base image or the inside of nodes was changed, by somebody's word.

use crate::data::Platform;
use crate::finding::{Basis, Consequence};
use crate::inventory::Inventory;
use crate::rule::{Code, Context, Grounds, Mode, Reach, Rule, StateCheck, Verdict, Weight};
use crate::rules::attested::{self, Fault};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA414"),
    slug: "node-changed-inside",
    summary: "the base image or the inside of nodes was changed by other means than AKS Arc's",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &["C22"],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "use a DaemonSet, and replace the nodes that were changed",
    page: include_str!("aa414.md"),
    state: StateCheck { each: None, whole: Some(whole), clocks: None },
    change: None,
};

/// Nothing in a cluster tells: only an answer decides.
fn whole(_: &Inventory, context: &Context<'_>) -> Verdict {
    attested::judge(RULE.clauses, context, |_, _| Fault::of(SAID))
}

const SAID: &str = "the base image or the inside of nodes was changed by other means than AKS Arc's own";
