//! AA101: the Kubernetes version is out of support.

use crate::data::Platform;
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::facts::inventory::Inventory;
use crate::rules::rule::{Code, Context, Grounds, Mode, Reach, Rule, StateCheck, Verdict, Weight};
use crate::rules::parts::ways;
use crate::data::versions::{Support, Table, Version};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA101"),
    slug: "kubernetes-version-unsupported",
    summary: "the API server runs a Kubernetes minor that is out of support",
    consequence: Weight::Always(Consequence::Voids),
    basis: Grounds::Always(Basis::Explicit),
    clauses: &["C01", "C02", "C03", "C08", "C21"],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "upgrade the cluster",
    page: include_str!("aa101.md"),
    state: StateCheck { each: None, whole: Some(whole), clocks: None },
    change: None,
};

fn whole(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let Some(version) = inventory.server() else {
        return Verdict::Unknown("the API server's version is not known".to_owned());
    };
    let Some(table) = context.version_table() else {
        return Verdict::Unknown(format!("there is no version table for {}", context.platform.as_str()));
    };
    match judge(table, version, context.as_of) {
        Ok(None) => Verdict::Found(Vec::new()),
        Err(why) => Verdict::Unknown(why),
        Ok(Some(retired)) => {
            let message = format!("Kubernetes {version} is out of support{retired}; it goes on running and scaling");
            let mut draft = Draft::at(ObjectRef::cluster(), "serverVersion")
                .values(Some(&supported(table, context.as_of)), Some(&version.to_string()))
                .says(message)
                .with(evidence(table));
            draft = draft.fixes(ways::upgrade());
            Verdict::Found(vec![draft])
        }
    }
}

/// `Ok(Some(…))` with when it ended, for a retired minor; `Err` with why it is not known.
pub(super) fn judge(table: &Table, version: Version, day: jiff::civil::Date) -> Result<Option<String>, String> {
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
pub(super) fn supported(table: &Table, day: jiff::civil::Date) -> String {
    let minors = table.supported().into_iter();
    let current = minors.filter(|minor| matches!(table.support(*minor, day), Support::Supported { .. }));
    let words: Vec<String> = current.map(Version::minor_text).collect();
    if words.is_empty() { "none that the table knows".to_owned() } else { words.join(", ") }
}

/// The table, as evidence.
pub(super) fn evidence(table: &Table) -> Evidence {
    Evidence::seen("versionTable", format!("{} of {}: {}", table.platform.as_str(), table.as_of, table.source))
}
