//! AA416: an attestation says that somebody signed in to a node and changed it.

use crate::facts::inventory::Inventory;
use crate::finding::{Clause, Code, Consequence};
use crate::rules::parts::attested::{self, AnswerRule, Fault};
use crate::rules::rule::{Context, Rule, StateCheck, Verdict};

pub(super) static RULE: Rule = attested::rule(AnswerRule {
    code: Code::new("AA416"),
    slug: "node-changed-signed-in",
    summary: "somebody signed in to a node and changed it",
    consequence: Consequence::AtRisk,
    clauses: &[Clause::new("C27")],
    instead: "use a DaemonSet, and replace the nodes that were changed",
});

pub(super) static STATE: StateCheck = attested::state(per_cluster);

fn per_cluster(_: &Inventory, context: &Context<'_>) -> Verdict {
    attested::judge(RULE.clauses, context, |_, _| Fault::of(SAID))
}

const SAID: &str = "somebody signed in to a node and changed it there";
