//! AA414: an attestation says that the base image or the inside of nodes was changed.

use crate::facts::inventory::Inventory;
use crate::finding::{Clause, Code, Consequence};
use crate::rules::parts::attested::{self, AnswerRule, Fault};
use crate::rules::rule::{Context, Rule, StateCheck, Verdict};

pub(super) static RULE: Rule = attested::rule(AnswerRule {
    code: Code::new("AA414"),
    slug: "node-changed-inside",
    summary: "the base image or the inside of nodes was changed by means other than AKS Arc's",
    consequence: Consequence::AtRisk,
    clauses: &[Clause::new("C22")],
    instead: "use a DaemonSet, and replace the nodes that were changed",
});

pub(super) static STATE: StateCheck = attested::state(per_cluster);

fn per_cluster(_: &Inventory, context: &Context<'_>) -> Verdict {
    attested::judge(RULE.clauses, context, |_, _| Fault::of(SAID))
}

const SAID: &str = "the base image or the inside of nodes was changed by means other than AKS Arc's own";
