//! Lists and answers that a snapshot or a baseline lacks, folded into one line for each reason.

use std::collections::{BTreeMap, BTreeSet};

use aksarc_shared::facts::inventory::{ReadKey, ReadState};
use aksarc_shared::text;

use crate::screen::ui::Ui;
use crate::screen::wording::counting;
use crate::snapshot::index::{Index, ListState, RecordedProbe};

/// Lists and answers that could not be read, by reason.
#[derive(Debug, Default)]
pub(crate) struct Missing(BTreeMap<Reason, BTreeMap<String, BTreeSet<String>>>);

/// The reason why something could not be read.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// The caller lacks the right.
    Forbidden,
    /// The snapshot does not hold it.
    NotRecorded,
    /// Another reason, in words.
    Other(String),
}

impl Missing {
    /// Lists and answers that a snapshot lacks. An answer that failed does not count as a missing right.
    pub(crate) fn of_snapshot(index: &Index) -> Self {
        let mut missing = Missing::default();
        for list in &index.lists {
            let reason = match list.state {
                ListState::Complete | ListState::NotServed => continue,
                ListState::Forbidden => Reason::Forbidden,
                ListState::Failed => Reason::Other(text::line(&list.reason, MAX_REASON)),
            };
            missing.add(reason, &list.kind, &list.namespace);
        }
        for probe in index.probes.iter().filter(|probe| probe.state == RecordedProbe::Forbidden) {
            missing.add(Reason::Forbidden, &probe.probe, "");
        }
        missing
    }

    /// Lists that a baseline lacks.
    pub(crate) fn of_lists(gaps: &[(ReadKey, ReadState)]) -> Self {
        let mut missing = Missing::default();
        for (key, state) in gaps {
            let Some(gap) = state.gap(key) else { continue };
            let reason = match state {
                ReadState::Forbidden => Reason::Forbidden,
                ReadState::NotRecorded => Reason::NotRecorded,
                ReadState::Failed(why) => Reason::Other(text::line(why, MAX_REASON)),
                ReadState::Complete { .. } | ReadState::Partly(_) | ReadState::NotServed => {
                    Reason::Other(text::line(&gap, MAX_REASON))
                }
            };
            missing.add(reason, &key.kind.qualified(), key.namespace.as_deref().unwrap_or_default());
        }
        missing
    }

    fn add(&mut self, reason: Reason, kind: &str, namespace: &str) {
        let kind = text::line(kind, MAX_NAME);
        self.0.entry(reason).or_default().entry(kind).or_default().insert(text::line(namespace, MAX_NAME));
    }

    /// Whether nothing is missing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Prints to stderr a line for each reason, with the lists and answers that are missing for it and the remedy.
    pub(crate) fn warn(&self, ui: &Ui) {
        for (reason, kinds) in &self.0 {
            let count = counting(kinds.values().map(BTreeSet::len).sum(), "list");
            let which = names(kinds);
            let (why, cure) = match reason {
                Reason::Forbidden => (
                    "you may not read".to_owned(),
                    format!(
                        "; `{0} doctor` says what needs them, `{0} doctor --print-role` prints the rights",
                        ui.name
                    ),
                ),
                Reason::NotRecorded => {
                    ("the snapshot does not hold".to_owned(), "; take a new one with this version".to_owned())
                }
                Reason::Other(why) => (format!("{why}:"), String::new()),
            };
            ui.note(&format!("warning: {count} not recorded: {why} {which}; what rests on them will be unknown{cure}"));
        }
    }
}

/// A few of the kinds, each with its namespace, and how many more there are.
fn names(kinds: &BTreeMap<String, BTreeSet<String>>) -> String {
    let name = |(kind, namespaces): (&String, &BTreeSet<String>)| match namespaces.first().map(String::as_str) {
        None | Some("") => kind.clone(),
        Some(one) if namespaces.len() == 1 => format!("{kind} in {one}"),
        Some(_) => format!("{kind} in {} namespaces", namespaces.len()),
    };
    let few: Vec<String> = kinds.iter().take(SHOWN).map(name).collect();
    match kinds.len().saturating_sub(SHOWN) {
        0 => few.join(", "),
        more => format!("{} and {}", few.join(", "), counting(more, "more kind")),
    }
}

/// Kinds shown for one reason.
const SHOWN: usize = 5;

/// Servers write whole pages as a reason.
const MAX_REASON: usize = 200;

/// Names of kinds and namespaces are shorter.
const MAX_NAME: usize = 120;
