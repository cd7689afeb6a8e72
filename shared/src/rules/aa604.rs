//! AA604: the Azure subscription was suspended or deleted.

use crate::facts::inventory::Inventory;
use crate::finding::{Clause, Code, Consequence};
use crate::rules::parts::attested::{self, AnswerRule, Fault};
use crate::rules::rule::{Context, Rule, StateCheck, Verdict};

pub(super) static RULE: Rule = attested::rule(AnswerRule {
    code: Code::new("AA604"),
    slug: "subscription",
    summary: "the Azure subscription was suspended or deleted 60 days ago or earlier",
    consequence: Consequence::Voids,
    clauses: &[Clause::new("C35"), Clause::new("C36")],
    instead: "have the subscription reinstated",
});

pub(super) static STATE: StateCheck = attested::state(per_cluster);

fn per_cluster(_: &Inventory, context: &Context<'_>) -> Verdict {
    // C36 is asked together with C35, so an answer to either counts for both.
    attested::judge(&[Clause::new("C35")], context, |_, _| Fault::of(SAID))
}

const SAID: &str = "the subscription was suspended or deleted, and 60 days have passed";
