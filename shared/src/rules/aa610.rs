//! AA610: an attestation says that the cluster stood still beyond the limit.

use crate::facts::inventory::Inventory;
use crate::finding::{Clause, Code, Consequence};
use crate::rules::parts::attested::{self, AnswerRule, Fault};
use crate::rules::rule::{Context, Rule, StateCheck, Verdict};

pub(super) static RULE: Rule = attested::rule(AnswerRule {
    code: Code::new("AA610"),
    slug: "standstill-told",
    summary: "the cluster stood still for longer than the policy allows",
    consequence: Consequence::Voids,
    clauses: &[Clause::new("C31")],
    instead: "stop clusters for less than 30 days",
});

pub(super) static STATE: StateCheck = attested::state(per_cluster);

fn per_cluster(_: &Inventory, context: &Context<'_>) -> Verdict {
    attested::judge(RULE.clauses, context, |_, _| Fault::of(SAID))
}

const SAID: &str = "the cluster stood still for longer than its control plane is supported for";
