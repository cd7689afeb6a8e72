//! Durations as kubectl spells them: `30s`, `1m30s`, `500ms`. A bare number means seconds, and 0 means no limit.

use std::time::Duration;

use aksarc_shared::jiff::SignedDuration;

/// Reads a duration. Zero means no limit.
///
/// # Errors
/// A sentence for clap to show.
pub fn parse(text: &str) -> Result<Limit, String> {
    let seconds = text.parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()));
    let spelled = || text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    let wrong = || format!("expected a duration such as 30s, 1m30s or 500ms, not {text:?}");
    seconds.or_else(spelled).map(Limit::of).ok_or_else(wrong)
}

/// A limit in time, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(Option<Duration>);

impl Limit {
    fn of(duration: Duration) -> Self {
        Limit(Some(duration).filter(|duration| !duration.is_zero()))
    }

    /// The limit as a duration. No limit is a century, so that callers need no second path.
    pub fn duration(self) -> Duration {
        self.0.unwrap_or(CENTURY)
    }
}

const CENTURY: Duration = Duration::from_hours(24 * 36525);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_kubectl_reads_them() {
        let read = |text| parse(text).unwrap().0;
        assert_eq!(read("30s"), Some(Duration::from_secs(30)));
        assert_eq!(read("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(read("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(read("1.5h"), Some(Duration::from_mins(90)));
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("0"), None);
        for bad in ["", "s", "5x", "1m30", "-3s", "1e400s"] {
            assert_eq!(
                parse(bad).unwrap_err(),
                format!("expected a duration such as 30s, 1m30s or 500ms, not {bad:?}")
            );
        }
    }
}
