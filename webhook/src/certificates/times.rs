//! The times by which certificates are made, renewed and forgotten.

use std::time::Duration;

use aksarc_shared::jiff::SignedDuration;

/// The times by which certificates are made, renewed and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateTimes {
    /// The life of an authority.
    pub authority: Duration,
    /// The life of a certificate that an authority signs.
    pub leaf: Duration,
    /// From the moment at which a new authority was read back from the API server until certificates of it are served.
    pub dwell: Duration,
    /// The same for a replica that has nothing else to serve.
    pub settle: Duration,
    /// From the moment at which certificates of a new authority are served until the former one is forgotten.
    pub keep: Duration,
    /// How often a replica renews its report. One that has not for three times as long counts as gone.
    pub report: Duration,
}

impl CertificateTimes {
    /// The time after which a replica that has not reported counts as gone.
    pub(crate) fn gone(&self) -> Duration {
        self.report * 3
    }

    /// How long a replica that cannot read the record may go on serving what it has: before another authority can have
    /// replaced the one that it knows.
    pub(crate) fn blind(&self) -> Duration {
        self.keep / 2
    }

    /// Times in the form `authority=60s,leaf=30s`, for tests that cannot wait; those left out are the usual ones.
    ///
    /// # Errors
    /// A line for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut times = CertificateTimes::default();
        for part in text.split(',') {
            let read = part.split_once('=').and_then(|(name, value)| Some((name, duration(value)?)));
            let (name, value) = read.ok_or_else(|| format!("expected NAME=DURATION, not {part:?}"))?;
            let place = match name {
                "authority" => &mut times.authority,
                "leaf" => &mut times.leaf,
                "dwell" => &mut times.dwell,
                "settle" => &mut times.settle,
                "keep" => &mut times.keep,
                "report" => &mut times.report,
                _ => return Err(format!("expected authority, leaf, dwell, settle, keep or report, not {name:?}")),
            };
            *place = value;
        }
        Ok(times)
    }
}

impl Default for CertificateTimes {
    fn default() -> Self {
        CertificateTimes { authority: AUTHORITY, leaf: LEAF, dwell: DWELL, settle: SETTLE, keep: KEEP, report: REPORT }
    }
}

fn duration(text: &str) -> Option<Duration> {
    Duration::try_from(text.parse::<SignedDuration>().ok()?).ok()
}

/// An authority is changed seldom: it is the one change in which API servers have to learn something first.
const AUTHORITY: Duration = Duration::from_hours(24 * 3650);
/// Renewed at two thirds, which leaves a month in which somebody can notice that it was not.
const LEAF: Duration = Duration::from_hours(24 * 90);
/// Each API server learns of a changed webhook configuration by its own watch, within a second unless it is in trouble.
const DWELL: Duration = Duration::from_mins(1);
/// Without a certificate that is trusted, waiting for slow API servers costs more reviews than it saves.
const SETTLE: Duration = Duration::from_secs(5);
/// Longer than a person takes to put a replica right that does not follow.
const KEEP: Duration = Duration::from_hours(24);
/// One small write of each replica; what a Lease costs in seconds.
const REPORT: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_counts_as_gone_and_stops_serving_before_anything_is_forgotten() {
        let times = CertificateTimes::default();
        assert!(times.gone() < times.blind() && times.blind() < times.keep);
        assert!(times.settle < times.dwell && times.dwell < times.keep && times.leaf < times.authority / 10);
    }

    #[test]
    fn times_for_tests_are_read_by_name() {
        let times = CertificateTimes::parse("leaf=30s,keep=4s").unwrap();
        assert_eq!((times.leaf, times.keep), (Duration::from_secs(30), Duration::from_secs(4)));
        assert_eq!(times.authority, CertificateTimes::default().authority);
        for bad in ["", "leaf", "leaf=-1s", "leaf=soon", "life=1s", "leaf=1s,"] {
            assert!(CertificateTimes::parse(bad).unwrap_err().starts_with("expected"), "{bad}");
        }
    }
}
