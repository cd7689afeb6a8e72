//! Kubernetes versions per platform, and the support of a minor on a day.

use std::ops::RangeInclusive;

use jiff::Span;
use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;
use super::platform::Platform;
use crate::k8s::read::json::ReadError;
use crate::k8s::read::yaml;
use crate::k8s::version::Version;

/// The versions of one platform, as published on a day.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The platform.
    pub platform: Platform,
    /// The day of the source.
    pub as_of: Date,
    /// The source.
    pub source: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// How long a minor is supported.
    pub window: Window,
    /// The minors, in any order.
    pub minors: Vec<Minor>,
}

/// How long a minor is supported.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Window {
    /// A list without a rule for later minors. It holds for some days.
    Listed {
        /// The number of days.
        holds_days: i64,
    },
    /// A number of months from a minor's first release.
    MonthsFromFirstRelease {
        /// The number of months.
        months: i64,
    },
    /// The newest minors.
    NewestMinors {
        /// The number of minors.
        count: u32,
        /// The number of months between two new minors.
        cadence_months: i64,
        /// The days of grace for a minor that a newer one has displaced.
        grace_days: i64,
    },
}

/// One minor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minor {
    /// `1.33`.
    pub minor: String,
    /// Whether it was supported on the table's day.
    pub state: MinorState,
    /// The first release known to list it.
    #[serde(default)]
    pub first_release: Option<Date>,
    /// The last earlier release that is known not to list the minor. Releases in between are not known.
    #[serde(default)]
    pub absent_on: Option<Date>,
    /// The last release known to list it.
    #[serde(default)]
    pub listed_on: Option<Date>,
    /// The published end.
    #[serde(default)]
    pub end: Option<Date>,
    /// Every patch published, oldest first.
    pub patches: Vec<String>,
    /// The confidence of this row, where it differs from the table's.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// A remark on the row.
    #[serde(default)]
    pub note: Option<String>,
}

/// The reason why version tables are refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The text contains no table.
    #[error("it holds no table")]
    Empty,
    /// A platform has two tables.
    #[error("it holds two tables of {}", .platform.as_str())]
    Twice {
        /// The platform.
        platform: Platform,
    },
    /// A row makes no sense.
    #[error("the table of {} has {what}", .platform.as_str())]
    Row {
        /// The platform of its table.
        platform: Platform,
        /// The problem of the row.
        what: String,
    },
    /// The text is not a list of tables.
    #[error(transparent)]
    Shape(#[from] ReadError),
}

/// Reads version tables from a user's file, as strictly as the built-in ones: a row that matches nothing is an error.
///
/// # Errors
/// [`TableError`].
pub fn parse(text: &str) -> Result<Vec<Table>, TableError> {
    // For an empty text the parser's own error, about types, would help nobody.
    if yaml::documents(text)?.is_empty() {
        return Err(TableError::Empty);
    }
    let tables: Vec<Table> = yaml::parse(text)?;
    for (index, table) in tables.iter().enumerate() {
        if tables.iter().take(index).any(|other| other.platform == table.platform) {
            return Err(TableError::Twice { platform: table.platform });
        }
        if let Some(what) = table.problem() {
            return Err(TableError::Row { platform: table.platform, what });
        }
    }
    if tables.is_empty() { Err(TableError::Empty) } else { Ok(tables) }
}

/// Whether a minor was supported on the table's day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MinorState {
    /// It was out of support.
    Retired,
    /// It was in support.
    Supported,
}

/// The support of a minor on a day, according to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MinorSupport {
    /// In support, until the day given.
    Supported {
        /// The last day, projected or published.
        until: Date,
        /// Whether it is our projection.
        projected: bool,
    },
    /// Out of support.
    Retired {
        /// Since when, if known.
        since: Option<Date>,
    },
    /// Out of support on the table's day, without a known end: it may already have been out before.
    Unstated {
        /// The table's day.
        out_on: Date,
    },
    /// The first release is not known exactly, so that the support may have ended.
    Open {
        /// A release that does not list the minor yet.
        absent_on: Date,
        /// The first release known to list it.
        first_release: Date,
        /// The latest possible last day.
        until: Date,
    },
    /// The table is too old to tell. The minor was supported until this day at least.
    TooOld {
        /// The projected end.
        held_until: Date,
    },
    /// Newer than the table's newest row.
    NewerThanTable,
    /// Neither in the table nor beyond it.
    NoRow,
}

impl Table {
    /// The support of `version` on `day`, a UTC calendar date, according to the table. Clauses C01 and C08.
    ///
    /// A retired minor stays retired, however old the table is; without an end it was out on the table's day at the
    /// latest. A published end decides before and after that day alike. On a platform that supports the newest minors,
    /// the k-th newest leaves when enough newer ones have come, one per cadence counted from the table's day, plus the
    /// grace. Where a minor is supported for a year, that year decides.
    pub fn support(&self, version: Version, day: Date) -> MinorSupport {
        let Some(row) = self.row(version) else {
            return match (self.newest(), self.oldest()) {
                (Some(newest), _) if version > newest && !version.same_minor(newest) => MinorSupport::NewerThanTable,
                (_, Some(oldest)) if version < oldest => self.out(version, day),
                _ => MinorSupport::NoRow,
            };
        };
        if let Some(end) = row.end {
            return if day <= end {
                MinorSupport::Supported { until: end, projected: false }
            } else {
                MinorSupport::Retired { since: Some(end) }
            };
        }
        if row.state == MinorState::Retired && !matches!(self.window, Window::MonthsFromFirstRelease { .. }) {
            return self.out(version, day);
        }
        match self.projected_end(row) {
            // A year from a known first release is the policy's own arithmetic, so its end is final.
            Some((end, true)) if day > end => MinorSupport::Retired { since: Some(end) },
            Some((end, _)) if day > end => MinorSupport::TooOld { held_until: end },
            Some((until, exact)) => match self.gap(row, day) {
                Some((absent_on, first_release)) => MinorSupport::Open { absent_on, first_release, until },
                None => MinorSupport::Supported { until, projected: !exact || row.absent_on.is_some() },
            },
            None if row.state == MinorState::Retired => self.out(version, day),
            None => MinorSupport::NoRow,
        }
    }

    /// The support on `day` of a minor that was out on the table's day and has no end of its own. Minors leave in
    /// order, so the end of a newer minor bounds its own.
    fn out(&self, version: Version, day: Date) -> MinorSupport {
        let newer = self.minors.iter().filter(|row| row.version().is_some_and(|own| own > version));
        let ended = newer.filter_map(|row| self.stated_end(row)).any(|end| end < day);
        if ended || day >= self.as_of {
            MinorSupport::Retired { since: None }
        } else {
            MinorSupport::Unstated { out_on: self.as_of }
        }
    }

    /// The releases between which a minor first came, where its support may have ended on `day`: it has ended if
    /// counted from the earlier release, and no release lists the minor that late.
    fn gap(&self, row: &Minor, day: Date) -> Option<(Date, Date)> {
        let Window::MonthsFromFirstRelease { months } = self.window else { return None };
        let (absent_on, first_release) = (row.absent_on?, row.first_release?);
        let earliest = absent_on.checked_add(span().try_months(months).ok()?).ok()?;
        let listed = row.listed_on.is_some_and(|listed| (first_release..=listed).contains(&day));
        (day > earliest && !listed).then_some((absent_on, first_release))
    }

    /// The end of a row, as a text gives it or as the policy's arithmetic yields it.
    fn stated_end(&self, row: &Minor) -> Option<Date> {
        row.end.or_else(|| self.projected_end(row).filter(|(_, exact)| *exact).map(|(end, _)| end))
    }

    /// The row of a version's minor.
    pub fn row(&self, version: Version) -> Option<&Minor> {
        self.minors.iter().find(|row| row.version().is_some_and(|own| own.same_minor(version)))
    }

    /// Minors the table calls supported, oldest first.
    pub fn supported(&self) -> Vec<Version> {
        let mut minors: Vec<Version> =
            self.minors.iter().filter(|row| row.state == MinorState::Supported).filter_map(Minor::version).collect();
        minors.sort_unstable();
        minors
    }

    /// Minors the table has a row for, oldest first.
    pub fn known(&self) -> Vec<Version> {
        let mut minors: Vec<Version> = self.minors.iter().filter_map(Minor::version).collect();
        minors.sort_unstable();
        minors
    }

    /// The published patches of a version's minor, oldest first.
    pub fn patches(&self, version: Version) -> Vec<Version> {
        let texts = self.row(version).map_or(&[][..], |row| row.patches.as_slice());
        let mut patches: Vec<Version> = texts.iter().filter_map(|text| Version::parse(text)).collect();
        patches.sort_unstable();
        patches
    }

    /// The problem of a table that has the right shape, if any.
    fn problem(&self) -> Option<String> {
        let days = self.minors.iter().flat_map(|row| {
            let days =
                [("first_release", row.first_release), ("absent_on", row.absent_on), ("listed_on", row.listed_on)];
            days.into_iter().filter_map(|(field, day)| Some((field, day?)))
        });
        if let Some((field, day)) = [("as_of", self.as_of)].into_iter().chain(days).find(|(_, day)| !is_likely(*day)) {
            return Some(format!("{field} {day}, which is not a day between {FIRST_DAY} and {LAST_DAY}"));
        }
        if let Some(what) = self.window.problem() {
            return Some(what);
        }
        if self.minors.is_empty() {
            return Some("no minors".to_owned());
        }
        for (index, row) in self.minors.iter().enumerate() {
            let Some(minor) = row.version().filter(|minor| minor.minor_text() == row.minor) else {
                return Some(format!("the minor {:?}, which is not of the form 1.33", row.minor));
            };
            if self.minors.iter().take(index).any(|other| other.minor == row.minor) {
                return Some(format!("two rows for {}", row.minor));
            }
            let strange = |text: &&String| {
                !Version::parse(text).is_some_and(|patch| patch.same_minor(minor) && patch.to_string() == **text)
            };
            if let Some(patch) = row.patches.iter().find(strange) {
                return Some(format!("the patch {patch:?} under {}", row.minor));
            }
        }
        None
    }

    /// Whether the table is too old on `day` to be complete: minors may have come and gone since.
    pub fn is_old(&self, day: Date) -> bool {
        let span = match self.window {
            Window::Listed { holds_days } => span().try_days(holds_days),
            Window::NewestMinors { cadence_months, grace_days, .. } => {
                span().try_months(cadence_months).and_then(|span| span.try_days(grace_days))
            }
            Window::MonthsFromFirstRelease { .. } => span().try_days(OLD_DAYS),
        };
        span.and_then(|span| self.as_of.checked_add(span)).is_ok_and(|until| day > until)
    }

    fn newest(&self) -> Option<Version> {
        self.minors.iter().filter_map(Minor::version).max()
    }

    fn oldest(&self) -> Option<Version> {
        self.minors.iter().filter_map(Minor::version).min()
    }

    /// The last day of a row, and whether the policy's own arithmetic yields it rather than our projection.
    fn projected_end(&self, row: &Minor) -> Option<(Date, bool)> {
        // jiff's spans panic beyond their range unless the `try_` constructors are used.
        let days = |from: Date, days: i64| from.checked_add(span().try_days(days).ok()?).ok();
        let months = |from: Date, months: i64| from.checked_add(span().try_months(months).ok()?).ok();
        match self.window {
            Window::Listed { holds_days } => Some((days(self.as_of, holds_days)?, false)),
            Window::MonthsFromFirstRelease { months: given } => Some((months(row.first_release?, given)?, true)),
            Window::NewestMinors { count, cadence_months, grace_days } => {
                let own = row.version()?;
                let rank = self.supported().iter().filter(|minor| **minor >= own).count();
                let newer = i64::from(count) - i64::try_from(rank).ok()? + 1;
                let pushed_out = months(self.as_of, newer.max(0).checked_mul(cadence_months)?)?;
                Some((days(pushed_out, grace_days)?, false))
            }
        }
    }
}

impl Window {
    /// The problem of a window whose numbers make no sense, if any. A window without an end would call everything
    /// supported.
    fn problem(&self) -> Option<String> {
        let fields: &[(&str, i64, RangeInclusive<i64>)] = &match *self {
            Window::Listed { holds_days } => vec![("holds_days", holds_days, 1..=MAX_DAYS)],
            Window::MonthsFromFirstRelease { months } => vec![("months", months, 1..=MAX_MONTHS)],
            Window::NewestMinors { count, cadence_months, grace_days } => vec![
                ("count", count.into(), 1..=MAX_MINORS),
                ("cadence_months", cadence_months, 1..=MAX_CADENCE),
                ("grace_days", grace_days, 0..=MAX_DAYS),
            ],
        };
        let (field, given, allowed) = fields.iter().find(|(_, given, allowed)| !allowed.contains(given))?;
        Some(format!("{field} {given}, which is not between {} and {}", allowed.start(), allowed.end()))
    }
}

impl Minor {
    /// The minor as a version with patch 0.
    pub fn version(&self) -> Option<Version> {
        Version::parse(&self.minor)
    }
}

fn span() -> Span {
    Span::new()
}

fn is_likely(day: Date) -> bool {
    (FIRST_DAY..=LAST_DAY).contains(&day)
}

/// The number of days after which a table without a window of its own is called old: a new minor comes about every
/// three months, and the oldest leaves thirty days later.
const OLD_DAYS: i64 = 120;

/// The longest that a list without a rule for later minors holds, and the longest grace.
const MAX_DAYS: i64 = 366;

/// Ten years. The longest support that Kubernetes gets anywhere is about two.
const MAX_MONTHS: i64 = 120;

/// Kubernetes never has this many minors in support.
const MAX_MINORS: i64 = 20;

/// In months. Kubernetes has never gone a year without a minor.
const MAX_CADENCE: i64 = 12;

/// A day before Kubernetes existed. All days computed from later ones stay inside the calendar.
const FIRST_DAY: Date = jiff::civil::date(2014, 1, 1);

const LAST_DAY: Date = jiff::civil::date(2199, 12, 31);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tables;
    use jiff::civil::date;

    fn azure_local(minor: &str, day: Date) -> MinorSupport {
        tables::version_table(Platform::AzureLocal).unwrap().support(Version::parse(minor).unwrap(), day)
    }

    #[test]
    fn versions_are_read_as_servers_and_kubelets_print_them() {
        let read = |text| Version::parse(text).map(|v| v.to_string());
        assert_eq!(read("v1.33.5").as_deref(), Some("1.33.5"));
        assert_eq!(read("v1.28.15-hci.2+abc").as_deref(), Some("1.28.15"));
        assert_eq!(read("1.30").as_deref(), Some("1.30.0"));
        for bad in ["", "v", "1", "one.two", "1.x"] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }

    const OWN: &str = "
- platform: azure-local
  as_of: 2026-11-01
  source: own
  confidence: doc
  window: {kind: newest-minors, count: 3, cadence_months: 3, grace_days: 30}
  minors:
    - {minor: \"1.33\", state: supported, patches: [\"1.33.4\", \"1.33.10\"]}
";

    #[test]
    fn tables_of_ones_own_are_read_strictly() {
        let tables = parse(OWN).unwrap();
        assert_eq!(tables[0].patches(Version::parse("1.33").unwrap()).last().unwrap().to_string(), "1.33.10");
        assert!(parse(crate::data::VERSIONS).is_ok());
        for (from, to, word) in [
            ("\"1.33\"", "\"thirty-three\"", "not of the form"),
            ("\"1.33\"", "\"1.33.4\"", "not of the form"),
            ("1.33.10", "1.32.10", "1.32.10"),
            ("1.33.10", "v1.33.x", "v1.33.x"),
            ("supported", "perhaps", "perhaps"),
            ("azure-local", "azure", "azure"),
            ("2026-11-01", "soon", "line 3"),
            ("2026-11-01", "9999-12-30", "as_of 9999-12-30"),
            ("count: 3", "count: 0", "count 0"),
            ("count: 3", "count: 4294967295", "count 4294967295"),
            ("cadence_months: 3", "cadence_months: 0", "cadence_months 0"),
            ("cadence_months: 3", "cadence_months: 300000", "cadence_months 300000"),
            ("cadence_months: 3", "cadence_months: 9223372036854775807", "cadence_months 9223372036854775807"),
            ("grace_days: 30", "grace_days: -1", "grace_days -1"),
            ("grace_days: 30", "grace_days: 99999999", "grace_days 99999999"),
        ] {
            let error = parse(&OWN.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(word), "{to}: {error}");
        }
        let windows = [
            ("kind: listed, holds_days: 99999999", "holds_days 99999999"),
            ("kind: listed, holds_days: -1", "holds_days -1"),
            ("kind: months-from-first-release, months: 9999999", "months 9999999"),
            ("kind: months-from-first-release, months: 0", "months 0"),
        ];
        for (window, word) in windows {
            let own = OWN.replace("kind: newest-minors, count: 3, cadence_months: 3, grace_days: 30", window);
            let error = parse(&own).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("between"), "{window}: {error}");
        }
        let first = OWN.replace("state: supported", "state: supported, first_release: 0001-01-01");
        assert!(parse(&first).unwrap_err().to_string().contains("first_release 0001-01-01"));
        for empty in ["", "# nothing\n", "[]"] {
            assert!(matches!(parse(empty), Err(TableError::Empty)), "{empty:?}");
        }
        assert!(matches!(parse(&format!("{OWN}{OWN}")), Err(TableError::Twice { .. })));
        assert!(matches!(parse("{}"), Err(TableError::Shape(_))));
    }

    #[test]
    fn the_largest_table_that_is_read_says_something_of_every_day() {
        let version = Version::parse("1.33").unwrap();
        for window in [
            "kind: newest-minors, count: 20, cadence_months: 12, grace_days: 366",
            "kind: listed, holds_days: 366",
            "kind: months-from-first-release, months: 120",
        ] {
            let own = OWN
                .replace("kind: newest-minors, count: 3, cadence_months: 3, grace_days: 30", window)
                .replace("2026-11-01", "2199-12-31")
                .replace("state: supported", "state: supported, first_release: 2199-12-31");
            let table = parse(&own).unwrap().remove(0);
            for day in [date(-9999, 1, 1), date(2199, 12, 31)] {
                assert!(matches!(table.support(version, day), MinorSupport::Supported { .. }), "{window} {day}");
            }
            assert!(
                !matches!(table.support(version, Date::MAX), MinorSupport::NoRow | MinorSupport::Supported { .. }),
                "{window}"
            );
        }
    }

    #[test]
    fn a_table_is_old_when_what_it_projects_begins_to_end() {
        let table = parse(OWN).unwrap().remove(0);
        // Three months and thirty days from 2026-11-01.
        assert!(!table.is_old(date(2027, 3, 3)) && table.is_old(date(2027, 3, 4)));
        let own = OWN.replace(
            "kind: newest-minors, count: 3, cadence_months: 3, grace_days: 30",
            "kind: listed, holds_days: 10",
        );
        let table = parse(&own).unwrap().remove(0);
        assert!(!table.is_old(date(2026, 11, 11)) && table.is_old(date(2026, 11, 12)));
        assert!(tables::version_table(Platform::WindowsServer).unwrap().is_old(date(2026, 1, 1)));
        assert!(!table.is_old(date(2020, 1, 1)), "of a later day");
    }

    #[test]
    fn newest_minors_leave_one_cadence_after_another_with_grace() {
        // Table of 2026-05-18 with 1.31, 1.32 and 1.33: three months, then thirty days.
        let until = |minor, y, m, d| {
            assert_eq!(
                azure_local(minor, date(y, m, d)),
                MinorSupport::Supported { until: date(y, m, d), projected: true }
            );
            let next = date(y, m, d).tomorrow().unwrap();
            assert_eq!(azure_local(minor, next), MinorSupport::TooOld { held_until: date(y, m, d) });
        };
        until("1.31", 2026, 9, 17);
        until("1.32", 2026, 12, 18);
        until("1.33", 2027, 3, 20);
    }

    #[test]
    fn retired_stays_retired_and_a_published_end_decides_both_ways() {
        assert_eq!(azure_local("1.26.10", date(2040, 1, 1)), MinorSupport::Retired { since: None });
        assert_eq!(
            azure_local("1.28.5", date(2025, 8, 31)),
            MinorSupport::Supported { until: date(2025, 8, 31), projected: false }
        );
        assert_eq!(azure_local("1.28.5", date(2025, 9, 1)), MinorSupport::Retired { since: Some(date(2025, 8, 31)) });
    }

    #[test]
    fn a_retired_minor_without_an_end_is_open_before_the_tables_day() {
        let (table, day) = (tables::version_table(Platform::AzureLocal).unwrap(), date(2025, 12, 15));
        assert_eq!(azure_local("1.30.14", day), MinorSupport::Unstated { out_on: table.as_of });
        assert_eq!(azure_local("1.30.14", table.as_of), MinorSupport::Retired { since: None });
        let table = tables::version_table(Platform::WindowsServer).unwrap();
        let unrecorded = Version::parse("1.24.6").unwrap();
        assert_eq!(table.support(unrecorded, date(2024, 3, 1)), MinorSupport::Unstated { out_on: table.as_of });
    }

    #[test]
    fn beyond_the_table_older_is_retired_and_newer_is_unknown() {
        assert_eq!(azure_local("1.20.1", date(2026, 6, 1)), MinorSupport::Retired { since: None });
        // A newer minor had ended before that day; on the earlier one none had.
        assert_eq!(azure_local("1.20.1", date(2025, 9, 1)), MinorSupport::Retired { since: None });
        assert_eq!(azure_local("1.20.1", date(2025, 8, 31)), MinorSupport::Unstated { out_on: date(2026, 5, 18) });
        assert_eq!(azure_local("1.34.0", date(2026, 6, 1)), MinorSupport::NewerThanTable);
    }

    #[test]
    fn a_first_release_that_is_not_known_leaves_the_year_open() {
        let table = tables::version_table(Platform::WindowsServer).unwrap();
        let on = |minor, day| table.support(Version::parse(minor).unwrap(), day);
        let is_open = |minor, day| matches!(on(minor, day), MinorSupport::Open { .. });
        // 1.25 came between August 2022 and 2024-02-08, and no later release lists it.
        assert!(matches!(on("1.25.6", date(2024, 2, 8)), MinorSupport::Supported { .. }));
        assert!(is_open("1.25.6", date(2024, 2, 9)) && is_open("1.25.6", date(2025, 2, 8)));
        assert_eq!(on("1.25.6", date(2025, 2, 9)), MinorSupport::Retired { since: Some(date(2025, 2, 8)) });
        // 1.26 is listed on 2024-06-11 still.
        assert!(matches!(on("1.26.3", date(2024, 6, 11)), MinorSupport::Supported { .. }));
        assert!(is_open("1.26.3", date(2024, 6, 12)));
    }

    #[test]
    fn windows_server_gives_a_minor_one_year() {
        let table = tables::version_table(Platform::WindowsServer).unwrap();
        let version = Version::parse("1.28.5").unwrap();
        assert_eq!(
            table.support(version, date(2024, 6, 11)),
            MinorSupport::Supported { until: date(2025, 6, 11), projected: true }
        );
        // First seen on 2024-06-11, and not on 2024-02-08: a year from then is certain, the rest of the other year is not.
        assert_eq!(
            table.support(version, date(2025, 2, 8)),
            MinorSupport::Supported { until: date(2025, 6, 11), projected: true }
        );
        let open = MinorSupport::Open {
            absent_on: date(2024, 2, 8),
            first_release: date(2024, 6, 11),
            until: date(2025, 6, 11),
        };
        assert_eq!(table.support(version, date(2025, 2, 9)), open);
        // A retired minor whose first release nobody recorded is retired all the same.
        let unrecorded = Version::parse("1.24.6").unwrap();
        assert_eq!(table.support(unrecorded, date(2026, 6, 1)), MinorSupport::Retired { since: None });
        assert_eq!(table.support(version, date(2025, 6, 12)), MinorSupport::Retired { since: Some(date(2025, 6, 11)) });
    }
}
