//! Findings that another rule makes than before: a waiver that names the old one matches nothing any more.

use super::Waiver;
use crate::finding::{Finding, ObjectRef, fingerprint};

/// What one rule found and another one finds now.
struct Moved {
    /// The rule that found it, up to version 0.1.0.
    from: &'static str,
    /// The rule that finds it.
    to: &'static str,
    /// The field, of the pseudo-kind Cluster.
    path: &'static str,
    /// Whether the old rule finds nothing else of that kind.
    alone: bool,
}

const fn moved(from: &'static str, to: &'static str, path: &'static str, alone: bool) -> Moved {
    Moved { from, to, path, alone }
}

/// Answers of people got rules of their own.
const MOVED: [Moved; 7] = [
    moved("AA401", "AA413", "attestation[C10]", true),
    moved("AA409", "AA414", "attestation[C22]", true),
    moved("AA412", "AA415", "attestation[C24]", true),
    moved("AA405", "AA416", "attestation[C27]", true),
    moved("AA603", "AA609", "attestation[C30]", false),
    moved("AA603", "AA609", "attestation[C34]", false),
    moved("AA603", "AA610", "attestation[C31]", false),
];

impl Waiver {
    /// What it names by a rule that no longer finds it: the rule, the field, and the rule that finds it now.
    pub fn moved(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let here = |row: &&Moved| {
            let names = |code: &str| self.rules.iter().any(|own| own == code);
            let matches = &self.matches;
            let by_print = || {
                let old = fingerprint(row.from, &ObjectRef::cluster(), row.path);
                matches.fingerprint.as_ref() == Some(&old)
            };
            let by_name = || {
                matches.kind == "Cluster"
                    && matches.path.as_ref().map_or(row.alone && matches.fingerprint.is_none(), |path| path == row.path)
            };
            names(row.from) && !names(row.to) && (by_print() || by_name())
        };
        MOVED.iter().filter(here).map(|row| (row.from, row.path, row.to)).collect()
    }

    /// Whether it would match a finding, did the finding's rule not have another code than its own.
    pub(super) fn matches_but_for_the_code(&self, finding: &Finding) -> bool {
        if self.rules.iter().any(|code| code == finding.code) {
            return false;
        }
        let matches = &self.matches;
        match &matches.fingerprint {
            Some(print) => {
                let prints = self.rules.iter().map(|code| fingerprint(code, &finding.object, &finding.path));
                prints.into_iter().any(|own| own == *print)
            }
            // Without a field it may be about anything that is wrong with the object.
            None => matches.path.as_deref() == Some(&*finding.path) && matches.names(&finding.object),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiver::Match;
    use crate::waiver::samples::waiver;

    #[test]
    fn a_waiver_for_an_answer_names_the_rule_that_spoke_for_it_before() {
        let of = |code: &str, matches: Match| Waiver { rules: vec![code.to_owned()], matches, ..waiver() }.moved();
        let cluster = |path: Option<&str>| Match {
            kind: "Cluster".to_owned(),
            name: "cluster".to_owned(),
            path: path.map(str::to_owned),
            ..Match::default()
        };
        let own = [("AA401", "attestation[C10]", "AA413")];
        assert_eq!(of("AA401", cluster(Some("attestation[C10]"))), own);
        assert_eq!(of("AA401", cluster(None)), own);
        let print = fingerprint("AA401", &ObjectRef::cluster(), "attestation[C10]");
        assert_eq!(of("AA401", Match { fingerprint: Some(print), ..Match::default() }), own);
        assert_eq!(of("AA413", cluster(Some("attestation[C10]"))), []);
        assert_eq!(of("AA603", cluster(Some("heartbeat[2026-02-01]"))), []);
        assert_eq!(of("AA603", cluster(None)), [], "it may be for a gap");
    }
}
