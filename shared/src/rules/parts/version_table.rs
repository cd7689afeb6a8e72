//! What the version table says of a Kubernetes version.

use crate::data::versions::{Support, Table};
use crate::finding::Evidence;
use crate::k8s::version::Version;

/// `Ok(Some(…))` with when it ended, for a retired minor; `Err` with why it is not known.
pub(crate) fn judge(table: &Table, version: Version, day: jiff::civil::Date) -> Result<Option<String>, String> {
    let minor = version.minor_text();
    let as_of = table.as_of;
    match table.support(version, day) {
        Support::Supported { .. } => Ok(None),
        Support::Retired { since: Some(date) } => Ok(Some(format!(" since {date}"))),
        Support::Retired { since: None } => Ok(Some(String::new())),
        Support::Unstated { out_on } => Err(format!(
            "{minor} was out of support on {out_on}, the day of the version table, and no text says since when; give a table with its end with --versions"
        )),
        Support::Open { absent_on, first_release, until } => Err(format!(
            "{minor} came after the release of {absent_on} and with that of {first_release} at the latest: counted from its first release its time ends by {until}, and may be over; give a table with that day with --versions"
        )),
        Support::TooOld { held_until } => Err(format!(
            "the version table of {as_of} is too old: {minor} held until {held_until} at least; give a newer one with --versions"
        )),
        Support::NewerThanTable => {
            Err(format!("{minor} is newer than the version table of {as_of}; give a newer one with --versions"))
        }
        Support::NoRow => {
            Err(format!("the version table of {as_of} has no row for {minor}; give another with --versions"))
        }
    }
}

/// The minors supported on a day, for people: `1.31, 1.32, 1.33`.
pub(crate) fn supported(table: &Table, day: jiff::civil::Date) -> String {
    let minors = table.supported().into_iter();
    let current = minors.filter(|minor| matches!(table.support(*minor, day), Support::Supported { .. }));
    let words: Vec<String> = current.map(Version::minor_text).collect();
    if words.is_empty() { "none that the table knows".to_owned() } else { words.join(", ") }
}

/// The table, as evidence.
pub(crate) fn evidence(table: &Table) -> Evidence {
    Evidence::seen("versionTable", format!("{} of {}: {}", table.platform.as_str(), table.as_of, table.source))
}
