//! AA609: an attestation says that nodes were stopped by hand.

use crate::data::Platform;
use crate::facts::answers::{Attestation, StopPurpose};
use crate::facts::inventory::Inventory;
use crate::finding::{Clause, Code, Consequence};
use crate::rules::parts::attested::{self, AnswerRule, Fault};
use crate::rules::rule::{Context, Rule, StateCheck, Verdict};

pub(super) static RULE: Rule = attested::rule(AnswerRule {
    code: Code::new("AA609"),
    slug: "nodes-stopped-by-hand",
    summary: "nodes were stopped or de-allocated by hand",
    consequence: Consequence::Voids,
    clauses: &[Clause::new("C30"), Clause::new("C34")],
    instead: "stop clusters with AKS Arc's own commands",
});

pub(super) static STATE: StateCheck = attested::state(per_cluster);

fn per_cluster(_: &Inventory, context: &Context<'_>) -> Verdict {
    attested::judge(RULE.clauses, context, fault)
}

/// The fault of an attestation on stopped nodes. Azure Local's text has one sentence and no number. Those of Windows
/// Server and 22H2 have a second one, which allows stops of up to 30 days and regular maintenance; unless the answer
/// says whether it applies, the fault is at risk at most.
fn fault(answer: &Attestation, context: &Context<'_>) -> Fault {
    let fault = match &*answer.clause {
        "C30" => "all nodes were shut down by hand",
        _ => "nodes were stopped or de-allocated by hand for long",
    };
    if context.platform == Platform::AzureLocal {
        return Fault::of(fault);
    }
    let both = "the text says that de-allocating all nodes by hand ends support (C30), and that stops by hand of more than \
                30 days do unless they are regular maintenance (C34)";
    let long = answer.stop.as_ref().map(|stop| stop.is_longer_than(MAX_DAYS));
    let purpose = answer.stop.as_ref().and_then(|stop| stop.purpose);
    let (told, lighter) = match (long, purpose) {
        (Some(true), Some(StopPurpose::Other)) => ("it was longer than that, and no maintenance", None),
        (Some(_), Some(StopPurpose::Maintenance)) => ("it was for maintenance", Some(Consequence::AtRisk)),
        (Some(false), _) => ("it was no longer than that", Some(Consequence::AtRisk)),
        (Some(true), None) => {
            ("it was longer than that, and `purpose` does not say what for", Some(Consequence::AtRisk))
        }
        (None, _) => ("its dates and purpose were not told", Some(Consequence::AtRisk)),
    };
    Fault { says: format!("{fault}; {both}; {told}"), lighter }
}

/// The limit of the second sentence, in days.
const MAX_DAYS: i64 = 30;
