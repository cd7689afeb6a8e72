//! AA606: the API server's certificate is about to end.

use jiff::{SignedDuration, Timestamp};

use crate::data::Platform;
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::inventory::Inventory;
use crate::probe::Probe;
use crate::rule::{Code, Context, Due, Mode, Reach, Rule, StateCheck, Verdict, Weight};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA606"),
    slug: "certificate-expiry",
    summary: "the certificate that the API server presents has ended or is about to",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Basis::Operational,
    clauses: &["C32"],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[Probe::Certificate],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    warns_of_info: false,
    instead: "let the platform renew the certificate",
    page: include_str!("aa606.md"),
    state: StateCheck { each: None, whole: Some(whole), clocks: Some(clocks) },
    change: None,
};

fn whole(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let text = match inventory.probe(Probe::Certificate) {
        Ok(text) => text,
        Err(why) => return Verdict::Unknown(why),
    };
    let Some(life) = Life::parse(text) else {
        return Verdict::Unknown("what was recorded of the server's certificate is no date".to_owned());
    };
    let left = life.end.duration_since(context.now);
    if left > life.warn_before() {
        return Verdict::Found(Vec::new());
    }
    let message = if left.is_positive() {
        format!("the certificate that the API server presents ends at {}, in {}", life.end, words(left))
    } else {
        format!("the certificate that the API server presents ended at {}, {} ago", life.end, words(left))
    };
    let mut seen = format!("ends at {}", life.end);
    if let Some(begin) = life.begin {
        seen = format!("holds from {begin} to {}", life.end);
    }
    let draft = Draft::at(ObjectRef::cluster(), "certificate.notAfter")
        .values(None, Some(&life.end.to_string()))
        .says(message)
        .with(Evidence::seen("certificate", seen));
    Verdict::Found(vec![draft])
}

/// A certificate that lives for days is renewed by machine, and its end is nobody's date to keep.
fn clocks(inventory: &Inventory, _: &Context<'_>) -> Vec<Due> {
    let life = inventory.probe(Probe::Certificate).ok().and_then(Life::parse);
    let long = life.filter(|life| life.begin.is_some_and(|begin| life.end.duration_since(begin) > SHORT_LIVED));
    let due = long.map(|life| Due {
        on: life.end.to_zoned(jiff::tz::TimeZone::UTC).date(),
        what: "the API server's certificate ends".to_owned(),
    });
    due.into_iter().collect()
}

/// From when to when a certificate holds.
#[derive(Clone, Copy)]
struct Life {
    begin: Option<Timestamp>,
    end: Timestamp,
}

impl Life {
    /// `BEGIN/END`, or only the end.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.split_once('/') {
            Some((begin, end)) => Some(Life { begin: Some(begin.trim().parse().ok()?), end: end.trim().parse().ok()? }),
            None => Some(Life { begin: None, end: text.parse().ok()? }),
        }
    }

    /// A share of its life, so that a certificate of four days that is renewed in time is never a finding.
    fn warn_before(self) -> SignedDuration {
        match self.begin {
            Some(begin) => (self.end.duration_since(begin) / SHARE).clamp(SignedDuration::ZERO, AT_MOST),
            None => UNKNOWN_LIFE,
        }
    }
}

fn words(left: SignedDuration) -> String {
    let hours = left.abs().as_hours();
    match (hours / 24, hours) {
        (0, 0) => "less than an hour".to_owned(),
        (0, 1) => "1 hour".to_owned(),
        (0, hours) => format!("{hours} hours"),
        (1, _) => "1 day".to_owned(),
        (days, _) => format!("{days} days"),
    }
}

/// The last sixteenth: 6 hours of 4 days, 23 days of a year.
const SHARE: i32 = 16;

const AT_MOST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Where only the end is known: as for one of four days.
const UNKNOWN_LIFE: SignedDuration = SignedDuration::from_hours(6);

const SHORT_LIVED: SignedDuration = SignedDuration::from_hours(30 * 24);
