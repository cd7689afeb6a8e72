//! AA904: a waiver does not do what it was written for.

use crate::data::Platform;
use crate::finding::{Basis, Consequence, Draft, Evidence, ObjectRef};
use crate::rules::rule::{Code, Grounds, Mode, Reach, Rule, StateCheck, Verdict, Weight};
use crate::people::waiver::{Audit, Trouble};

pub(crate) static RULE: Rule = Rule {
    code: Code::new("AA904"),
    slug: "waiver-problem",
    summary: "a waiver breaks a term, is over, or covers nothing that was found",
    consequence: Weight::Always(Consequence::Info),
    basis: Grounds::Always(Basis::Operational),
    clauses: &[],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "renew the waiver, or take it out",
    page: include_str!("aa904.md"),
    // What waivers are good for is known once all other rules have spoken: the check adds it then.
    state: StateCheck { each: None, whole: Some(|_, _| Verdict::Found(Vec::new())), clocks: None },
    change: None,
};

/// What is to be said of waivers, once they were held against what was found.
pub(crate) fn troubles(audits: &[Audit<'_>]) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for audit in audits {
        let name = &audit.waiver.name;
        for trouble in audit.troubles() {
            let path = match &trouble {
                Trouble::Invalid(problem) => problem.field(),
                Trouble::Expired(_) => "expires",
                Trouble::Lapsed { .. } => "lapsesUnless",
                Trouble::Moved(_) | Trouble::Renamed(_) | Trouble::Unused => "match",
            };
            drafts.push(Draft::at(ObjectRef::waiver(name), path).says(format!("waiver {name}: {trouble}")).with(
                Evidence::seen("waiver", format!("{} {}", audit.waiver.rules.join(" "), audit.waiver.matches.short())),
            ));
        }
    }
    drafts
}
