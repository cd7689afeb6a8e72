//! The judgement of changes: the actor, the findings of the rules, and the decision about each. A dry run uses the same
//! engine.

mod config;
mod judgement;
mod settings;

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;

use crate::data::{Data, Platform};
use crate::facts::actor::{self, Actor, Ambiguous};
use crate::facts::change::Change;
use crate::finding::{Consequence, Evidence};
use crate::k8s::kinds::Kind;
use crate::k8s::user::User;
use crate::people::waiver::{self, Waiver};
use crate::rules::catalogue;
use crate::rules::rule::{Mode, Rule};
use crate::text;
use crate::verdict::review::NotEvaluated;
use crate::verdict::weigh::{Weighed, lightest, weigh};

pub use config::{GuardConfig, GuardConfigError, GuardConfigKind, GuardConfigVersion};
pub use judgement::{Decision, Judged, Judgement};
pub use settings::{Preset, Settings, SettingsError};

/// The engine that decides about changes. It is built once per configuration; judging takes no lock, reads nothing and
/// waits for nothing.
#[derive(Clone, Debug)]
pub struct Guard {
    data: Arc<Data>,
    settings: Settings,
    /// The rules that judge changes.
    rules: Vec<JudgingRule>,
    /// The rules that judge changes of each kind, so that a change passes by all others.
    by_kind: Vec<(&'static Kind, Vec<JudgingRule>)>,
}

/// A rule that judges changes, with what it does in `enforce` at most.
type JudgingRule = (&'static Rule, Mode);

impl Guard {
    /// Builds the guard from its settings.
    ///
    /// # Errors
    /// [`SettingsError`] for the first setting that cannot work. Nothing is applied then.
    pub fn new(data: &Data, settings: Settings) -> Result<Self, SettingsError> {
        let mut data = data.on(&settings.platforms());
        settings.actors.check()?;
        if let Some(contact) = &settings.contact {
            let is_line = text::line(contact, MAX_CONTACT) == *contact;
            if contact.trim().is_empty() || !is_line {
                return Err(SettingsError::Contact);
            }
        }
        let one = |name: &Option<String>, prefix: &Option<String>| {
            let given: Vec<&String> = name.iter().chain(prefix).collect();
            given.len() == 1 && !given.iter().any(|text| text.is_empty())
        };
        for component in &settings.components {
            if !one(&component.name, &component.prefix) {
                return Err(SettingsError::Pattern(format!("components: {}", component.product)));
            }
        }
        for object in &settings.lawful {
            if !one(&object.name, &object.prefix) {
                return Err(SettingsError::Pattern(format!("lawful: {}", object.why)));
            }
        }
        for (waiver, problems) in waiver::all_problems(&settings.waivers) {
            // An expired waiver is no error: it ends by itself, while the guard runs.
            if let Some(problem) = problems.into_iter().next() {
                return Err(SettingsError::Waiver { name: waiver.name.clone(), problem });
            }
        }
        data.components.extend(settings.components.iter().cloned());
        data.lawful.objects.extend(settings.lawful.iter().cloned());
        let platforms = settings.platforms();
        let mut never_void = Vec::new();
        let mut rules: Vec<JudgingRule> =
            catalogue::ALL.iter().filter(|rule| rule.change.is_some()).map(|rule| (*rule, rule.mode)).collect();
        for (code, mode) in &settings.rules {
            let unknown = || catalogue::select(code).err();
            let rule = catalogue::find(code);
            let Some(rule) = rule else {
                let given = catalogue::UnknownRule::Other(code.clone());
                return Err(unknown().unwrap_or(given).into());
            };
            let Some(slot) = rules.iter_mut().find(|(own, _)| own.code == rule.code) else {
                return Err(SettingsError::NoChange(code.clone()));
            };
            if *mode == Mode::Deny && rule.heaviest(&platforms) != Consequence::Voids {
                never_void.push(rule.code.as_str());
            }
            slot.1 = *mode;
        }
        if !never_void.is_empty() {
            never_void.sort_unstable();
            return Err(SettingsError::NeverVoids { codes: never_void, place: settings.place() });
        }
        rules.retain(|(_, mode)| *mode != Mode::Off);
        let by_kind = by_kind(&rules);
        Ok(Guard { data: Arc::new(data), settings, rules, by_kind })
    }

    /// The guard with the valid waivers of `more`, and those of them that break a term. Its own waivers all go on
    /// counting.
    pub fn with_cluster_waivers(&self, more: Vec<Waiver>) -> (Guard, Vec<(Waiver, Vec<waiver::Invalid>)>) {
        let mut guard = self.clone();
        let (valid, invalid) = waiver::split_valid(&self.settings.waivers, more);
        guard.settings.waivers.extend(valid);
        (guard, invalid)
    }

    /// Notes about settings that do less than they say: modes that no finding of their rule reaches, and waivers for findings
    /// that are made otherwise now.
    pub fn notes(&self) -> Vec<String> {
        let settings = &self.settings;
        let platforms = settings.platforms();
        let modes = settings.rules.iter().filter_map(|(code, mode)| {
            let rule = catalogue::find(code)?;
            let weight = rule.consequence_on(lightest(rule, &platforms));
            let most = Mode::at_most(weight);
            let does = if most == Mode::Warn { "warned of" } else { "recorded without a warning" };
            let (whose, way) = match settings.platform {
                Some(_) => (settings.place(), ""),
                None => (" on some platform, and none is named".to_owned(), "name the platform, or "),
            };
            let (code, weight, most_word) = (rule.code.as_str(), weight.as_str(), most.as_str());
            (*mode > most).then(|| {
                format!(
                    "rules: {code} has the mode {}, and what it finds is {weight} at most{whose}, which is {does}: {way}give \
                     it {most_word}, or leave it out",
                    mode.as_str()
                )
            })
        });
        let waivers = settings.waivers.iter().flat_map(|waiver| {
            let name = text::line(&waiver.name, MAX_NAME);
            waiver.moved().into_iter().map(move |moved| format!("waiver {name}: {moved}"))
        });
        modes.chain(waivers).collect()
    }

    /// Whether it is set to refuse, and only warns of what cluster administrators delete and scale: no credential id tells
    /// them from the platform.
    pub fn only_warns_administrators(&self) -> bool {
        let Settings { mode, actors, .. } = &self.settings;
        *mode == Preset::Enforce && actors.ambiguous == Ambiguous::Warn && actors.people.credential_ids.is_empty()
    }

    /// Lines that tell what the guard does with its settings, for people who are about to use them. `now` decides which waivers
    /// are over.
    pub fn summary(&self, now: Timestamp) -> Vec<String> {
        let settings = &self.settings;
        let actors = &settings.actors;
        let count =
            |matchers: &actor::Matchers| matchers.users.len() + matchers.groups.len() + matchers.credential_ids.len();
        let ambiguous = match actors.ambiguous {
            Ambiguous::Warn => {
                "warned of, never refused: deletes and kubectl scale by system:masters, by kubeadm:cluster-admins and by names \
                 that the platform uses too are among it"
            }
            Ambiguous::Deny => "refused where a person's would be: whoever acts for the platform has to be listed",
        };
        let over = settings.waivers.iter().filter(|waiver| waiver.is_over(now)).count();
        vec![
            format!("mode: {}", settings.mode.as_str()),
            format!(
                "platform: {}",
                settings.platform.map_or("not named, so each finding weighs what it weighs least", Platform::as_str)
            ),
            format!(
                "rules: {} judge changes, {} of them with a mode of your own",
                self.rules.len(),
                settings.rules.len()
            ),
            format!(
                "actors: {} of your own are the platform, {} are people",
                count(&actors.platform),
                count(&actors.people)
            ),
            format!("what the platform or a person could do: {ambiguous}"),
            format!("components and lawful objects of your own: {}", settings.components.len() + settings.lawful.len()),
            format!("waivers: {}, {over} of them over", settings.waivers.len()),
            format!("where to ask, by denials and warnings: {}", settings.contact.as_deref().unwrap_or("not named")),
        ]
    }

    /// The tables by which it judges, with the rows that its configuration adds.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The first words of a denial by a rule, `AA201 (policy C13): `, and the supported way. `None` where the guard denies
    /// nothing that the rule finds.
    pub fn denial(&self, code: &str) -> Option<(String, &'static str)> {
        let (rule, _) = self.rules.iter().find(|(rule, mode)| rule.code.as_str() == code && *mode == Mode::Deny)?;
        let platform = lightest(rule, &self.settings.platforms());
        let voids = rule.consequence_on(platform) == Consequence::Voids;
        voids.then(|| (judgement::head(rule.code, rule.basis_on(platform), rule.clauses), rule.instead))
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The actor that a user is for this guard.
    pub fn actor(&self, user: &User) -> Actor {
        actor::classify(user, &self.settings.actors, &self.data.identities, &self.data.managers)
    }

    /// Judges a change.
    pub fn judge(&self, change: &Change<'_>, user: &User, now: Timestamp) -> Judgement {
        let submission = Submission { change, user, actor: self.actor(user), now };
        let actor = submission.actor;
        let mut not_evaluated = change.misfit().map(NotEvaluated::from);
        let mut judged = Vec::new();
        if actor != Actor::Platform && not_evaluated.is_none() {
            for (rule, mode) in self.rules_of(change.kind) {
                judged.extend(self.judge_rule(rule, *mode, &submission));
            }
            not_evaluated = change.too_many_managed().map(NotEvaluated::ManagedFields);
            if let Some(fault) = change.fault() {
                // A rule may have taken an unreadable part as missing.
                judged.clear();
                not_evaluated = Some(NotEvaluated::Unreadable(fault.to_owned()));
            }
            judged.sort_by(|a, b| {
                let key = |j: &Judged| (Reverse(j.decision), j.finding.consequence, j.finding.code);
                key(a).cmp(&key(b))
            });
        }
        Judgement { actor, preset: self.settings.mode, judged, not_evaluated }
    }

    /// The rules that judge changes of a kind.
    fn rules_of(&self, kind: &'static Kind) -> &[JudgingRule] {
        self.by_kind.iter().find(|(own, _)| std::ptr::eq(*own, kind)).map_or(&[], |(_, rules)| rules)
    }

    /// The findings of one rule in a change, with the decision about each. Nothing is allocated where there is none.
    fn judge_rule(&self, rule: &'static Rule, mode: Mode, submission: &Submission<'_, '_>) -> Vec<Judged> {
        let Submission { change, user, actor, now } = *submission;
        let is_watched = rule.guards.iter().any(|guard| {
            std::ptr::eq(guard.kind, change.kind)
                && guard.operations.contains(&change.operation)
                && guard.subresource.len() == change.subresource.len()
                // Most requests have none: comparing it would call a function for each guard.
                && (guard.subresource.is_empty() || guard.subresource == change.subresource)
        });
        let Some(judge) = rule.change.filter(|_| is_watched) else { return Vec::new() };
        // `partly`: the rule looked at managedFields, of which only a part is known. The rest may make the change lawful.
        let (mut drafts, partly) = change.watched(|| judge(change, &self.data));
        if let Some(judge) = rule.claim {
            drafts.extend(judge(change, &user.field_manager, &self.data));
        }
        if actor::is_agent(user, &self.data.managers) {
            drafts.retain(|draft| !draft.agents_may);
        }
        if drafts.is_empty() {
            return Vec::new();
        }
        for draft in &mut drafts {
            draft.evidence.push(Evidence {
                what: "request".to_owned(),
                manager: user.field_manager.clone(),
                operation: change.operation.as_str().to_owned(),
                ..Default::default()
            });
        }
        let weighed = weigh(rule, lightest(rule, &self.settings.platforms()), drafts);
        let (mut findings, warn_at_most): (Vec<_>, Vec<_>) =
            weighed.into_iter().map(|Weighed { finding, warn_at_most }| (finding, warn_at_most)).unzip();
        waiver::apply(&mut findings, &self.settings.waivers, now);
        let decided = findings.into_iter().zip(warn_at_most).map(|(finding, warn_at_most)| {
            let may_deny = !partly && !warn_at_most && self.denies(actor);
            let allowed = if may_deny { Mode::Deny } else { Mode::Warn };
            let most = match finding.waiver {
                Some(_) => Mode::Record,
                None => mode.min(allowed).min(Mode::at_most(finding.consequence)),
            };
            let decision = most.min(self.settings.mode.at_most()).into();
            Judged { finding, decision, in_enforce: most.into(), instead: rule.instead }
        });
        decided.collect()
    }

    /// Whether changes of this actor may be denied at all.
    fn denies(&self, actor: Actor) -> bool {
        actor != Actor::Ambiguous || self.settings.actors.ambiguous == Ambiguous::Deny
    }
}

/// The rules that judge changes of each kind, in their order. Kinds are told apart by address.
fn by_kind(rules: &[JudgingRule]) -> Vec<(&'static Kind, Vec<JudgingRule>)> {
    let mut by_kind: Vec<(&'static Kind, Vec<JudgingRule>)> = Vec::new();
    for (rule, mode) in rules {
        for guard in rule.guards {
            let known = by_kind.iter().position(|(kind, _)| std::ptr::eq(*kind, guard.kind));
            let at = known.unwrap_or_else(|| {
                by_kind.push((guard.kind, Vec::new()));
                by_kind.len() - 1
            });
            let Some((_, own)) = by_kind.get_mut(at) else { continue };
            if own.last().is_none_or(|(last, _)| last.code != rule.code) {
                own.push((rule, *mode));
            }
        }
    }
    by_kind
}

/// A change, with the user who submits it and the time.
struct Submission<'s, 'c> {
    change: &'s Change<'c>,
    user: &'s User,
    actor: Actor,
    now: Timestamp,
}

/// Bytes of a waiver's name in a note.
const MAX_NAME: usize = 80;
/// Bytes of the place to ask at: a denial has to stay a line or two of a terminal.
const MAX_CONTACT: usize = 100;
