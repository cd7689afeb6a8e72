//! Moments in files and flags.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};

use crate::text;

/// A moment, written in RFC 3339 or as a day, which means its first second in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

/// The reason why a text is not a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMoment {
    /// The text is neither a day nor a moment.
    #[error("expected a day such as 2026-12-31, or a moment in RFC 3339")]
    Form,
    /// The day ends after the last representable moment.
    #[error("out of range: the last day is 9999-12-30")]
    Range,
}

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Moment(moment));
        }
        let day = text.parse::<Date>().ok().filter(|_| text.len() == "2026-12-31".len()).ok_or(NoMoment::Form)?;
        day.to_zoned(TimeZone::UTC).map(|midnight| Moment(midnight.timestamp())).map_err(|_| NoMoment::Range)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = String::deserialize(deserializer)?;
        given.parse().map_err(|why: NoMoment| {
            serde::de::Error::custom(format!("{:?} is no time: {why}", text::line(&given, MAX_SHOWN)))
        })
    }
}

/// The longest part of a wrong text that an error repeats.
const MAX_SHOWN: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_moments_are_read_and_nothing_else() {
        let read = |text: &str| text.parse::<Moment>().map(|moment| moment.0.to_string());
        assert_eq!(read("2026-12-31").unwrap(), "2026-12-31T00:00:00Z");
        assert_eq!(read("2026-12-31T10:00:00+02:00").unwrap(), "2026-12-31T08:00:00Z");
        for other in ["", "2026-12", "20261231", "2026-12-31T10:00", "tomorrow", "2026-13-01"] {
            assert_eq!(read(other), Err(NoMoment::Form), "{other}");
        }
        assert_eq!(read("9999-12-31"), Err(NoMoment::Range));
    }
}
