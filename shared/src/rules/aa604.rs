//! AA604: the Azure subscription was suspended or deleted.

use crate::data::Platform;
use crate::finding::{Basis, Consequence};
use crate::inventory::Inventory;
use crate::rule::{Code, Context, Grounds, Mode, Reach, Rule, StateCheck, Verdict, Weight};
use crate::rules::attested::{self, Fault};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA604"),
    slug: "subscription",
    summary: "the Azure subscription was suspended or deleted 60 days ago or earlier",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &["C35", "C36"],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "have the subscription reinstated",
    page: include_str!("aa604.md"),
    state: StateCheck { each: None, whole: Some(whole), clocks: None },
    change: None,
};

/// Nothing in a cluster tells: only an answer decides.
fn whole(_: &Inventory, context: &Context<'_>) -> Verdict {
    // C36 is asked with C35, and an answer to either is one to both.
    attested::judge(&["C35"], context, |_, _| Fault::of(SAID))
}

const SAID: &str = "the subscription was suspended or deleted, and 60 days have passed";
