//! The match between waivers and findings, and the reasons why a waiver no longer covers one.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::set::problems_among;
use super::{Match, Waiver};
use crate::finding::{Finding, ObjectRef, WaiverNote};
use crate::text;

/// The reason why a waiver no longer covers a finding that it was given for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lapsed {
    /// The object was recreated.
    #[error("the object is not the one it was given for: uid {found} instead of {pinned}")]
    Object {
        /// The uid for which it was given.
        pinned: String,
        /// The uid now.
        found: String,
    },
    /// The uid is not known. An object that cannot be shown to be the same does not count as the same.
    #[error("whether the object is the one it was given for cannot be told: it has no uid here")]
    NoUid,
    /// The object was changed again.
    #[error("it was changed again at {found}, after {pinned}")]
    Again {
        /// The end of the change for which it was given.
        pinned: Timestamp,
        /// The time of the later change.
        found: Timestamp,
    },
    /// The value changed again.
    #[error("the value is not the one it was given for: {found} instead of {pinned}")]
    Value {
        /// The value for which it was given.
        pinned: String,
        /// The present value.
        found: String,
    },
}

impl Waiver {
    /// Whether the waiver is in its time at `now`: from `notBefore` on, up to but not at `expires`.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|start| start <= now) && !self.is_over(now)
    }

    /// Whether the waiver has expired at `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires <= now
    }

    /// The reason why the waiver has lapsed for a finding that it matches; `None` while all its pins hold.
    pub fn lapsed(&self, finding: &Finding, now: Timestamp) -> Option<Lapsed> {
        let pin = self.lapses_unless.as_ref()?;
        if let Some(pinned) = pin.changed_before
            && let Some(found) = changed(finding, now).filter(|found| *found > pinned)
        {
            return Some(Lapsed::Again { pinned, found });
        }
        if let Some(pinned) = &pin.uid {
            let found = &finding.object.uid;
            if found.is_empty() {
                return Some(Lapsed::NoUid);
            }
            if found != pinned {
                return Some(Lapsed::Object { pinned: shown(pinned), found: shown(found) });
            }
        }
        let pinned = pin.value.as_ref()?;
        if finding.after.as_ref() == Some(pinned) {
            return None;
        }
        Some(Lapsed::Value { pinned: shown(pinned), found: finding.after.as_deref().map_or("none".to_owned(), shown) })
    }

    /// Whether a finding has the rule and object of the waiver, whatever its time and terms.
    pub fn matches(&self, finding: &Finding) -> bool {
        self.rules.iter().any(|code| finding.code == *code) && self.matches.is(finding)
    }
}

impl Match {
    /// Whether the waiver names an object.
    pub(crate) fn names(&self, object: &ObjectRef) -> bool {
        self.name == object.name && self.kind == object.kind && self.namespace == object.namespace
    }

    fn is(&self, finding: &Finding) -> bool {
        let named = || self.names(&finding.object);
        let here = self.path.as_ref().is_none_or(|path| finding.path == *path);
        // The fingerprint comes last, since it costs a hash.
        here && match &self.fingerprint {
            None => named(),
            Some(print) => (self.name.is_empty() || named()) && *print == finding.fingerprint(),
        }
    }
}

/// Adds a note to every finding that a valid, current waiver covers. Check, dry run and guard all use this function.
pub fn apply(findings: &mut [Finding], waivers: &[Waiver], now: Timestamp) {
    if waivers.is_empty() || findings.is_empty() {
        return;
    }
    let current = Current::of(findings, waivers, now);
    for finding in findings {
        finding.waiver = current.chosen(finding).map(|waiver| WaiverNote {
            name: waiver.name.clone(),
            reason: waiver.reason.split_whitespace().collect::<Vec<_>>().join(" "),
            expires: waiver.expires.to_string(),
            ticket: waiver.ticket.clone(),
            support_case: waiver.support_case.clone(),
        });
    }
}

/// The waivers of a set that may cover some of many findings now, indexed by object and fingerprint.
#[derive(Debug)]
pub(crate) struct Current<'w> {
    now: Timestamp,
    all: &'w [Waiver],
    candidates: Vec<Candidate<'w>>,
    by_name: HashMap<&'w str, Vec<usize>>,
    by_fingerprint: HashMap<&'w str, Vec<usize>>,
}

#[derive(Debug)]
struct Candidate<'w> {
    waiver: &'w Waiver,
    /// Whether the terms hold. This takes longest to find out, so it is only done for waivers that match.
    valid: OnceCell<bool>,
}

impl<'w> Current<'w> {
    /// The waivers among `all` that may cover some of `findings`.
    pub(crate) fn of(findings: &[Finding], all: &'w [Waiver], now: Timestamp) -> Self {
        let codes: HashSet<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
        let is_asked = |waiver: &&Waiver| waiver.rules.iter().any(|code| codes.contains(&**code));
        let asked = all.iter().filter(|waiver| waiver.is_current(now)).filter(is_asked);
        let candidates: Vec<_> = asked.map(|waiver| Candidate { waiver, valid: OnceCell::new() }).collect();
        let (mut by_name, mut by_fingerprint) = (HashMap::new(), HashMap::new());
        for (at, Candidate { waiver, .. }) in candidates.iter().enumerate() {
            let places: &mut Vec<usize> = match &waiver.matches.fingerprint {
                Some(print) => by_fingerprint.entry(&**print).or_default(),
                None => by_name.entry(&*waiver.matches.name).or_default(),
            };
            places.push(at);
        }
        Current { now, all, candidates, by_name, by_fingerprint }
    }

    /// The waiver shown on a finding: among those that cover it the one that ends last, then the first by name.
    pub(crate) fn chosen(&self, finding: &Finding) -> Option<&'w Waiver> {
        let named = self.by_name.get(&*finding.object.name);
        // A fingerprint costs a hash, and few waivers name one.
        let printed =
            if self.by_fingerprint.is_empty() { None } else { self.by_fingerprint.get(&*finding.fingerprint()) };
        let places = named.into_iter().chain(printed).flatten();
        let covers =
            |own: &&Candidate<'w>| own.waiver.matches(finding) && own.waiver.lapsed(finding, self.now).is_none();
        let mut covering: Vec<_> = places.filter_map(|at| self.candidates.get(*at)).filter(covers).collect();
        covering.sort_by(|Candidate { waiver: a, .. }, Candidate { waiver: b, .. }| {
            b.expires.cmp(&a.expires).then_with(|| a.name.cmp(&b.name))
        });
        let is_valid =
            |own: &&Candidate<'w>| *own.valid.get_or_init(|| problems_among(own.waiver, self.all).is_empty());
        covering.into_iter().find(is_valid).map(|own| own.waiver)
    }
}

/// The time of the last change to the subject of a finding, according to its evidence. A request changes it now.
fn changed(finding: &Finding, now: Timestamp) -> Option<Timestamp> {
    let when = finding.evidence.iter().filter_map(|evidence| match &*evidence.what {
        "request" => Some(now),
        "managedFields" => evidence.time.parse().ok(),
        _ => None,
    });
    when.max()
}

fn shown(value: &str) -> String {
    text::line(value, 80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Evidence;
    use crate::people::waiver::Pin;
    use crate::people::waiver::samples::{NOVEMBER, finding, shown_on, time, waiver};

    #[test]
    fn it_counts_from_its_first_second_to_the_one_before_it_expires() {
        let at = |text: &str| waiver().is_current(text.parse().unwrap());
        assert!(!at("2026-10-31T23:59:59Z"));
        assert!(at("2026-11-01T00:00:00Z"));
        assert!(at("2026-11-28T23:59:59Z"));
        assert!(!at("2026-11-29T00:00:00Z"));
    }

    #[test]
    fn times_are_instants_whatever_their_offset() {
        assert_eq!(time("2026-11-29T01:00:00+01:00"), time("2026-11-29T00:00:00Z"));
        assert_eq!(time("2026-12-31T23:59:60Z"), time("2026-12-31T23:59:59Z"), "a leap second is the one before");
        let mut own = waiver();
        own.expires = time("2026-11-29T01:00:00+01:00");
        assert!(own.is_current(time("2026-11-28T23:59:59.999999999Z")));
        assert!(!own.is_current(time("2026-11-29T00:00:00Z")));
    }

    #[test]
    fn a_waiver_matches_exactly_or_not_at_all() {
        let found = finding("log-agent", "u1", None);
        let covers = |change: fn(&mut Match)| {
            let mut own = waiver();
            change(&mut own.matches);
            shown_on(&found, &[own], NOVEMBER).is_some()
        };
        assert!(covers(|_| {}));
        assert!(covers(|m| m.path = Some("metadata.namespace".to_owned())));
        assert!(!covers(|m| m.path = Some("metadata".to_owned())));
        assert!(!covers(|m| m.name = "log-*".to_owned()));
        assert!(!covers(|m| m.name = "Log-Agent".to_owned()));
        assert!(!covers(|m| m.kind = "deployment".to_owned()));
        assert!(!covers(|m| m.namespace = String::new()));
        let mut own = waiver();
        own.matches = Match { fingerprint: Some(found.fingerprint()), ..Match::default() };
        assert!(shown_on(&found, &[own.clone()], NOVEMBER).is_some());
        assert!(shown_on(&finding("other", "u1", None), &[own.clone()], NOVEMBER).is_none());
        // A fingerprint beside an object narrows the match.
        own.matches.name = "other".to_owned();
        own.matches.kind = "Deployment".to_owned();
        assert!(shown_on(&found, &[own], NOVEMBER).is_none());
    }

    #[test]
    fn a_waiver_lapses_when_what_it_was_given_for_changes() {
        let mut own = waiver();
        own.lapses_unless = Some(Pin { uid: Some("u1".to_owned()), value: Some("x".to_owned()), ..Pin::default() });
        assert_eq!(own.problems(), []);
        let (same, anew, changed) = (
            finding("log-agent", "u1", Some("x")),
            finding("log-agent", "u2", Some("x")),
            finding("log-agent", "u1", Some("y")),
        );
        assert_eq!(own.lapsed(&same, time(NOVEMBER)), None);
        assert_eq!(shown_on(&same, &[own.clone()], NOVEMBER).as_deref(), Some("W-7"));
        for lapsed in [&anew, &changed, &finding("log-agent", "", Some("x")), &finding("log-agent", "u1", None)] {
            assert!(own.lapsed(lapsed, time(NOVEMBER)).is_some());
            assert_eq!(shown_on(lapsed, &[own.clone()], NOVEMBER), None);
        }
        assert_eq!(
            own.lapsed(&anew, time(NOVEMBER)).unwrap().to_string(),
            "the object is not the one it was given for: uid u2 instead of u1"
        );
        assert!(own.lapsed(&changed, time(NOVEMBER)).unwrap().to_string().contains("y instead of x"));
        assert_eq!(own.lapsed(&finding("log-agent", "", Some("x")), time(NOVEMBER)), Some(Lapsed::NoUid));
    }

    #[test]
    fn the_waiver_that_ends_last_is_shown_whatever_their_order() {
        let found = finding("log-agent", "u1", None);
        let named = |name: &str, expires: &str| Waiver { name: name.to_owned(), expires: time(expires), ..waiver() };
        let (early, late) = (named("a", "2026-11-20T00:00:00Z"), named("z", "2026-11-25T00:00:00Z"));
        let twin = named("y", "2026-11-25T00:00:00Z");
        for waivers in [[early.clone(), late.clone(), twin.clone()], [twin.clone(), late.clone(), early.clone()]] {
            assert_eq!(shown_on(&found, &waivers, NOVEMBER).as_deref(), Some("y"));
        }
        // A waiver that does not count hides none that does.
        let broken = Waiver { ticket: None, ..late };
        assert_eq!(shown_on(&found, &[early, broken], NOVEMBER).as_deref(), Some("a"));
    }

    #[test]
    fn a_waiver_lapses_when_somebody_changes_the_object_again() {
        let mut own = waiver();
        own.lapses_unless = Some(Pin { changed_before: Some(time("2026-11-02T00:00:00Z")), ..Pin::default() });
        let by = |what: &str, when: &str| {
            let mut found = finding("log-agent", "u1", None);
            found.evidence = vec![Evidence { time: when.to_owned(), ..Evidence::seen(what, "") }];
            own.lapsed(&found, time(NOVEMBER))
        };
        assert_eq!(by("managedFields", "2026-11-01T23:00:00Z"), None);
        assert!(matches!(by("managedFields", "2026-11-02T00:00:01Z"), Some(Lapsed::Again { .. })));
        // Evidence without a time proves no change; a request does.
        assert_eq!(by("signs", ""), None);
        assert!(matches!(by("request", ""), Some(Lapsed::Again { .. })));
    }
}
