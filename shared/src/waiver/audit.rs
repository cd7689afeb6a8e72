//! Which waivers do something, and what is wrong with the others.

use jiff::Timestamp;

use super::{Invalid, Lapsed, Status, Waiver, chosen, problems_among, status_with};
use crate::finding::Finding;
use crate::report::{Outcome, RuleOutcome};

/// What became of one waiver in a check.
#[derive(Clone, Debug)]
pub struct Audit<'a> {
    /// The waiver.
    pub waiver: &'a Waiver,
    /// Whether it counts.
    pub status: Status,
    /// Findings it is shown on.
    pub covers: Vec<&'a Finding>,
    /// Findings it covers as well, with the name of the waiver shown instead.
    pub shadowed: Vec<(&'a Finding, &'a str)>,
    /// Findings it was given for and no longer covers.
    pub lapsed: Vec<(&'a Finding, Lapsed)>,
    /// Findings it would cover if it counted.
    pub would_cover: Vec<&'a Finding>,
    /// Rules of it of which the check does not know all, and why: nobody can say then that it is unused.
    pub unseen: Vec<String>,
}

/// What a waiver is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// It covers something found.
    Covers,
    /// It does not count, so it covers nothing.
    NotInForce,
    /// What it was given for has changed.
    Lapsed,
    /// All it covers is covered by another that ends later.
    Shadowed,
    /// Cannot be told; why.
    Unknown(String),
    /// Its rules were evaluated in full, and it matches nothing.
    Unused,
}

impl Use {
    /// The word JSON carries.
    pub fn as_str(&self) -> &'static str {
        match self {
            Use::Covers => "covers",
            Use::Lapsed => "lapsed",
            Use::NotInForce => "not-in-force",
            Use::Shadowed => "shadowed",
            Use::Unknown(_) => "unknown",
            Use::Unused => "unused",
        }
    }
}

/// Something about a waiver that somebody should do something about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// It breaks a term.
    #[error("{0}")]
    Invalid(Invalid),
    /// It is over.
    #[error("it expired at {0}")]
    Expired(Timestamp),
    /// It is over for one finding.
    #[error("it has lapsed for {object}: {why}")]
    Lapsed {
        /// The object, short.
        object: String,
        /// Why.
        why: Lapsed,
    },
    /// It matches nothing that was found.
    #[error("it covers nothing that was found")]
    Unused,
}

impl Audit<'_> {
    /// What it is good for.
    pub fn usage(&self) -> Use {
        if self.status != Status::Valid {
            Use::NotInForce
        } else if !self.covers.is_empty() {
            Use::Covers
        } else if !self.lapsed.is_empty() {
            Use::Lapsed
        } else if !self.shadowed.is_empty() {
            Use::Shadowed
        } else if let Some(why) = self.unseen.first() {
            Use::Unknown(why.clone())
        } else {
            Use::Unused
        }
    }

    /// What somebody should do something about. A waiver that has not begun, or whose use can't be told, is no trouble.
    pub fn troubles(&self) -> Vec<Trouble> {
        match &self.status {
            Status::Invalid(problems) => return problems.iter().cloned().map(Trouble::Invalid).collect(),
            Status::Expired => return vec![Trouble::Expired(self.waiver.expires)],
            Status::NotYet | Status::Valid => {}
        }
        let lapsed = self.lapsed.iter();
        let mut troubles: Vec<Trouble> =
            lapsed.map(|(finding, why)| Trouble::Lapsed { object: finding.object.short(), why: why.clone() }).collect();
        if self.usage() == Use::Unused {
            troubles.push(Trouble::Unused);
        }
        troubles
    }
}

/// Holds waivers against what was found and what became of each rule. `findings` may carry notes or not.
pub fn audit<'a>(
    waivers: &'a [Waiver],
    findings: &'a [Finding],
    rules: &[RuleOutcome],
    now: Timestamp,
) -> Vec<Audit<'a>> {
    let mut audits: Vec<Audit<'a>> = waivers
        .iter()
        .map(|waiver| Audit {
            waiver,
            status: status_with(problems_among(waiver, waivers), waiver, now),
            covers: Vec::new(),
            shadowed: Vec::new(),
            lapsed: Vec::new(),
            would_cover: Vec::new(),
            unseen: waiver.rules.iter().filter_map(|code| unseen(code, rules)).collect(),
        })
        .collect();
    for finding in findings {
        // Most findings match no waiver.
        let mut shown = None;
        for audit in audits.iter_mut().filter(|audit| audit.waiver.matches(finding)) {
            if audit.status != Status::Valid {
                audit.would_cover.push(finding);
            } else if let Some(why) = audit.waiver.lapsed(finding) {
                audit.lapsed.push((finding, why));
            } else if let Some(shown) = *shown.get_or_insert_with(|| chosen(finding, waivers, now)) {
                if std::ptr::eq(shown, audit.waiver) {
                    audit.covers.push(finding);
                } else {
                    audit.shadowed.push((finding, &shown.name));
                }
            }
        }
    }
    audits
}

/// Why a check does not know all that a rule could find; `None` when it does.
fn unseen(code: &str, rules: &[RuleOutcome]) -> Option<String> {
    let Some(rule) = rules.iter().find(|rule| rule.code == code) else {
        return Some(format!("{code} was not run"));
    };
    match rule.outcome {
        Outcome::Pass => None,
        // A rule with findings can be open as well: its reason says what it did not see.
        Outcome::Violated | Outcome::Waived if rule.reason.is_empty() => None,
        outcome => Some(format!("{code} {}: {}", outcome.as_str(), rule.reason)),
    }
}
