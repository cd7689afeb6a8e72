//! AA415: an attestation says that a node's network or disks were changed outside AKS Arc.

use crate::facts::inventory::Inventory;
use crate::finding::{Clause, Code, Consequence};
use crate::rules::parts::attested::{self, AnswerRule, Fault};
use crate::rules::rule::{Context, Rule, StateCheck, Verdict};

pub(super) static RULE: Rule = attested::rule(AnswerRule {
    code: Code::new("AA415"),
    slug: "vm-resources-changed",
    summary: "the network or the disks of a node's virtual machine were changed outside AKS Arc",
    consequence: Consequence::Voids,
    clauses: &[Clause::new("C24")],
    instead: "change pools and their networks through AKS Arc",
});

pub(super) static STATE: StateCheck = attested::state(per_cluster);

fn per_cluster(_: &Inventory, context: &Context<'_>) -> Verdict {
    attested::judge(RULE.clauses, context, |_, _| Fault::of(SAID))
}

const SAID: &str = "the network settings or the disks of a node's virtual machine were changed outside AKS Arc";
