//! An audit of waivers: the findings each of them covers, and its problems.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::finding::{Code, Draft, Evidence, FieldPath, Finding, ObjectRef};
use crate::people::waiver::coverage::Current;
use crate::people::waiver::set::{problems_among, status_with};
use crate::people::waiver::{Invalid, Lapsed, Waiver, WaiverStatus};
use crate::verdict::report::{RuleOutcome, RuleResult};

/// The result of one waiver in a check.
#[derive(Clone, Debug)]
pub struct Audit<'a> {
    /// The waiver.
    pub waiver: &'a Waiver,
    /// Its status.
    pub status: WaiverStatus,
    /// The findings that show it.
    pub covers: Vec<&'a Finding>,
    /// Findings that it covers too, each with the name of the waiver shown instead.
    pub shadowed: Vec<(&'a Finding, &'a str)>,
    /// Findings that it was given for and no longer covers.
    pub lapsed: Vec<(&'a Finding, Lapsed)>,
    /// Findings it would cover if it counted.
    pub would_cover: Vec<&'a Finding>,
    /// The rules that now report the findings it was given for, and that it does not name.
    pub moved: BTreeSet<Code>,
    /// The present names of its fields.
    pub renamed: BTreeSet<FieldPath>,
    /// Its rules that the check did not evaluate in full, with the reason. Their findings are not all known, so the
    /// waiver cannot be called unused.
    pub unseen: Vec<String>,
}

/// The use of a waiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// It covers a finding.
    Covers,
    /// It is not in force, so it covers nothing.
    NotInForce,
    /// The subject it was given for has changed.
    Lapsed,
    /// All findings it covers are covered by another waiver that ends later.
    Shadowed,
    /// Unknown, with the reason.
    Unknown(String),
    /// Its rules were evaluated in full, and it matches no finding.
    Unused,
}

impl Use {
    /// The word JSON carries.
    pub fn as_str(&self) -> &'static str {
        match self {
            Use::Covers => "covers",
            Use::Lapsed => "lapsed",
            Use::NotInForce => "not-in-force",
            Use::Shadowed => "shadowed",
            Use::Unknown(_) => "unknown",
            Use::Unused => "unused",
        }
    }
}

/// A problem of a waiver that somebody should act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// It breaks a term.
    #[error("{0}")]
    Invalid(Invalid),
    /// It has expired.
    #[error("it expired at {0}")]
    Expired(Timestamp),
    /// It has lapsed for one finding.
    #[error("it has lapsed for {object}: {why}")]
    Lapsed {
        /// The object, short.
        object: String,
        /// The reason.
        why: Lapsed,
    },
    /// It matches no finding, and other rules report the same.
    #[error("it covers nothing that was found, since {} finds the same: name that rule", .0.join(", "))]
    Moved(Vec<&'static str>),
    /// It matches no finding, and its rule reports the same at a field of another name.
    #[error("it covers nothing that was found, since it is found at {} now: name that path, with its fingerprint if any", .0.join(", "))]
    Renamed(Vec<String>),
    /// It matches no finding.
    #[error("it covers nothing that was found")]
    Unused,
}

impl Audit<'_> {
    /// The use of the waiver.
    pub fn usage(&self) -> Use {
        if self.status != WaiverStatus::Valid {
            Use::NotInForce
        } else if !self.covers.is_empty() {
            Use::Covers
        } else if !self.lapsed.is_empty() {
            Use::Lapsed
        } else if !self.shadowed.is_empty() {
            Use::Shadowed
        } else if let Some(why) = self.unseen.first() {
            Use::Unknown(why.clone())
        } else {
            Use::Unused
        }
    }

    /// The problems of the waiver. One that has not begun, or whose use is unknown, has none.
    pub fn troubles(&self) -> Vec<Trouble> {
        match &self.status {
            WaiverStatus::Invalid(problems) => return problems.iter().cloned().map(Trouble::Invalid).collect(),
            WaiverStatus::Expired => return vec![Trouble::Expired(self.waiver.expires)],
            WaiverStatus::NotYet | WaiverStatus::Valid => {}
        }
        let lapsed = self.lapsed.iter();
        let mut troubles: Vec<Trouble> =
            lapsed.map(|(finding, why)| Trouble::Lapsed { object: finding.object.short(), why: why.clone() }).collect();
        if self.usage() == Use::Unused {
            let moved: Vec<&str> = self.moved.iter().map(|code| code.as_str()).collect();
            let renamed: Vec<String> = self.renamed.iter().map(ToString::to_string).collect();
            troubles.push(match (&*moved, &*renamed) {
                ([], []) => Trouble::Unused,
                ([], _) => Trouble::Renamed(renamed),
                _ => Trouble::Moved(moved),
            });
        }
        troubles
    }
}

/// Matches waivers with findings and with the outcomes of the rules. `findings` may carry notes or not.
pub fn audit<'a>(
    waivers: &'a [Waiver],
    findings: &'a [Finding],
    rules: &[RuleOutcome],
    now: Timestamp,
) -> Vec<Audit<'a>> {
    let mut audits: Vec<Audit<'a>> = waivers
        .iter()
        .map(|waiver| Audit {
            waiver,
            status: status_with(problems_among(waiver, waivers), waiver, now),
            covers: Vec::new(),
            shadowed: Vec::new(),
            lapsed: Vec::new(),
            would_cover: Vec::new(),
            moved: BTreeSet::new(),
            renamed: BTreeSet::new(),
            unseen: waiver.rules.iter().filter_map(|code| unseen(code, rules)).collect(),
        })
        .collect();
    let current = Current::of(findings, waivers, now);
    for finding in findings {
        // Most findings match no waiver.
        let mut shown = None;
        for audit in audits.iter_mut().filter(|audit| audit.waiver.matches(finding)) {
            if audit.status != WaiverStatus::Valid {
                audit.would_cover.push(finding);
            } else if let Some(why) = audit.waiver.lapsed(finding, now) {
                audit.lapsed.push((finding, why));
            } else if let Some(shown) = *shown.get_or_insert_with(|| current.chosen(finding)) {
                if std::ptr::eq(shown, audit.waiver) {
                    audit.covers.push(finding);
                } else {
                    audit.shadowed.push((finding, &shown.name));
                }
            }
        }
    }
    for audit in audits.iter_mut().filter(|audit| audit.usage() == Use::Unused) {
        let same = findings.iter().filter(|finding| audit.waiver.matches_but_for_the_code(finding));
        audit.moved = same.map(|finding| finding.code).collect();
        let renamed = findings.iter().filter(|finding| audit.waiver.matches_by_its_old_path(finding));
        audit.renamed = renamed.map(|finding| finding.path.clone()).collect();
    }
    audits
}

/// The reason why a check does not know all findings of a rule; `None` when it does.
fn unseen(code: &str, rules: &[RuleOutcome]) -> Option<String> {
    let Some(rule) = rules.iter().find(|rule| rule.code == code) else {
        return Some(format!("{code} was not run"));
    };
    match rule.outcome {
        RuleResult::Pass => None,
        // A rule with findings can be incomplete too: its reason says what it did not see.
        RuleResult::Violated | RuleResult::Waived if rule.reason.is_empty() => None,
        outcome => Some(format!("{code} {}: {}", outcome.as_str(), rule.reason)),
    }
}

/// Drafts on the problems of waivers.
pub(crate) fn drafts(audits: &[Audit<'_>]) -> Vec<Draft> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::waiver::samples::{NOVEMBER, finding, time, waiver};
    use crate::people::waiver::{Pin, apply};

    fn outcome(code: &'static str, outcome: RuleResult, reason: &str) -> RuleOutcome {
        RuleOutcome { code: Code::new(code), slug: "", outcome, reason: reason.to_owned(), could_void: false }
    }

    #[test]
    fn an_audit_tells_the_use_of_each_waiver() {
        let findings = [finding("log-agent", "u1", Some("x")), finding("second", "u2", Some("x"))];
        let named = |name: &str, change: fn(&mut Waiver)| {
            let mut own = Waiver { name: name.to_owned(), ..waiver() };
            change(&mut own);
            own
        };
        let waivers = [
            named("covers", |_| {}),
            named("shadowed", |w| w.expires = time("2026-11-28T00:00:00Z")),
            named("lapsed", |w| w.lapses_unless = Some(Pin { uid: Some("u0".to_owned()), ..Pin::default() })),
            named("unused", |w| w.matches.name = "nowhere".to_owned()),
            named("unknown", |w| (w.matches.name, w.rules) = ("nowhere".to_owned(), vec!["AA307".to_owned()])),
            named("expired", |w| w.expires = time("2026-11-05T00:00:00Z")),
            named("later", |w| w.not_before = Some(time("2026-11-11T00:00:00Z"))),
            named("invalid", |w| w.approved_by = "alice".to_owned()),
        ];
        let rules =
            [outcome("AA303", RuleResult::Violated, ""), outcome("AA307", RuleResult::NotObservable, "no trace")];
        let audits = audit(&waivers, &findings, &rules, time(NOVEMBER));
        let words: Vec<(&str, &str)> = audits.iter().map(|one| (&*one.waiver.name, one.usage().as_str())).collect();
        let own = words.iter().filter(|(name, word)| name == word).count();
        assert_eq!(own, 5, "{words:?}");
        assert!(words[5..].iter().all(|(_, word)| *word == "not-in-force"), "{words:?}");
        assert!(audits[5..].iter().all(|one| one.would_cover.len() == 1));
        assert_eq!(audits[1].shadowed[0].1, "covers");
        let troubled: Vec<&str> =
            audits.iter().filter(|one| !one.troubles().is_empty()).map(|one| &*one.waiver.name).collect();
        assert_eq!(troubled, ["lapsed", "unused", "expired", "invalid"]);
        assert_eq!(audits[7].troubles(), [Trouble::Invalid(Invalid::SelfApproved)]);
        // The waivers shown are those that the audit names.
        let mut shown = findings.to_vec();
        apply(&mut shown, &waivers, time(NOVEMBER));
        assert_eq!(shown[0].waiver.as_ref().unwrap().name, "covers");
        assert_eq!(shown[1].waiver, None);
    }

    #[test]
    fn a_waiver_is_not_called_unused_if_its_rules_were_not_evaluated() {
        let rules = |outcome_of: RuleResult, reason: &str| [outcome("AA303", outcome_of, reason)];
        let usage = |rules: &[RuleOutcome]| audit(&[waiver()], &[], rules, time(NOVEMBER))[0].usage();
        assert_eq!(usage(&rules(RuleResult::Pass, "")), Use::Unused);
        assert_eq!(usage(&rules(RuleResult::Violated, "")), Use::Unused);
        for (outcome, reason) in [
            (RuleResult::Unknown, "list pods: forbidden"),
            (RuleResult::Violated, "list pods: forbidden"),
            (RuleResult::NotApplicable, "x"),
        ] {
            assert!(matches!(usage(&rules(outcome, reason)), Use::Unknown(why) if why.contains(reason)));
        }
        assert_eq!(usage(&[]), Use::Unknown("AA303 was not run".to_owned()));
    }

    #[test]
    fn an_unused_waiver_is_told_which_rule_finds_the_same() {
        let found = [finding("log-agent", "u1", Some("x"))];
        let rules = [outcome("AA303", RuleResult::Violated, ""), outcome("AA304", RuleResult::Pass, "")];
        let mut other = Waiver { rules: vec!["AA304".to_owned()], ..waiver() };
        other.matches.path = Some(found[0].path.to_string());
        let troubles = |waiver: Waiver| audit(&[waiver], &found, &rules, time(NOVEMBER))[0].troubles();
        assert_eq!(troubles(other.clone()), [Trouble::Moved(vec!["AA303"])]);
        other.matches.path = Some("spec.other".to_owned());
        assert_eq!(troubles(other.clone()), [Trouble::Unused]);
        let print = crate::finding::fingerprint("AA304", &found[0].object, &found[0].path);
        other.matches =
            crate::people::waiver::Match { fingerprint: Some(print), ..crate::people::waiver::Match::default() };
        assert_eq!(troubles(other), [Trouble::Moved(vec!["AA303"])]);
    }

    #[test]
    fn an_unused_waiver_is_told_what_its_field_is_called_now() {
        let pool = crate::finding::ObjectRef::pool("pool1");
        let found = [Finding {
            code: Code::new("AA412"),
            object: pool.clone(),
            path: "status.capacity[Standard_A4_v2]".into(),
            ..finding("pool1", "", None)
        }];
        let rules = [outcome("AA412", RuleResult::Violated, "")];
        let troubles = |matches: crate::people::waiver::Match| {
            let own = Waiver { rules: vec!["AA412".to_owned()], matches, ..waiver() };
            audit(&[own], &found, &rules, time(NOVEMBER))[0].troubles()
        };
        let old = "status.capacity[memory][Standard_A4_v2]";
        let named = crate::people::waiver::Match {
            kind: "NodePool".to_owned(),
            name: "pool1".to_owned(),
            path: Some(old.to_owned()),
            ..crate::people::waiver::Match::default()
        };
        let print = crate::finding::fingerprint("AA412", &pool, old);
        let printed =
            crate::people::waiver::Match { fingerprint: Some(print), ..crate::people::waiver::Match::default() };
        for matches in [named.clone(), printed] {
            assert_eq!(troubles(matches), [Trouble::Renamed(vec![found[0].path.to_string()])]);
        }
        assert_eq!(troubles(crate::people::waiver::Match { name: "pool2".to_owned(), ..named }), [Trouble::Unused]);
    }
}
