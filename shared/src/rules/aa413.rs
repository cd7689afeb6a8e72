//! AA413: virtual machines of nodes were edited outside AKS Arc, by somebody's word.

use crate::data::Platform;
use crate::finding::{Basis, Consequence};
use crate::inventory::Inventory;
use crate::rule::{Code, Context, Grounds, Mode, Reach, Rule, StateCheck, Verdict, Weight};
use crate::rules::attested::{self, Fault};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA413"),
    slug: "vm-edited-outside",
    summary: "virtual machines of nodes were edited through the infrastructure's own interfaces",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &["C10"],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "change nodes through node pools and the Kubernetes API",
    page: include_str!("aa413.md"),
    state: StateCheck { each: None, whole: Some(whole), clocks: None },
    change: None,
};

/// Nothing in a cluster tells: only an answer decides.
fn whole(_: &Inventory, context: &Context<'_>) -> Verdict {
    attested::judge(RULE.clauses, context, |_, _| Fault::of(SAID))
}

const SAID: &str = "virtual machines of nodes were edited through Hyper-V or another interface of the infrastructure, and not by AKS Arc";
