//! Rules on clauses that only people can answer. The finding repeats an attestation and the question it answers; it
//! never borrows the words of a rule that looks at something else.

use crate::data::Platform;
use crate::facts::answers::{Attestation, Attested, day};
use crate::facts::inventory::Inventory;
use crate::finding::{Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::rules::rule::{Context, Grounds, ManifestUse, Mode, Reach, Rule, StateCheck, Verdict, Voiding, Weight};

/// The fields in which one rule on attestations differs from another.
#[derive(Clone, Copy)]
pub(crate) struct AnswerRule {
    pub(crate) code: Code,
    pub(crate) slug: &'static str,
    pub(crate) summary: &'static str,
    /// The consequence, wherever there is a policy text.
    pub(crate) consequence: Consequence,
    pub(crate) clauses: &'static [Clause],
    pub(crate) instead: &'static str,
}

/// A rule that only attestations decide. Nothing in a cluster shows the matter, so the rule reads nothing and guards
/// nothing; an answer to a clause of the policy text is as explicit as the clause.
pub(crate) const fn rule(rule: AnswerRule) -> Rule {
    Rule {
        code: rule.code,
        slug: rule.slug,
        summary: rule.summary,
        consequence: Weight::Always(rule.consequence),
        basis: Grounds::Answers,
        clauses: rule.clauses,
        platforms: &Platform::WITH_POLICY_TEXT,
        reads: &[],
        probes: &[],
        guards: &[],
        reach: Reach::System,
        mode: Mode::Off,
        instead: rule.instead,
        change: None,
        claim: None,
        manifests: ManifestUse::AsCreation,
        voiding: Voiding::AnyList,
    }
}

/// The judgement of such a rule, made by [`judge`].
pub(crate) const fn state(judge: fn(&Inventory, &Context<'_>) -> Verdict) -> StateCheck {
    StateCheck { per_object: None, per_cluster: Some(judge), deadlines: None }
}

/// The finding on an attestation that a clause is not fulfilled.
pub(crate) struct Fault {
    /// The text of the finding, which follows a colon.
    pub(crate) says: String,
    /// A weight lighter than the rule's.
    pub(crate) lighter: Option<Consequence>,
}

impl Fault {
    /// A fault with the weight of its rule.
    pub(crate) fn of(says: &str) -> Self {
        Fault { says: says.to_owned(), lighter: None }
    }
}

/// A rule's verdict by the attestations of its clauses alone. `fault` words an attestation that a clause is not
/// fulfilled.
pub(crate) fn judge(
    clauses: &[Clause],
    context: &Context<'_>,
    fault: impl Fn(&Attestation, &Context<'_>) -> Fault,
) -> Verdict {
    let settled = context.answers.of_rule(clauses, context.platform);
    let bad = settled.answered.into_iter().filter(|answer| answer.answer == Attested::NotFulfilled);
    let drafts: Vec<Draft> = bad.map(|answer| draft(answer, context, &fault(answer, context))).collect();
    if !drafts.is_empty() {
        return Verdict::Found(drafts);
    }
    let topics: Vec<&str> = clauses.iter().filter_map(|clause| topic(context, clause.as_str())).collect();
    Verdict::NotObservable(format!(
        "Kubernetes does not show this ({}): --attest answers {}",
        topics.join("; "),
        Clause::join(clauses, " and ")
    ))
}

fn draft(answer: &Attestation, context: &Context<'_>, fault: &Fault) -> Draft {
    let (by, clause) = (answer.by.trim(), &*answer.clause);
    let row = context.data.clauses.iter().find(|row| row.id == clause);
    let question = row.and_then(|row| row.ask.clone()).unwrap_or_default();
    let topic = topic(context, clause).unwrap_or("the clause");
    let evidence = Evidence {
        manager: by.to_owned(),
        time: answer.on.0.to_string(),
        ..Evidence::seen("attestation", &*answer.note)
    };
    let mut draft = Draft::at(ObjectRef::cluster(), format!("attestation[{clause}]"))
        .says(format!("{by} answered {clause} ({topic}) on {}: {}", day(answer.on.0), fault.says))
        .with(evidence)
        .with(Evidence::seen("question", question));
    if let Some(stop) = &answer.stop {
        draft = draft.values(None, Some(&stop.to_string()));
    }
    draft.lighter = fault.lighter;
    draft
}

fn topic<'d>(context: &Context<'d>, clause: &str) -> Option<&'d str> {
    context.data.clauses.iter().find(|row| row.id == clause)?.topic.as_deref()
}
