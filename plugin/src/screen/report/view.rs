//! The choice of what a report shows.

use aksarc_shared::jiff::Timestamp;
use aksarc_shared::verdict::report::v1::InputV1;

use super::filter::Filter;
use crate::screen::style::Look;

/// The part of a report that people see. JSON and YAML always hold all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Show {
    /// Findings that are neither waived nor information only, and the rest in short
    #[default]
    Problems,
    /// All findings with all their objects, every rule's outcome, all deadlines and questions
    All,
    /// All commands that lead back
    Fixes,
    /// All deadlines
    Deadlines,
    /// What only people can answer, and whom to ask
    Questions,
    /// The case page: what a support request asks for, in its order; also of -o html and -o markdown
    Case,
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

/// The part of a report that is shown, and the terminal, program and moment it is shown by.
#[derive(Clone, Debug)]
pub struct View {
    /// The abilities of the terminal.
    pub look: Look,
    /// The name of this program, as it was called.
    pub name: &'static str,
    /// Which part.
    pub show: Show,
    /// Which findings of it.
    pub filter: Filter,
    /// In which groups.
    pub group_by: GroupBy,
    /// The moment of showing it: a snapshot has an age then.
    pub now: Timestamp,
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
    /// The age of a snapshot at the moment that was asked for, or now; `None` where the time of the snapshot is not
    /// known.
    pub fn of(input: &InputV1, now: Timestamp) -> Option<Self> {
        let moment = |text: &Option<String>| text.as_deref()?.parse::<Timestamp>().ok();
        let (taken, as_of) = (moment(&input.taken)?, moment(&input.as_of));
        let then = as_of.unwrap_or(now);
        Some(Age { days: then.duration_since(taken).as_hours() / 24, given: as_of.is_some() })
    }
}
