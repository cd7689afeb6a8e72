//! The table of the proved and the unproved claims of each rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::{Mode, Rule};

use super::case::Shown;
use super::file::{Case, Kind, Proof};
use super::rows;
use crate::binaries::Kubernetes;
use crate::samples;

/// Counts of one rule's cases that held.
#[derive(Debug, Default)]
pub(super) struct Proved {
    pub(super) states: usize,
    /// Whether one of them found something.
    pub(super) finds: bool,
    pub(super) fixes: usize,
    /// Whether a finding named a command that could be run.
    pub(super) runnable: bool,
    pub(super) changes: usize,
    pub(super) look_alikes: usize,
    /// Requests of its kinds, subresources and operations that reached the guard.
    pub(super) rows: BTreeSet<String>,
    pub(super) seconds: f64,
}

impl Proved {
    pub(super) fn add(&mut self, more: &Proved) {
        self.states += more.states;
        self.finds |= more.finds;
        self.fixes += more.fixes;
        self.runnable |= more.runnable;
        self.changes += more.changes;
        self.look_alikes += more.look_alikes;
        self.rows.extend(more.rows.iter().cloned());
        self.seconds += more.seconds;
    }

    /// Counts a state that held.
    pub(super) fn state(&mut self, case: &Case, shown: &Shown) {
        self.runnable |= shown.runnable;
        self.fixes += shown.rehearsed;
        match case.kind() {
            Kind::State => {
                self.states += 1;
                self.finds |= case.finds.as_ref().is_some_and(|finds| !finds.is_empty());
            }
            // One that also sends something counts when that was answered.
            Kind::Change | Kind::LookAlike => self.look_alikes += usize::from(!case.asks()),
        }
    }
}

/// The table, and what is missing in it. What another Kubernetes version has to prove is not missing here.
pub(super) fn of(
    kubernetes: Kubernetes,
    proofs: &[Proof],
    proved: &BTreeMap<&str, Proved>,
    only: &[String],
) -> anyhow::Result<(String, Vec<String>)> {
    let mut table = format!(
        "{:6} {:>6} {:>6} {:>6} {:>11} {:>11} {:>6}  {}\n",
        "rule", "state", "fix", "change", "look-alike", "guard rows", "s", "nothing to prove"
    );
    let mut missing = Vec::new();
    let none = Proved::default();
    for rule in
        catalogue::ALL.iter().filter(|rule| only.is_empty() || only.iter().any(|code| code == rule.code.as_str()))
    {
        let code = rule.code.as_str();
        let Some(proof) = proofs.iter().find(|proof| proof.rule.code == rule.code) else {
            missing.push(format!("{code}: no proof; write tests/proofs/{}.yaml", code.to_lowercase()));
            // Writing to a string does not fail.
            let _ = writeln!(table, "{code:6} no proof");
            continue;
        };
        let so_far = proved.get(code).unwrap_or(&none);
        let home = samples::kubernetes(proof.home().0)?;
        let row = Row { rule, proof, proved: so_far, wanted: rows::of(rule, kubernetes), home, kubernetes };
        if row.is_of_others() {
            continue;
        }
        missing.extend(row.missing().into_iter().map(|what| format!("{}: {what}", proof.file)));
        let dash = |count: usize| if count == 0 { "-".to_owned() } else { count.to_string() };
        let _ = writeln!(
            table,
            "{code:6} {:>6} {:>6} {:>6} {:>11} {:>11} {:>6.1}  {}",
            dash(so_far.states),
            dash(so_far.fixes),
            dash(so_far.changes),
            dash(so_far.look_alikes),
            dash(so_far.rows.len()),
            so_far.seconds,
            row.reasons().join("; "),
        );
    }
    Ok((table, missing))
}

struct Row<'a> {
    rule: &'static Rule,
    proof: &'a Proof,
    proved: &'a Proved,
    /// The requests that the guard must have been asked about.
    wanted: BTreeSet<String>,
    /// The version on which the rule is proved.
    home: Kubernetes,
    /// The version that was played.
    kubernetes: Kubernetes,
}

impl Row<'_> {
    /// Whether an older version has nothing to say of this rule: the newest has a row for each.
    fn is_of_others(&self) -> bool {
        let nothing = self.proved.states + self.proved.changes + self.proved.look_alikes == 0;
        self.kubernetes != Kubernetes::NEWEST && self.home != self.kubernetes && nothing && self.wanted.is_empty()
    }

    fn sees(&self) -> bool {
        self.rule.state().per_object.is_some() || self.rule.state().per_cluster.is_some()
    }

    fn missing(&self) -> Vec<String> {
        let mut missing = if self.home == self.kubernetes { self.missing_cases() } else { Vec::new() };
        let unasked: Vec<&str> = self.wanted.difference(&self.proved.rows).map(String::as_str).collect();
        if !unasked.is_empty() {
            missing.push(format!("the guard was not asked about {}", unasked.join(", ")));
        }
        missing
    }

    fn missing_cases(&self) -> Vec<String> {
        let (header, proved) = (&self.proof.header, self.proved);
        let mut missing = Vec::new();
        if self.sees() && proved.states == 0 {
            missing.push("no state case held".to_owned());
        } else if self.sees() && !proved.finds && header.finds_nothing.is_none() {
            missing.push("no state case finds anything, and finds-nothing gives no reason".to_owned());
        }
        if proved.finds && header.finds_nothing.is_some() {
            missing.push("finds-nothing, but a case finds something".to_owned());
        }
        if proved.runnable && proved.fixes == 0 && header.no_rehearsal.is_none() {
            missing.push("findings print commands for kubectl, and none was rehearsed".to_owned());
        }
        if proved.fixes > 0 && header.no_rehearsal.is_some() {
            missing.push("no-rehearsal, but a fix was rehearsed".to_owned());
        }
        if self.rule.change.is_some() && proved.changes == 0 {
            missing.push("no change case held".to_owned());
        }
        if proved.look_alikes == 0 {
            missing.push("no look-alike held".to_owned());
        }
        missing
    }

    fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.home != self.kubernetes {
            reasons.push(format!("its cases want Kubernetes {}", self.home.git_version()));
            return reasons;
        }
        if !self.sees() {
            reasons.push("judges no state".to_owned());
        }
        if self.rule.change.is_none() {
            reasons.push("judges no change".to_owned());
        } else if self.rule.mode == Mode::Off {
            reasons.push("off by default, so in no shipped webhook rule".to_owned());
        }
        let header = &self.proof.header;
        reasons.extend(header.finds_nothing.iter().map(|why| format!("finds nothing: {why}")));
        reasons.extend(header.no_rehearsal.iter().map(|why| format!("no rehearsal: {why}")));
        if self.sees() && self.proved.fixes == 0 && header.no_rehearsal.is_none() {
            reasons.push("no fix for kubectl that is complete".to_owned());
        }
        reasons
    }
}
