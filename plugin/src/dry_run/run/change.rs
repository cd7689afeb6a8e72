//! The result of a rehearsed write: the change, the findings, and the effect on support.

use std::borrow::Cow;

use aksarc_shared::command::Command;
use aksarc_shared::facts::change::Operation;
use aksarc_shared::finding::{Consequence, ObjectRef};
use aksarc_shared::text;
use aksarc_shared::verdict::guard::{Decision, Judged};
use serde_json::{Value, json};

use super::items::{Item, ItemState, read_state, what};
use super::runner::{Aftermath, Runner};
use crate::cli::exit::Failure;
use crate::dry_run::diff::{self, StatusField};
use crate::dry_run::judge::{self, Sides, Support, is_void};
use crate::dry_run::patch;
use crate::dry_run::plan::{GuardAnswer, Instead, PlannedChange, PlannedEffect, SupportChange};
use crate::dry_run::refusal::{Refusal, Refuser};

impl Runner<'_> {
    pub(super) async fn change(&mut self, item: &Item, aftermath: Aftermath) -> Result<PlannedChange, Failure> {
        let Aftermath { mut sides, refusal, warnings, mut notes, unsent, not_rehearsed } = aftermath;
        let rehearsed = not_rehearsed.is_empty();
        let rehearsal = self.rehearsal;
        let complete = sides.are_complete();
        // A Scale shows nothing of its object, so the object is judged instead.
        let scaled = if sides.subresource == "scale" {
            match read_state(self.session, item.resource.path(&item.namespace, &item.name, "")).await {
                ItemState::Present(parent) => Some(parent),
                _ => None,
            }
        } else {
            None
        };
        if complete && !unsent {
            let whole = scaled.as_ref().or(sides.before.as_ref());
            sides.beside = self.beside(item, &sides, whole, &mut notes).await;
        }
        let judgement = if complete && !unsent { sides.judge(self.guard, self.user, rehearsal.now) } else { None };
        let (mut judged, open) = match judgement {
            Some(judgement) => {
                (judgement.judged, judgement.not_evaluated.map(|why| text::line(&why.to_string(), MAX_WHY)))
            }
            None => (Vec::new(), None),
        };
        let denied = refusal.as_ref().filter(|refusal| refusal.is_guard());
        if let Some(refusal) = denied {
            let more = judge::from_causes(&refusal.causes, &sides, &judged, &rehearsal.settings, rehearsal.now);
            judged.extend(more);
        }
        let guard = match (denied, judged.iter().map(|own| own.decision).max()) {
            (Some(_), _) | (None, Some(Decision::Deny)) => GuardAnswer::Deny,
            (None, Some(Decision::Warn)) => GuardAnswer::Warn,
            (None, None) if (!complete && sides.kind().is_some()) || open.is_some() => GuardAnswer::Unknown,
            // Defaults and webhooks of the server may add parts that a rule would find.
            (None, Some(Decision::Allow) | None) if !rehearsed && sides.kind().is_some() => GuardAnswer::Unknown,
            (None, Some(Decision::Allow) | None) => GuardAnswer::Allow,
        };
        if !rehearsed {
            notes.push(as_given(&sides).to_owned());
        } else if guard == GuardAnswer::Deny && refusal.is_none() {
            notes.push(
                "the server accepted it: the guard is not installed there, set otherwise, or could not be reached"
                    .to_owned(),
            );
        }
        let not_judged = open.unwrap_or_else(|| not_judged(item, &sides, refusal.as_ref()));
        let mut support = self.support(&sides, scaled, &judged);
        if !rehearsed && support.after == Support::Within {
            support.after = Support::NotJudged;
        }
        let none = Value::Null;
        let of_status = sides.subresource == "status";
        let status = if of_status { StatusField::Compared } else { StatusField::LeftOut };
        let fields = match (&sides.before, &sides.after, sides.operation) {
            (Some(before), after, Operation::Update) => {
                diff::fields(&spelled_out(before), &spelled_out(after.as_ref().unwrap_or(&none)), status)
            }
            _ => Vec::new(),
        };
        let fields = if sides.after.is_none() { Vec::new() } else { fields };
        let operation = match sides.operation {
            _ if unsent => PlannedEffect::None,
            Operation::Update
                if sides.before.is_none() || sides.after.is_none() || fields.is_empty() && refusal.is_none() =>
            {
                if complete || refusal.is_some() {
                    PlannedEffect::None
                } else {
                    PlannedEffect::Update
                }
            }
            Operation::Create => PlannedEffect::Create,
            Operation::Delete if sides.before.is_none() && refusal.is_some() => PlannedEffect::None,
            Operation::Delete => PlannedEffect::Delete,
            Operation::Update => PlannedEffect::Update,
        };
        Ok(PlannedChange {
            object: reference(item, &sides),
            operation,
            subresource: sides.subresource.clone(),
            fields,
            instead: instead(&judged),
            findings: judged.into_iter().map(|own| own.finding).collect(),
            guard,
            not_judged,
            not_rehearsed,
            refusal,
            warnings,
            notes,
            support,
        })
    }

    /// The support before and after. `parent` is the object that a Scale belongs to.
    fn support(&self, sides: &Sides, parent: Option<Value>, judged: &[Judged]) -> SupportChange {
        let rehearsal = self.rehearsal;
        let voids = judged.iter().any(|own| is_void(&own.finding));
        let whole = Sides { subresource: String::new(), ..sides.clone() };
        let (before, after) = if sides.subresource == "scale" {
            let replicas = sides.after.as_ref().and_then(|after| spelled_out(after).pointer("/spec/replicas").cloned());
            let scaled = parent
                .as_ref()
                .zip(replicas)
                .map(|(parent, replicas)| patch::merged(parent, &json!({"spec": {"replicas": replicas}})));
            (parent, scaled)
        } else {
            (sides.before.clone(), sides.after.clone())
        };
        let of =
            |side: Option<&Value>| side.map(|side| judge::support_of(side, &whole, &rehearsal.settings, rehearsal.now));
        let nothing = if sides.kind().is_some() { Support::Within } else { Support::NotJudged };
        SupportChange {
            before: match sides.operation {
                Operation::Create => nothing,
                _ => of(before.as_ref()).unwrap_or(Support::NotJudged),
            },
            after: match sides.operation {
                _ if voids => Support::Outside,
                Operation::Delete if before.is_some() => nothing,
                _ => of(after.as_ref()).unwrap_or(Support::NotJudged),
            },
        }
    }
}

/// The note for a change that was judged as given, without being sent.
fn as_given(sides: &Sides) -> &'static str {
    match (sides.kind(), sides.are_complete()) {
        (Some(_), true) => {
            "nothing was sent: the rules judged the change as given; \
             the server's validation, admission and webhooks have not seen it"
        }
        (Some(_), false) => "nothing was sent: neither the rules nor the server have judged the change",
        (None, _) => {
            "nothing was sent: no rule is about this kind, \
             and the server's validation, admission and webhooks have not seen the change"
        }
    }
}

/// The object with the number of replicas spelled out: a Scale of 0 leaves it out, and people expect the number.
fn spelled_out(object: &Value) -> Cow<'_, Value> {
    let scale = object.get("kind").and_then(Value::as_str) == Some("Scale");
    if !scale || object.pointer("/spec/replicas").is_some() {
        return Cow::Borrowed(object);
    }
    Cow::Owned(patch::merged(object, &json!({"spec": {"replicas": 0}})))
}

/// The reason why the rules could not judge, if one of them might have had a finding.
fn not_judged(item: &Item, sides: &Sides, refusal: Option<&Refusal>) -> String {
    if sides.are_complete() || sides.kind().is_none() {
        return String::new();
    }
    match (&item.state, refusal) {
        // A missing object, or a change that kubectl does not send, changes nothing.
        (ItemState::Absent(_), _) => String::new(),
        (_, Some(refusal)) if refusal.who == Refuser::Kubectl => String::new(),
        (ItemState::Unreadable(refusal), _) if refusal.who == Refuser::Rbac => {
            format!("needs get {}, which is forbidden", what(item, &sides.subresource))
        }
        _ => "the object after the change is not known".to_owned(),
    }
}

fn reference(item: &Item, sides: &Sides) -> ObjectRef {
    let uid =
        [&sides.before, &sides.after].into_iter().flatten().find_map(|side| side.pointer("/metadata/uid")?.as_str());
    // The uid that a rehearsed creation returns belongs to no object.
    let uid = if sides.operation == Operation::Create { None } else { uid };
    ObjectRef {
        api_version: item.resource.api_version(),
        kind: item.resource.kind.clone(),
        namespace: item.namespace.clone(),
        name: item.name.clone(),
        uid: uid.unwrap_or_default().to_owned(),
    }
}

fn instead(judged: &[Judged]) -> Vec<Instead> {
    let mut ways: Vec<Instead> = Vec::new();
    for own in judged.iter().filter(|own| own.finding.consequence != Consequence::Info && own.finding.waiver.is_none())
    {
        let commands = own.finding.fix.clone();
        match ways.iter_mut().find(|way| way.code == own.finding.code) {
            Some(way) => {
                let more: Vec<Command> = commands.into_iter().filter(|c| !way.commands.contains(c)).collect();
                way.commands.extend(more);
            }
            None => ways.push(Instead { code: own.finding.code, text: own.instead, commands }),
        }
    }
    ways
}

/// The longest reason, a line of the report. Parts of it may come from the object.
const MAX_WHY: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_of_nothing_says_0() {
        let scale = |spec: Value| json!({"kind": "Scale", "spec": spec});
        assert_eq!(spelled_out(&scale(json!({})))["spec"]["replicas"], 0);
        assert_eq!(spelled_out(&scale(json!({"replicas": 2})))["spec"]["replicas"], 2);
        assert_eq!(*spelled_out(&json!({"kind": "Node"})), json!({"kind": "Node"}));
    }
}
