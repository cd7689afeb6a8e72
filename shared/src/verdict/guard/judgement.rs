//! The judgement of a change, which the guard answers and a dry run shows.

use crate::facts::actor::Actor;
use crate::finding::{Basis, Clause, Code, Finding};
use crate::rules::rule::Mode;
use crate::text;
use crate::verdict::review::NotEvaluated;

use super::settings::Preset;

/// The decision about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
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

impl From<Mode> for Decision {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Off | Mode::Record => Decision::Allow,
            Mode::Warn => Decision::Warn,
            Mode::Deny => Decision::Deny,
        }
    }
}

/// A finding, and the decision about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The finding.
    pub finding: Finding,
    /// The decision about it.
    pub decision: Decision,
    /// The decision about it in the preset `enforce`, whatever preset is in force.
    pub in_enforce: Decision,
    /// The supported way, from the rule.
    pub instead: &'static str,
}

impl Judged {
    /// One line for a denial or a warning: code, basis with the clause, message and the supported way, in at most `max` bytes
    /// without control characters. The message is cut first, code and basis never.
    pub fn line(&self, max: usize) -> String {
        let finding = &self.finding;
        let head = head(finding.code, finding.basis, finding.clauses);
        let tail = format!(" - {}", self.instead);
        let room = max.saturating_sub(head.len() + tail.len());
        format!("{head}{}{tail}", text::line(&finding.message, room))
    }
}

/// The first words of a denial or a warning: code, and basis with the clause.
pub(super) fn head(code: Code, basis: Basis, clauses: &[Clause]) -> String {
    let word = basis.word();
    let source = match (basis, clauses.first()) {
        (Basis::Explicit, Some(clause)) => format!("{word} {clause}"),
        (Basis::Derived, Some(clause)) => format!("{word} of {clause}"),
        // Where another page says it, or only experience, no clause is the source.
        (Basis::Documented(_) | Basis::Operational, _) | (_, None) => word.to_owned(),
    };
    format!("{code} ({source}): ")
}

/// The judgement of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The actor behind the change.
    pub actor: Actor,
    /// The preset in force.
    pub preset: Preset,
    /// The findings, heaviest decision first.
    pub judged: Vec<Judged>,
    /// The reason why the change was not judged, or not as a whole. There are no findings then, unless only a part of
    /// managedFields was not looked at.
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
