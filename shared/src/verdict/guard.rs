//! Judging a change: who acts, what the rules find, and what the guard does about it. The dry run asks the same.

use crate::rules::parts::forged;
use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use crate::data::{Component, Data, LawfulObject, Platform};
use crate::facts::actor::{self, Actor, Actors, Ambiguous};
use crate::facts::change::Change;
use crate::finding::{Consequence, Finding};
use crate::k8s::user::User;
use crate::people::waiver::{self, Waiver};
use crate::rules::aa301;
use crate::rules::catalogue;
use crate::rules::rule::{Mode, Rule};
use crate::text;
use crate::verdict::review::NotEvaluated;
use crate::verdict::weigh::{finalize, lightest};

/// How the guard decides. Read from its configuration file; the dry run uses the same.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settings {
    /// The preset.
    pub mode: Preset,
    /// The platform; told by nobody else on the request path.
    pub platform: Option<Platform>,
    /// Per rule, by code: what to do in `enforce` at most, and what to leave out in every preset.
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, Mode>"))]
    pub rules: std::collections::BTreeMap<String, Mode>,
    /// Who is the platform and who is not, beyond what is built in.
    pub actors: Actors,
    /// Managed components beyond the built-in catalogue.
    pub components: Vec<Component>,
    /// Objects that users may create and change beyond the built-in list.
    pub lawful: Vec<LawfulObject>,
    /// Waivers.
    pub waivers: Vec<Waiver>,
}

impl Settings {
    /// The platforms that a change may be judged for: the configured one, or every one with a policy text.
    pub fn platforms(&self) -> Vec<Platform> {
        self.platform.map_or(Platform::WITH_POLICY_TEXT.to_vec(), |platform| vec![platform])
    }

    /// ` on` and the configured platform; empty where none is configured.
    fn place(&self) -> String {
        self.platform.map(|platform| format!(" on {}", platform.as_str())).unwrap_or_default()
    }
}

/// What the guard does on the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Preset {
    /// Each finding has the effect that its weight asks for and its rule's mode allows.
    Enforce,
    /// Everything is allowed and recorded.
    #[default]
    Observe,
    /// What would be denied or warned of is warned of.
    Warn,
}

impl Preset {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Enforce => "enforce",
            Preset::Observe => "observe",
            Preset::Warn => "warn",
        }
    }
}

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// An override for a rule there is none of.
    #[error("rules: {0}")]
    UnknownRule(#[from] catalogue::UnknownRule),
    /// A rule that judges no change.
    #[error("rules: {0} judges no change, so it has no mode")]
    NoChange(String),
    /// Denials by rules whose findings never void support there: the guard denies nothing else.
    #[error(
        "rules: {} cannot deny, because what {} never voids support{place}: give {} warn, or leave {} out",
        codes.join(", "),
        if codes.len() == 1 { "it finds" } else { "they find" },
        if codes.len() == 1 { "it" } else { "them" },
        if codes.len() == 1 { "it" } else { "them" }
    )]
    NeverVoids {
        /// The rules, by code.
        codes: Vec<&'static str>,
        /// ` on` and the configured platform; empty where none is configured.
        place: String,
    },
    /// A component or lawful object with neither or both of `name` and `prefix`, or with an empty one.
    #[error("{0}: exactly one of name and prefix is needed, and it must not be empty")]
    Pattern(String),
    /// An identity that cannot be the platform's alone, or that no request comes from.
    #[error(transparent)]
    Matcher(#[from] actor::NoMatcher),
    /// A waiver that breaks a term.
    #[error("waiver {name}: {problem}")]
    Waiver {
        /// Its name.
        name: String,
        /// The first term it breaks.
        problem: waiver::Invalid,
    },
}

/// Decides about changes. Built once per configuration; judging takes no lock, reads nothing, waits for nothing.
#[derive(Clone, Debug)]
pub struct Guard {
    data: Arc<Data>,
    settings: Settings,
    rules: Vec<(&'static Rule, Mode)>,
}

/// What is done about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// Allowed.
    Allow,
    /// Allowed, with a warning.
    Warn,
    /// Refused.
    Deny,
}

impl Decision {
    /// The word for metrics and audit annotations.
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Allow => "allow",
            Decision::Warn => "warn",
            Decision::Deny => "deny",
        }
    }
}

/// A finding, and what is done about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The finding.
    pub finding: Finding,
    /// What the guard does about it.
    pub decision: Decision,
    /// The supported way, from the rule.
    pub instead: &'static str,
}

impl Judged {
    /// One line for a denial or a warning: code, whose word it is, what, and the supported way; at most `max` bytes, no control
    /// characters. What is said of the object is cut first, code and basis never.
    pub fn line(&self, max: usize) -> String {
        let finding = &self.finding;
        let head = format!("{} ({}): ", finding.code, finding.basis.word());
        let tail = format!(" - {}", self.instead);
        let room = max.saturating_sub(head.len() + tail.len());
        format!("{head}{}{tail}", text::line(&finding.message, room))
    }
}

/// What the guard says about a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Who acts.
    pub actor: Actor,
    /// The preset in force.
    pub preset: Preset,
    /// What was found, heaviest decision first.
    pub judged: Vec<Judged>,
    /// Why not all could be judged. Nothing is found then, unless it is managedFields alone that were not looked at as a whole.
    pub not_evaluated: Option<NotEvaluated>,
}

impl Judgement {
    /// The heaviest decision.
    pub fn decision(&self) -> Decision {
        self.judged.iter().map(|judged| judged.decision).max().unwrap_or(Decision::Allow)
    }

    /// The findings.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.judged.iter().map(|judged| &judged.finding)
    }
}

impl Guard {
    /// Builds the guard from its settings.
    ///
    /// # Errors
    /// [`SettingsError`] for the first setting that cannot work; nothing is applied then.
    pub fn new(data: &Data, settings: Settings) -> Result<Self, SettingsError> {
        let mut data = data.on(&settings.platforms());
        settings.actors.check()?;
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
        let mut rules: Vec<(&'static Rule, Mode)> =
            catalogue::ALL.iter().filter(|rule| rule.change.is_some()).map(|rule| (*rule, rule.mode)).collect();
        for (code, mode) in &settings.rules {
            let unknown = || catalogue::select(code).err();
            let rule = catalogue::find(code);
            let Some(rule) = rule else {
                let given = catalogue::UnknownRule { given: code.clone(), nearest: None };
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
        Ok(Guard { data: Arc::new(data), settings, rules })
    }

    /// The same guard with waivers from elsewhere, and those of them that break a term. Its own all go on counting.
    pub fn beside(&self, more: Vec<Waiver>) -> (Guard, Vec<(Waiver, Vec<waiver::Invalid>)>) {
        let mut guard = self.clone();
        let (valid, invalid) = waiver::beside(&self.settings.waivers, more);
        guard.settings.waivers.extend(valid);
        (guard, invalid)
    }

    /// What of the settings does less than it says, for whoever wrote them: modes that no finding of their rule reaches, and
    /// waivers for what is found otherwise now.
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

    /// What the guard does with these settings, line by line: for whoever is about to use them. `now` tells which waivers are over.
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
        ]
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Who a user is, for this guard.
    pub fn actor(&self, user: &User) -> Actor {
        actor::classify(user, &self.settings.actors, &self.data.identities, &self.data.managers)
    }

    /// Judges a change.
    pub fn judge(&self, change: &Change<'_>, user: &User, now: Timestamp) -> Judgement {
        let actor = self.actor(user);
        let mut not_evaluated = change.misfit().map(NotEvaluated::from);
        let mut judged = Vec::new();
        if actor != Actor::Platform && not_evaluated.is_none() {
            for (rule, mode) in &self.rules {
                self.judge_rule(rule, *mode, change, (actor, user), now, &mut judged);
            }
            not_evaluated = change.too_many_managed().map(NotEvaluated::ManagedFields);
            if let Some(fault) = change.fault() {
                // Some rule took what it could not read as missing.
                judged.clear();
                not_evaluated = Some(NotEvaluated::Unreadable(fault.to_owned()));
            }
            judged.sort_by(|a, b| {
                let key = |j: &Judged| (std::cmp::Reverse(j.decision), j.finding.consequence, j.finding.code);
                key(a).cmp(&key(b))
            });
        }
        Judgement { actor, preset: self.settings.mode, judged, not_evaluated }
    }

    fn judge_rule(
        &self,
        rule: &'static Rule,
        mode: Mode,
        change: &Change<'_>,
        (actor, user): (Actor, &User),
        now: Timestamp,
        judged: &mut Vec<Judged>,
    ) {
        let asked = rule.guards.iter().any(|guard| {
            // There is one of each kind; comparing their names would be done a hundred times for each request.
            std::ptr::eq(guard.kind, change.kind)
                && guard.subresource == change.subresource
                && guard.operations.contains(&change.operation)
        });
        let Some(judge) = rule.change.filter(|_| asked) else { return };
        // What is in the rest of them may be what makes the change lawful.
        let (mut drafts, partly) = change.watched(|| judge(change, &self.data));
        if rule.code == aa301::RULE.code {
            drafts.extend(forged::forged(change, &user.field_manager, &self.data));
        }
        if actor::is_agent(user, &self.data.managers) {
            drafts.retain(|draft| !draft.agents_may);
        }
        if drafts.is_empty() {
            return;
        }
        let capped: HashSet<_> =
            drafts.iter().filter(|d| d.warn_at_most).map(|d| (d.object.clone(), d.path.clone())).collect();
        for draft in &mut drafts {
            draft.evidence.push(crate::finding::Evidence {
                what: "request".to_owned(),
                manager: user.field_manager.clone(),
                operation: change.operation.as_str().to_owned(),
                ..Default::default()
            });
        }
        let mut findings = finalize(rule, lightest(rule, &self.settings.platforms()), drafts);
        waiver::apply(&mut findings, &self.settings.waivers, now);
        for finding in findings {
            let cap = partly || !capped.is_empty() && capped.contains(&(finding.object.clone(), finding.path.clone()));
            let decision = self.decide(mode, actor, &finding, cap);
            judged.push(Judged { finding, decision, instead: rule.instead });
        }
    }

    /// Whether what this actor does may be denied at all.
    fn denies(&self, actor: Actor) -> bool {
        actor != Actor::Ambiguous || self.settings.actors.ambiguous == Ambiguous::Deny
    }

    /// What the preset and the rule's mode allow, and no more than the finding's own weight asks for.
    fn decide(&self, mode: Mode, actor: Actor, finding: &Finding, capped: bool) -> Decision {
        let wanted = match self.settings.mode {
            Preset::Observe => Mode::Record,
            Preset::Warn => Mode::Warn,
            Preset::Enforce => mode,
        };
        if finding.waiver.is_some() {
            return Decision::Allow;
        }
        match wanted.min(Mode::at_most(finding.consequence)) {
            Mode::Off | Mode::Record => Decision::Allow,
            Mode::Deny if !capped && self.denies(actor) => Decision::Deny,
            Mode::Warn | Mode::Deny => Decision::Warn,
        }
    }
}

/// Of a waiver's name in a note.
const MAX_NAME: usize = 80;
