//! Findings that moved to another rule or field, so that waivers with the old code or path no longer match.

use super::{Match, Waiver};
use crate::finding::{Finding, ObjectRef, fingerprint};
use crate::text;

/// An entry of a waiver that no finding has any more, and its replacement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Moved {
    /// Another rule reports the finding.
    #[error("{from} found {path} up to 0.1.0, and {to} does now: name {to}, with its fingerprint if any")]
    Rule {
        /// The rule named.
        from: &'static str,
        /// The field.
        path: &'static str,
        /// The rule that reports it now.
        to: &'static str,
    },
    /// The same rule reports the finding at another field.
    #[error(
        "{code} found {was} up to 0.1.0, and {now} now, with all that differs: name that path, with its fingerprint if any"
    )]
    Path {
        /// The rule.
        code: &'static str,
        /// The field up to 0.1.0.
        was: String,
        /// The field now.
        now: String,
    },
    /// The object has another name.
    #[error(
        "nodes whose pool nothing tells were one NodePool called {NO_POOL} up to 0.1.0, and each is named by itself now: \
         match what a new check shows"
    )]
    Object,
}

impl Moved {
    /// The field of the waiver to change, as written in a file.
    pub fn field(&self) -> &'static str {
        match self {
            Moved::Rule { .. } => "rules",
            Moved::Path { .. } => "path",
            Moved::Object => "match",
        }
    }
}

/// A finding that moved from one rule to another.
struct MovedRow {
    /// The rule that reported it up to version 0.1.0.
    from: &'static str,
    /// The rule that reports it now.
    to: &'static str,
    /// The field, of the pseudo-kind Cluster.
    path: &'static str,
    /// Whether the old rule reports nothing else for that kind.
    alone: bool,
}

/// A finding that was the only one of its rule for the pseudo-kind Cluster.
const fn only(from: &'static str, to: &'static str, path: &'static str) -> MovedRow {
    MovedRow { from, to, path, alone: true }
}

/// A finding of a rule that reports others for the pseudo-kind Cluster too.
const fn one_of(from: &'static str, to: &'static str, path: &'static str) -> MovedRow {
    MovedRow { from, to, path, alone: false }
}

/// Answers of people became rules of their own.
const MOVED: [MovedRow; 7] = [
    only("AA401", "AA413", "attestation[C10]"),
    only("AA409", "AA414", "attestation[C22]"),
    only("AA412", "AA415", "attestation[C24]"),
    only("AA405", "AA416", "attestation[C27]"),
    one_of("AA603", "AA609", "attestation[C30]"),
    one_of("AA603", "AA609", "attestation[C34]"),
    one_of("AA603", "AA610", "attestation[C31]"),
];

impl Waiver {
    /// The entries of the waiver that no finding has any more.
    pub fn moved(&self) -> Vec<Moved> {
        let rules = MOVED.iter().filter(|row| self.names_old(row));
        let rules = rules.map(|row| Moved::Rule { from: row.from, path: row.path, to: row.to });
        let paths = MERGED.into_iter().filter(|row| self.rules.iter().any(|own| own == row.code));
        let paths = paths.filter_map(|row| row.renamed(&self.matches));
        let object = self.matches.kind == POOL && self.matches.name == NO_POOL;
        rules.chain(paths).chain(object.then_some(Moved::Object)).collect()
    }

    fn names_old(&self, row: &MovedRow) -> bool {
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
    }

    /// Whether the waiver matches a finding in all but the code.
    pub(crate) fn matches_but_for_the_code(&self, finding: &Finding) -> bool {
        if self.rules.iter().any(|code| finding.code == *code) {
            return false;
        }
        let matches = &self.matches;
        match &matches.fingerprint {
            Some(print) => {
                let prints = self.rules.iter().map(|code| fingerprint(code, &finding.object, &finding.path));
                prints.into_iter().any(|own| own == *print)
            }
            // Without a field the waiver may be about any problem of the object.
            None => matches.path.as_deref() == Some(&*finding.path) && matches.names(&finding.object),
        }
    }

    /// Whether the waiver matches a finding if the finding's field has the name that it had up to 0.1.0.
    pub(crate) fn matches_by_its_old_path(&self, finding: &Finding) -> bool {
        let Some(row) = MERGED.iter().find(|row| finding.code == row.code) else { return false };
        let (code, matches) = (finding.code, &self.matches);
        let names = matches.name.is_empty() || matches.names(&finding.object);
        names
            && self.rules.iter().any(|own| code == *own)
            && row.old_paths(&finding.path).into_iter().any(|old| match &matches.fingerprint {
                Some(print) => *print == fingerprint(code.as_str(), &finding.object, &old),
                None => matches.path.as_ref() == Some(&old),
            })
    }
}

/// A rule that used to report each of several fields of a pool's nodes, and now reports all differences at once.
struct Merged {
    code: &'static str,
    /// The field now. The size of the nodes may follow in brackets.
    now: &'static str,
    /// The suffixes of the field, one for each of the old findings.
    fields: [&'static str; 3],
}

impl Merged {
    fn renamed(&self, matches: &Match) -> Option<Moved> {
        if matches.kind != POOL {
            return None;
        }
        let old = match (&matches.path, &matches.fingerprint) {
            (Some(path), _) => self.fields.into_iter().find_map(|field| {
                let size = path.strip_prefix(self.now)?.strip_prefix(field)?;
                (size.is_empty() || is_size(size)).then(|| (path.clone(), size))
            }),
            // The object is known, so its old fingerprint can be computed.
            (None, Some(print)) => {
                let print_of = |path: &str| fingerprint(self.code, &ObjectRef::pool(&matches.name), path);
                let mut paths = self.old_paths(self.now).into_iter();
                paths.find(|path| print_of(path) == *print).map(|path| (path, ""))
            }
            (None, None) => None,
        };
        let shown = |path: &str| text::line(path, MAX_SHOWN);
        old.map(|(was, size)| Moved::Path {
            code: self.code,
            was: shown(&was),
            now: shown(&format!("{}{size}", self.now)),
        })
    }

    /// The names of a field from when each difference had a finding of its own.
    fn old_paths(&self, path: &str) -> Vec<String> {
        let Some(size) = path.strip_prefix(self.now) else { return Vec::new() };
        self.fields.iter().map(|field| format!("{}{field}{size}", self.now)).collect()
    }
}

/// Whether a text in brackets is the size of a node, rather than the name of a node compared with a baseline.
fn is_size(bracketed: &str) -> bool {
    let inner = bracketed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let of_names = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    inner.is_some_and(|inner| !inner.chars().all(of_names))
}

const MERGED: [Merged; 2] = [
    Merged {
        code: "AA402",
        now: "status.nodeInfo",
        fields: [".kubeletVersion", ".osImage", ".containerRuntimeVersion"],
    },
    Merged { code: "AA412", now: "status.capacity", fields: ["[cpu]", "[memory]", "[ephemeral-storage]"] },
];

/// The longest text that is shown. A waiver may contain anything.
const MAX_SHOWN: usize = 120;

/// The kind of a pool in a report.
const POOL: &str = "NodePool";

/// The pool name up to 0.1.0 for nodes without any sign of their pool.
const NO_POOL: &str = "(no pool)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::waiver::Match;
    use crate::people::waiver::samples::waiver;

    #[test]
    fn a_waiver_for_an_answer_names_the_rule_that_spoke_for_it_before() {
        let of = |code: &str, matches: Match| Waiver { rules: vec![code.to_owned()], matches, ..waiver() }.moved();
        let cluster = |path: Option<&str>| Match {
            kind: "Cluster".to_owned(),
            name: "cluster".to_owned(),
            path: path.map(str::to_owned),
            ..Match::default()
        };
        let own = [Moved::Rule { from: "AA401", path: "attestation[C10]", to: "AA413" }];
        assert_eq!(of("AA401", cluster(Some("attestation[C10]"))), own);
        assert_eq!(of("AA401", cluster(None)), own);
        let print = fingerprint("AA401", &ObjectRef::cluster(), "attestation[C10]");
        assert_eq!(of("AA401", Match { fingerprint: Some(print), ..Match::default() }), own);
        assert_eq!(of("AA413", cluster(Some("attestation[C10]"))), []);
        assert_eq!(of("AA603", cluster(Some("heartbeat[2026-02-01]"))), []);
        assert_eq!(of("AA603", cluster(None)), [], "it may be for a gap");
    }

    #[test]
    fn a_waiver_for_one_field_of_a_pool_is_told_the_one_for_all_that_differs() {
        let of = |code: &str, matches: Match| Waiver { rules: vec![code.to_owned()], matches, ..waiver() }.moved();
        let pool = |path: Option<&str>, print: Option<String>| Match {
            kind: "NodePool".to_owned(),
            name: "pool1".to_owned(),
            path: path.map(str::to_owned),
            fingerprint: print,
            ..Match::default()
        };
        let renamed =
            |code: &'static str, was: &str, now: &str| [Moved::Path { code, was: was.to_owned(), now: now.to_owned() }];
        let image = "status.nodeInfo.osImage";
        assert_eq!(of("AA402", pool(Some(image), None)), renamed("AA402", image, "status.nodeInfo"));
        let print = fingerprint("AA402", &ObjectRef::pool("pool1"), image);
        assert_eq!(of("AA402", pool(None, Some(print))), renamed("AA402", image, "status.nodeInfo"));
        for (was, now) in [
            ("status.capacity[cpu]", "status.capacity"),
            ("status.capacity[memory][Standard_A4_v2]", "status.capacity[Standard_A4_v2]"),
        ] {
            assert_eq!(of("AA412", pool(Some(was), None)), renamed("AA412", was, now));
        }
        // A node compared with a baseline, the new paths, other rules, and no path at all.
        for (code, path) in [
            ("AA412", Some("status.capacity[memory][moc-l1]")),
            ("AA412", Some("status.capacity[Standard_A4_v2]")),
            ("AA412", Some("status.capacity")),
            ("AA402", Some("status.nodeInfo")),
            ("AA403", Some(image)),
            ("AA402", None),
        ] {
            assert_eq!(of(code, pool(path, None)), [], "{code} {path:?}");
        }
        let nobodys = Match { kind: "NodePool".to_owned(), name: "(no pool)".to_owned(), ..Match::default() };
        assert_eq!(of("AA104", nobodys), [Moved::Object]);
    }
}
