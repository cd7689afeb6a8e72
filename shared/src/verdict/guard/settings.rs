//! The settings of the guard, as its configuration gives them, and the mistakes that they can hold.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::data::{Component, LawfulObject, Platform};
use crate::facts::actor::{self, Actors};
use crate::people::waiver::{self, Waiver};
use crate::rules::catalogue;
use crate::rules::rule::Mode;

/// The settings by which the guard decides. A dry run uses the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The preset.
    pub mode: Preset,
    /// The platform. Nothing else tells it on the request path.
    pub platform: Option<Platform>,
    /// The mode of rules, by code: what a rule does in `enforce` at most, or that it is left out in every preset.
    pub rules: BTreeMap<String, Mode>,
    /// Identities that are the platform's, or are not, beyond the built-in ones.
    pub actors: Actors,
    /// Managed components beyond the built-in catalogue.
    pub components: Vec<Component>,
    /// Objects that users may create and change beyond the built-in list.
    pub lawful: Vec<LawfulObject>,
    /// Waivers.
    pub waivers: Vec<Waiver>,
    /// Where users ask, for denials and warnings.
    pub contact: Option<String>,
}

impl Settings {
    /// The platforms for which a change may be judged: the configured one, or every one with a policy text.
    pub fn platforms(&self) -> Vec<Platform> {
        self.platform.map_or(Platform::WITH_POLICY_TEXT.to_vec(), |platform| vec![platform])
    }

    /// ` on` and the configured platform; empty where none is configured.
    pub(super) fn place(&self) -> String {
        self.platform.map(|platform| format!(" on {}", platform.as_str())).unwrap_or_default()
    }
}

/// The preset of the guard: the upper limit of its actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Preset {
    /// Each finding has the effect that its weight asks for and its rule's mode allows.
    Enforce,
    /// Everything is allowed and recorded.
    #[default]
    Observe,
    /// Every finding that would be denied or warned of causes a warning.
    Warn,
}

impl Preset {
    /// The strongest action that any rule takes.
    pub fn at_most(self) -> Mode {
        match self {
            Preset::Enforce => Mode::Deny,
            Preset::Observe => Mode::Record,
            Preset::Warn => Mode::Warn,
        }
    }

    /// All presets, in the order of their discriminants.
    pub const ALL: [Preset; 3] = [Preset::Enforce, Preset::Observe, Preset::Warn];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Enforce => "enforce",
            Preset::Observe => "observe",
            Preset::Warn => "warn",
        }
    }
}

/// The reason why settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A mode for a rule that does not exist.
    #[error("rules: {0}")]
    UnknownRule(#[from] catalogue::UnknownRule),
    /// A mode for a rule that judges no change.
    #[error("rules: {0} judges no change, so it has no mode")]
    NoChange(String),
    /// The mode `deny` for rules whose findings never void support on the platform: the guard denies nothing else.
    #[error(
        "rules: {} cannot deny, because {} findings never void support{place}: give {} warn, or leave {} out",
        codes.join(", "),
        if codes.len() == 1 { "its" } else { "their" },
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
    /// A place to ask at that is empty, too long or more than a line.
    #[error("contact: one line of at most 100 bytes is needed, such as \"platform team, #aks on chat\"")]
    Contact,
    /// An identity that others than the platform have too, or that no request comes from.
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
