//! The order in which findings need somebody.

use super::finding::FindingV1;
use super::words::ConsequenceV1;

/// How urgent a finding is, most urgent first.
///
/// Weight says what a finding means for support, and stays as it is for weeks. What does not work hurts users at this
/// moment, so whoever is woken at night looks there first, even where the policy takes it lightly. After that the weight
/// decides; a rule that is not decided and could void support stands before what certainly does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A part of the platform is down, missing or failing.
    BrokenNow,
    /// Support is void.
    Voids,
    /// It could be void: a rule that could find that is not decided.
    CouldVoid,
    /// Support, updates or repair are endangered.
    AtRisk,
    /// Microsoft does not cover this part.
    NotCovered,
    /// Good to know.
    Info,
    /// Somebody accepted it for a time.
    Waived,
}

impl FindingV1 {
    /// How urgent the finding is.
    pub fn urgency(&self) -> Urgency {
        match self.consequence {
            _ if self.waiver.is_some() => Urgency::Waived,
            ConsequenceV1::Info => Urgency::Info,
            _ if self.broken => Urgency::BrokenNow,
            ConsequenceV1::Voids => Urgency::Voids,
            ConsequenceV1::AtRisk => Urgency::AtRisk,
            ConsequenceV1::NotCovered => Urgency::NotCovered,
        }
    }
}
