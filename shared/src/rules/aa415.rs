//! AA415: a node's network or disks were changed outside AKS Arc, by somebody's word.

use crate::data::Platform;
use crate::finding::{Basis, Consequence};
use crate::inventory::Inventory;
use crate::rule::{Code, Context, Grounds, Mode, Reach, Rule, StateCheck, Verdict, Weight};
use crate::rules::attested::{self, Fault};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA415"),
    slug: "vm-resources-changed",
    summary: "the network or the disks of a node's virtual machine were changed outside AKS Arc",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &["C24"],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "change pools and their networks through AKS Arc",
    page: include_str!("aa415.md"),
    state: StateCheck { each: None, whole: Some(whole), clocks: None },
    change: None,
};

/// Nothing in a cluster tells: only an answer decides.
fn whole(_: &Inventory, context: &Context<'_>) -> Verdict {
    attested::judge(RULE.clauses, context, |_, _| Fault::of(SAID))
}

const SAID: &str = "the network settings or the disks of a node's virtual machine were changed outside AKS Arc";
