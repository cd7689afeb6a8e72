//! Messages about waivers that have no effect, with the reason.

use aksarc_shared::people::waiver::{self, Unreadable, Waiver};
use aksarc_shared::text;
use aksarc_shared::verdict::audit::{self, Trouble, Use};
use aksarc_shared::verdict::report::Report;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::ui::Ui;

/// Warns on stderr about waivers without effect, which would otherwise stay in their files unnoticed.
pub(crate) fn warn(waivers: &[Waiver], report: &Report, now: Timestamp, ui: &Ui) {
    for audit in audit::audit(waivers, &report.findings, &report.rules, now) {
        let name = shown(&audit.waiver.name);
        match (&audit.status, audit.usage()) {
            (waiver::WaiverStatus::Valid, Use::Unused) => {
                ui.note(&format!("warning: waiver {name} covers nothing that was found"));
            }
            (waiver::WaiverStatus::Valid, Use::Unknown(why)) => {
                ui.detail(&format!("waiver {name}: its use is unknown: {}", shown(&why)));
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

/// Warns on stderr about objects of the cluster that are not valid waivers.
pub(crate) fn warn_of_unreadable(unreadable: &[Unreadable], ui: &Ui) {
    for one in unreadable {
        ui.note(&format!("warning: {one}"));
    }
}

/// The waivers of `more` that break no term beside `known`. The problems of the others go to stderr.
pub(crate) fn keep_valid(known: &[Waiver], more: Vec<Waiver>, ui: &Ui) -> Vec<Waiver> {
    let (valid, invalid) = waiver::split_valid(known, more);
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

/// The days of UTC from `now` to the day on which something ends, counted as in the deadlines of reports; negative when
/// past.
pub(crate) fn days_left(expires: Timestamp, now: Timestamp) -> i64 {
    let day = |moment: Timestamp| moment.to_zoned(TimeZone::UTC).date();
    (day(expires) - day(now)).get_days().into()
}
