//! AA413: an attestation says that virtual machines of nodes were edited outside AKS Arc.

use crate::facts::inventory::Inventory;
use crate::finding::{Clause, Code, Consequence};
use crate::rules::parts::attested::{self, AnswerRule, Fault};
use crate::rules::rule::{Context, Rule, StateCheck, Verdict};

pub(super) static RULE: Rule = attested::rule(AnswerRule {
    code: Code::new("AA413"),
    slug: "vm-edited-outside",
    summary: "virtual machines of nodes were edited through the infrastructure's own interfaces",
    consequence: Consequence::Voids,
    clauses: &[Clause::new("C10")],
    instead: "change nodes through node pools and the Kubernetes API",
});

pub(super) static STATE: StateCheck = attested::state(per_cluster);

fn per_cluster(_: &Inventory, context: &Context<'_>) -> Verdict {
    attested::judge(RULE.clauses, context, |_, _| Fault::of(SAID))
}

const SAID: &str =
    "virtual machines of nodes were edited through Hyper-V or another interface of the infrastructure, not by AKS Arc";
