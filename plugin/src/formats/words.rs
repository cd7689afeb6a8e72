//! Words of a report that the formats for people share beside those of the screen: the cluster, moments and days.

use aksarc_shared::verdict::report::v1::ReportV1;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::screen::report::summary;
use crate::screen::wording::{days, either};

/// The cluster, the snapshot or the manifests that were judged.
pub(crate) fn place(report: &ReportV1) -> String {
    let cluster = &report.cluster;
    match (cluster.context.is_empty(), cluster.server.is_empty()) {
        (false, _) => cluster.context.clone(),
        (true, false) => cluster.server.clone(),
        (true, true) => "a cluster without a name".to_owned(),
    }
}

/// The platforms that the cluster may be on.
pub(crate) fn candidates(report: &ReportV1) -> String {
    let platforms = summary::candidates(report);
    if platforms.is_empty() { report.policy.platform.clone() } else { either(&platforms) }
}

/// A moment in RFC 3339 as `2026-11-27 05:30:30 UTC`; anything else as it is.
pub(crate) fn moment(text: &str) -> String {
    match text.parse::<Timestamp>() {
        Ok(moment) => moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// When a snapshot was taken, from the day judged: `12 days before the day judged`; nothing where that is not known.
pub(crate) fn age(report: &ReportV1) -> Option<String> {
    let taken = report.input.taken.as_deref()?.parse::<Timestamp>().ok()?.to_zoned(TimeZone::UTC).date();
    let judged = report.policy.as_of.parse::<Date>().ok()?;
    let left: i64 = judged.since(taken).ok()?.get_days().into();
    Some(match left {
        0 => "on the day judged".to_owned(),
        1.. => format!("{} before the day judged", days(left)),
        _ => format!("{} after the day judged", days(-left)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::samples::drifted;

    #[test]
    fn a_snapshot_is_as_old_as_it_was_on_the_day_judged() {
        let mut report = drifted();
        let mut of = |taken: &str| {
            report.input.taken = Some(taken.to_owned());
            age(&report).unwrap_or_default()
        };
        assert_eq!(of("2026-11-27T05:30:32Z"), "4 days before the day judged");
        assert_eq!(of("2026-11-30T23:59:59Z"), "1 day before the day judged");
        assert_eq!(of("2026-12-01T23:00:00Z"), "on the day judged");
        assert_eq!(of("2026-12-03T00:00:00Z"), "2 days after the day judged");
        assert_eq!(of("yesterday"), "");
    }

    #[test]
    fn a_moment_is_in_utc_and_to_the_second() {
        assert_eq!(moment("2026-11-27T05:30:30.123+01:00"), "2026-11-27 04:30:30 UTC");
        assert_eq!(moment("soon"), "soon");
    }
}
