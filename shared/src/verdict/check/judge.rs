//! The outcome of a rule, from the lists that were read.

use super::state::Check;
use crate::command::Command;
use crate::data::Platform;
use crate::facts::answers::{self, Attested};
use crate::facts::change::Operation;
use crate::finding::{Basis, Consequence, Draft, Evidence, Finding, ObjectRef};
use crate::k8s::kinds::Kind;
use crate::rules::catalogue;
use crate::rules::rule::{Rule, Verdict};
use crate::verdict::report::{NEEDS_CLUSTER, RuleOutcome, RuleResult};
use crate::verdict::weigh::{lightest, merge};

/// The outcome of a rule on one platform.
#[derive(Clone, Debug)]
struct PlatformAnswer {
    platform: Platform,
    outcome: RuleResult,
    reason: String,
    findings: Vec<Finding>,
    could_void: bool,
}

impl PlatformAnswer {
    /// Whether two platforms have the same outcome. Texts and commands differ by platform, so only findings and their
    /// weights are compared.
    fn agrees(&self, other: &PlatformAnswer) -> bool {
        let weighs =
            |own: &Finding, other: &Finding| own.place() == other.place() && own.consequence == other.consequence;
        self.outcome == other.outcome
            && self.findings.len() == other.findings.len()
            && self.findings.iter().zip(&other.findings).all(|(own, other)| weighs(own, other))
    }

    /// Whether support is void on this platform according to the rule, or may be where the rule is undecided.
    fn may_void(&self) -> bool {
        self.could_void || self.findings.iter().any(|finding| finding.consequence == Consequence::Voids)
    }

    /// The finding at the place of `other`, which another platform has.
    fn twin(&self, other: &Finding) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.place() == other.place())
    }

    /// The platform and its outcome: `windows-server at-risk`, `azure-local pass`.
    fn word(&self) -> String {
        let heaviest = self.findings.iter().map(|finding| finding.consequence).min();
        let word = match (self.outcome, heaviest) {
            (RuleResult::Violated, Some(consequence)) => consequence.as_str(),
            (outcome, _) => outcome.as_str(),
        };
        format!("{} {word}", self.platform.as_str())
    }
}

impl Check<'_> {
    pub(super) fn judge(&self, rule: &'static Rule, candidates: &[Platform]) -> (RuleOutcome, Vec<Finding>) {
        let done = |outcome, reason: String, findings| {
            (RuleOutcome { code: rule.code, slug: rule.slug, outcome, reason, could_void: false }, findings)
        };
        if self.manifests && !rule.manifests.as_state() {
            let mut drafts = self.drafts.get(&rule.code).cloned().unwrap_or_default();
            if rule.change.is_none() {
                return done(RuleResult::NotApplicable, NEEDS_CLUSTER.to_owned(), Vec::new());
            }
            let platform = lightest(rule, candidates);
            let asks = |kind: &Kind| rule.guards.iter().any(|guard| guard.kind == kind);
            let mut open = self.unjudged(asks);
            if let Some(across) = rule.manifests.across() {
                open.extend((across.settle)(&self.inventory, &self.context(rule, platform), &mut drafts));
            }
            let findings = merge(rule, platform, drafts);
            let outcome = if findings.iter().any(|f| f.consequence != Consequence::Info) {
                RuleResult::Violated
            } else if open.is_empty() {
                RuleResult::Pass
            } else {
                RuleResult::Unknown
            };
            let could_void = rule.heaviest(candidates) == Consequence::Voids && self.lacks_what_would_void(rule);
            let (outcome, findings) = done(outcome, shorten(&open), findings);
            return (RuleOutcome { could_void, ..outcome }, findings);
        }
        let answers: Vec<PlatformAnswer> = candidates.iter().map(|platform| self.judge_on(rule, *platform)).collect();
        let Some(first) = answers.first().cloned() else {
            return done(RuleResult::Unknown, "no platform is possible".to_owned(), Vec::new());
        };
        // A finding on every platform is a finding, with the text of the platform on which it weighs least.
        let lightest = |finding: &Finding| -> Option<Finding> {
            let twins = answers.iter().map(|answer| answer.twin(finding));
            let twins: Vec<&Finding> = twins.collect::<Option<_>>()?;
            let mut own = twins.iter().rev().max_by_key(|twin| (twin.consequence, twin.basis)).copied()?.clone();
            // The reader knows which platform is theirs.
            own.fix.retain(|command| twins.iter().all(|twin| twin.fix.contains(command)));
            let others = twins.iter().flat_map(|twin| &twin.fix).cloned();
            for command in others {
                if !own.fix.contains(&command) {
                    own.fix.push(command);
                }
            }
            if answers.len() > 1 {
                own.fix.iter_mut().for_each(Command::name_platforms);
            }
            Some(own)
        };
        let shared = first.findings.iter().filter_map(lightest).collect();
        if answers.iter().all(|answer| answer.agrees(&first)) {
            let could_void = answers.iter().any(|answer| answer.could_void);
            let (outcome, findings) = done(first.outcome, first.reason, shared);
            return (RuleOutcome { could_void, ..outcome }, findings);
        }
        let says: Vec<String> = answers.iter().map(PlatformAnswer::word).collect();
        let reason = format!("depends on the platform ({}): give --platform", says.join(", "));
        let (outcome, findings) = done(RuleResult::Unknown, reason, shared);
        (RuleOutcome { could_void: answers.iter().any(PlatformAnswer::may_void), ..outcome }, findings)
    }

    /// The reasons why manifests of some kinds could not be judged.
    fn unjudged(&self, asks: impl Fn(&Kind) -> bool) -> Vec<String> {
        let unjudged = self.inventory.unjudged.iter().filter(|(key, _)| asks(key.kind));
        unjudged.map(|(key, unjudged)| unjudged.gap(key)).collect()
    }

    /// Whether a manifest that could not be judged may void support once it is created. Namespaced objects only do so
    /// in the platform's own namespaces.
    fn lacks_what_would_void(&self, rule: &Rule) -> bool {
        let created = |kind: &Kind| {
            rule.guards.iter().any(|guard| guard.kind == kind && guard.operations.contains(&Operation::Create))
        };
        let namespaces = &self.data.namespaces;
        self.inventory.unjudged.iter().filter(|(key, _)| created(key.kind)).any(|(key, unjudged)| {
            !key.kind.namespaced
                || unjudged.namespaces().any(|name| {
                    namespaces.protected(name).is_some()
                        && rule.voiding.may_be_in(key.kind, || namespaces.is_add_on(name))
                })
        })
    }

    fn judge_on(&self, rule: &'static Rule, platform: Platform) -> PlatformAnswer {
        let can_void = rule.consequence_on(platform) == Consequence::Voids;
        // Undecided drafts may void support. For a missing list it depends on the objects that such a list contains.
        let mut may_void = self.lacks_what_voids(rule);
        // A rule with findings can be incomplete too: its reason says what it did not see.
        let answer = |outcome, reason: String, findings, may_void: bool| {
            let open = matches!(outcome, RuleResult::Unknown | RuleResult::Violated) && !reason.is_empty();
            PlatformAnswer { platform, outcome, reason, findings, could_void: open && can_void && may_void }
        };
        if !rule.platforms.contains(&platform) {
            return answer(
                RuleResult::NotApplicable,
                format!("does not apply on {}", platform.as_str()),
                Vec::new(),
                false,
            );
        }
        let mut drafts = self.drafts.get(&rule.code).cloned().unwrap_or_default();
        drafts.extend(self.admitted(rule, platform));
        let mut open = self.gaps(rule);
        open.extend(self.unjudged(|kind| rule.reads.iter().any(|read| read.kind == kind)));
        let unwritten = self.unwritten(rule);
        may_void |= unwritten.is_some();
        open.extend(unwritten);
        if let Some(whole) = rule.state().per_cluster {
            match whole(&self.inventory, &self.context(rule, platform)) {
                Verdict::Found(found) => drafts.extend(found),
                Verdict::FoundPartly(found, why) => {
                    drafts.extend(found);
                    open.push(why);
                    may_void = true;
                }
                Verdict::Unknown(why) => {
                    open.push(why);
                    may_void = true;
                }
                Verdict::NotObservable(why) if drafts.is_empty() && open.is_empty() => {
                    let (outcome, reason) = self.unseen(rule, platform, why);
                    return answer(outcome, reason, Vec::new(), may_void);
                }
                Verdict::NotObservable(_) => {}
            }
        } else if rule.state().per_object.is_none() {
            let why = "leaves no trace in a state; the guard and the dry run judge the change";
            return answer(RuleResult::NotObservable, why.to_owned(), Vec::new(), false);
        }
        if let Some(baseline) = self.comparison() {
            drafts.retain(|draft| !baseline.settles(rule.code, draft));
        }
        let findings = merge(rule, platform, drafts);
        // A probe without an answer is a gap, and the rule may report the same gap.
        open.dedup();
        let reason = shorten(&open);
        // Waivers are applied later; here every finding is a violation.
        let outcome = if findings.iter().any(|finding| finding.consequence != Consequence::Info) {
            RuleResult::Violated
        } else if open.is_empty() {
            RuleResult::Pass
        } else {
            RuleResult::Unknown
        };
        answer(outcome, reason, findings, may_void)
    }

    /// The outcome of a rule for which Kubernetes shows nothing: that of people's answers, where these are complete.
    fn unseen(&self, rule: &Rule, platform: Platform, why: String) -> (RuleResult, String) {
        let settled = self.answers().of_rule(rule.clauses, platform);
        if settled.is_fulfilled() {
            return (RuleResult::Pass, settled.says());
        }
        if settled.answered.is_empty() {
            return (RuleResult::NotObservable, why);
        }
        (RuleResult::NotObservable, format!("{why}; {}, not {}", settled.says(), settled.open.join(", ")))
    }

    /// Drafts for answers that a clause is not met, unless a rule exists for that answer alone. An answer makes one
    /// finding: by the heaviest rule on the clause, and the first among equals.
    fn admitted(&self, rule: &Rule, platform: Platform) -> Vec<Draft> {
        let settled = self.answers().of_rule(rule.clauses, platform);
        let mut drafts = Vec::new();
        let bad = settled.answered.into_iter().filter(|answer| answer.answer == Attested::NotFulfilled);
        for answer in bad.filter(|answer| catalogue::attested(&answer.clause).is_none()) {
            let on_it = self.params.rules.iter().filter(|other| {
                let applies = other.platforms.contains(&platform);
                applies && self.answers().of_rule(other.clauses, platform).answered.contains(&answer)
            });
            let speaker = on_it.min_by_key(|other| (other.consequence_on(platform), other.code));
            if speaker.is_some_and(|speaker| speaker.code == rule.code) {
                let by = answer.by.trim();
                let evidence =
                    Evidence { time: answer.on.0.to_string(), ..Evidence::seen("attestation", &*answer.note) };
                drafts.push(
                    Draft::at(ObjectRef::cluster(), format!("attestation[{}]", answer.clause))
                        // The answer is about the clause of the text itself.
                        .basis(Basis::Explicit)
                        .says(format!("{by} answered on {} that this is not fulfilled", answers::day(answer.on.0)))
                        .with(Evidence { manager: by.to_owned(), ..evidence }),
                );
            }
        }
        drafts
    }
}

fn shorten(reasons: &[String]) -> String {
    match reasons {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one}; {two}"),
        [one, rest @ ..] => format!("{one}; and {} more", rest.len()),
    }
}
