//! How long a replica has been seeing one step of a change of the authority.

use aksarc_shared::jiff::Timestamp;

use super::decide::SeenTrust;
use super::record::{CertificateRecord, TrustStep};

/// A step of the record that API servers trust as it says, for as long as this replica has been seeing both unchanged.
///
/// The time is the replica's own, and not one in the record: a record that somebody put back would have an old one.
#[derive(Clone, Debug, Default)]
pub struct StepSight {
    seen: Option<SeenStep>,
}

#[derive(Clone, Debug)]
struct SeenStep {
    step: TrustStep,
    /// The version of the webhook configuration.
    version: String,
    since: Timestamp,
}

impl StepSight {
    /// Takes in what was read just now. Since when it has been the same; `None` where `caBundle` is not as the record
    /// says.
    pub fn look(&mut self, record: Option<&CertificateRecord>, trust: &SeenTrust, now: Timestamp) -> Option<Timestamp> {
        let Some(step) = record.map(|record| &record.step).filter(|step| trust.is(&step.bundle())) else {
            self.seen = None;
            return None;
        };
        let version = trust.version();
        // A time ahead is of a clock that was set back meanwhile.
        let same = |seen: &&SeenStep| seen.step == *step && seen.version == version && seen.since <= now;
        if let Some(seen) = self.seen.as_ref().filter(same) {
            return Some(seen.since);
        }
        self.seen = Some(SeenStep { step: step.clone(), version: version.to_owned(), since: now });
        Some(now)
    }
}
