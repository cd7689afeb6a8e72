//! Where waivers come from, and what is said about those that do nothing.

use std::path::Path;

use aksarc_shared::facts::inventory::ReadKey;
use aksarc_shared::people::waiver::{self, SUPPORT_WAIVER, Unreadable, Waiver, WaiverEntry};
use aksarc_shared::text;
use aksarc_shared::verdict::audit::{self, Trouble, Use};
use aksarc_shared::verdict::report::Report;
use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::collect::{self, Listed, Reader};
use crate::documents;
use crate::exit::Failure;
use crate::settings::read;
use crate::ui::Ui;

/// What `--waivers` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    /// The `SupportWaiver` objects of the cluster; a file of that name is `./cluster`.
    Cluster,
    /// A file, or standard input for `-`.
    File(&'a str),
    /// None.
    None,
}

impl<'a> Source<'a> {
    /// Of a flag, its variable or neither.
    pub(crate) fn of(given: Option<&'a str>) -> Self {
        match given {
            None | Some("none" | "") => Source::None,
            Some("cluster") => Source::Cluster,
            Some(path) => Source::File(path),
        }
    }
}

/// The text of a file of waivers.
///
/// # Errors
/// It cannot be read, is no text, or far too large to have been written by hand.
pub(crate) fn file_text(path: &str) -> anyhow::Result<String> {
    if path == "-" {
        return String::from_utf8(documents::standard_input()?).map_err(|_| anyhow!("standard input is not text"));
    }
    read(Path::new(path))
}

/// The waivers of a file, with their places.
///
/// # Errors
/// As [`file_text`], or it is no file of waivers.
pub(crate) fn from_file(path: &str) -> anyhow::Result<Vec<WaiverEntry>> {
    waiver::entries(&file_text(path)?).with_context(|| format!("cannot read waivers from {}", shown(path)))
}

/// The waivers of the cluster, within the reader's deadline. A kind that is not served holds none, which is said.
///
/// # Errors
/// [`Failure`] when the list cannot be read or is forbidden: what it would have accepted must not look unaccepted without
/// a word.
pub(crate) async fn from_cluster(reader: &Reader, ui: &Ui) -> Result<(Vec<Waiver>, Vec<Unreadable>), Failure> {
    let what = format!("list {}", ReadKey { kind: &SUPPORT_WAIVER, namespace: None });
    let server = &reader.connection().server;
    let (listed, found) = reader.sender().in_time(&what, collect::waivers(reader)).await?;
    match listed {
        Listed::Complete => Ok((found.waivers, found.unreadable)),
        Listed::Forbidden => Err(Failure::run(anyhow!(
            "you may not list {} at {}, and a waiver that is not read does not count. Nothing was checked: have the \
             cluster role aksarc-waiver-reader of deploy/supportwaiver.yaml bound to you, or leave out --waivers cluster",
            SUPPORT_WAIVER.qualified(),
            text::clean(server),
        ))),
        Listed::Unknown(why) => Err(Failure::run(anyhow!(
            "cannot list {} at {}: {}; a waiver that is not read does not count. Nothing was checked",
            SUPPORT_WAIVER.qualified(),
            text::clean(server),
            why,
        ))),
        Listed::NotServed => {
            ui.note(&format!(
                "warning: this cluster does not serve {}, so it holds no waivers; deploy/supportwaiver.yaml brings the resource",
                SUPPORT_WAIVER.qualified()
            ));
            Ok((Vec::new(), Vec::new()))
        }
    }
}

/// Says on stderr which waivers do nothing, and why: one nobody hears of rots.
pub(crate) fn warn(waivers: &[Waiver], report: &Report, now: Timestamp, ui: &Ui) {
    for audit in audit::audit(waivers, &report.findings, &report.rules, now) {
        let name = shown(&audit.waiver.name);
        match (&audit.status, audit.usage()) {
            (waiver::WaiverStatus::Valid, Use::Unused) => {
                ui.note(&format!("warning: waiver {name} covers nothing that was found"));
            }
            (waiver::WaiverStatus::Valid, Use::Unknown(why)) => {
                ui.detail(&format!("waiver {name}: whether it covers anything cannot be told: {}", shown(&why)));
            }
            (waiver::WaiverStatus::NotYet, _) => {
                ui.note(&format!("warning: waiver {name} does not count: it has not begun"));
            }
            (waiver::WaiverStatus::Expired, _) => {
                ui.note(&format!("warning: waiver {name} does not count: it has expired"));
            }
            (waiver::WaiverStatus::Invalid(problems), _) => {
                ui.note(&format!("warning: waiver {name} does not count: {}", joined(problems)));
            }
            (waiver::WaiverStatus::Valid, _) => {
                for trouble in audit.troubles().iter().filter(|trouble| matches!(trouble, Trouble::Lapsed { .. })) {
                    ui.note(&format!("warning: waiver {name}: {trouble}"));
                }
            }
        }
    }
}

/// Says on stderr which objects of the cluster are no waivers.
pub(crate) fn warn_of_unreadable(unreadable: &[Unreadable], ui: &Ui) {
    for one in unreadable {
        ui.note(&format!("warning: {one}"));
    }
}

/// Of `more`, those that break no term beside `known`; what is wrong with the others is said on stderr.
pub(crate) fn valid_beside(known: &[Waiver], more: Vec<Waiver>, ui: &Ui) -> Vec<Waiver> {
    let (valid, invalid) = waiver::beside(known, more);
    for (waiver, problems) in invalid {
        ui.note(&format!("warning: waiver {} does not count: {}", shown(&waiver.name), joined(&problems)));
    }
    valid
}

/// Problems in one line.
pub(crate) fn joined<T: ToString>(problems: &[T]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A name or path, safe to print.
pub(crate) fn shown(name: &str) -> String {
    text::line(name, 160)
}

/// Days of UTC from `now` to the day something ends, as deadlines in reports count them; negative when past.
pub(crate) fn days_left(expires: Timestamp, now: Timestamp) -> i64 {
    let day = |moment: Timestamp| moment.to_zoned(TimeZone::UTC).date();
    (day(expires) - day(now)).get_days().into()
}
