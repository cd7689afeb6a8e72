//! The order of findings by urgency.

use super::finding::FindingV1;
use super::words::ConsequenceV1;

/// The urgency of a finding, most urgent first.
///
/// Weight is the meaning of a finding for support, which stays for weeks. A failure hurts users at this moment, so it
/// comes first for a reader on call, even where the policy takes it lightly. After that the weight decides; an
/// undecided rule that could void support stands before findings that certainly do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A part of the platform is down, missing or failing.
    BrokenNow,
    /// Support is void.
    Voids,
    /// Support could be void: a rule that could find that is not decided.
    CouldVoid,
    /// Support, updates or repair are endangered.
    AtRisk,
    /// Microsoft does not cover this part.
    NotCovered,
    /// Good to know.
    Info,
    /// The finding is accepted for a time.
    Waived,
}

impl FindingV1 {
    /// The urgency of the finding.
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
