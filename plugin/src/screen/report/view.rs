//! The choice of what a report shows.

use aksarc_shared::jiff::Timestamp;

use crate::screen::style::Look;

/// Which findings people see. JSON and YAML always hold all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Show {
    /// Findings that are neither waived nor information only
    #[default]
    Problems,
    /// All findings, and every rule's outcome
    All,
}

/// The groups of findings in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum GroupBy {
    /// The rule
    #[default]
    Rule,
    /// The object
    Object,
    /// The namespace of the object
    Namespace,
}

/// The part of a report that is shown, and facts about its subject that are not in it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The abilities of the terminal.
    pub look: Look,
    /// The name of this program, as it was called.
    pub name: &'static str,
    /// Which findings.
    pub show: Show,
    /// In which groups.
    pub group_by: GroupBy,
    /// When the snapshot was taken.
    pub taken: Option<&'a str>,
    /// Its age.
    pub age: Option<Age>,
    /// Manifests were judged, not a state.
    pub manifests: bool,
    /// The nodes were read, so that their number says something.
    pub nodes_read: bool,
    /// Objects among the manifests that no rule looks at.
    pub unjudged: usize,
    /// Objects among the manifests that were recorded from a cluster.
    pub recorded: usize,
}

/// The age of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// Whole days; negative where it was taken later.
    pub days: i64,
    /// The moment was given for which that is so; else it is so today.
    pub given: bool,
}

impl Age {
    /// The age of what was taken at a moment: on the day that was asked for, or today.
    pub fn of(taken: Timestamp, as_of: Option<Timestamp>) -> Self {
        let then = as_of.unwrap_or_else(Timestamp::now);
        Age { days: then.duration_since(taken).as_hours() / 24, given: as_of.is_some() }
    }
}
