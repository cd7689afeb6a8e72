//! Lookups of a Kubernetes version in the version table.

use crate::data::versions::{MinorSupport, Table};
use crate::finding::Evidence;
use crate::k8s::version::Version;

/// The support of a version on a day: `Ok(None)` if supported, `Ok(Some(…))` with the end of support for a retired
/// minor, `Err` with the reason if unknown.
pub(crate) fn judge(table: &Table, version: Version, day: jiff::civil::Date) -> Result<Option<String>, String> {
    let minor = version.minor_text();
    let as_of = table.as_of;
    match table.support(version, day) {
        MinorSupport::Supported { .. } => Ok(None),
        MinorSupport::Retired { since: Some(date) } => Ok(Some(format!(" since {date}"))),
        MinorSupport::Retired { since: None } => Ok(Some(String::new())),
        MinorSupport::Unstated { out_on } => Err(format!(
            "{minor} was out of support on {out_on}, the day of the version table, and no text says since when; give a table with its end with --versions"
        )),
        MinorSupport::Open { absent_on, first_release, until } => Err(format!(
            "{minor} came after the release of {absent_on} and with that of {first_release} at the latest: counted from its first release its time ends by {until}, and may be over; give a table with that day with --versions"
        )),
        MinorSupport::TooOld { held_until } => Err(format!(
            "the version table of {as_of} is too old: {minor} held until {held_until} at least; give a newer one with --versions"
        )),
        MinorSupport::NewerThanTable => {
            Err(format!("{minor} is newer than the version table of {as_of}; give a newer one with --versions"))
        }
        MinorSupport::NoRow => {
            Err(format!("the version table of {as_of} has no row for {minor}; give another with --versions"))
        }
    }
}

/// The minors supported on a day, for people: `1.31, 1.32, 1.33`.
pub(crate) fn supported(table: &Table, day: jiff::civil::Date) -> String {
    let minors = table.supported().into_iter();
    let current = minors.filter(|minor| matches!(table.support(*minor, day), MinorSupport::Supported { .. }));
    let words: Vec<String> = current.map(Version::minor_text).collect();
    if words.is_empty() { "a minor in support, of which this table knows none".to_owned() } else { words.join(", ") }
}

/// The table, as evidence.
pub(crate) fn evidence(table: &Table) -> Evidence {
    Evidence::seen("versionTable", format!("{} of {}: {}", table.platform.as_str(), table.as_of, table.source))
}
