//! The diagnosis, for people and for programs.

use std::fmt::Write as _;

use aksarc_shared::data::own::API_VERSION;
use serde_json::{Value, json};

use crate::screen::grid::Grid;

/// The symptoms of a cluster.
#[derive(Debug)]
pub(super) struct Diagnosis {
    pub(super) context: String,
    pub(super) server: String,
    pub(super) user: String,
    pub(super) checks: Vec<Symptom>,
}

/// One examined subject, with its state.
#[derive(Clone, Debug)]
pub(super) struct Symptom {
    pub(super) name: &'static str,
    pub(super) state: SymptomState,
    pub(super) summary: String,
    pub(super) details: Vec<String>,
    pub(super) next: Vec<String>,
    bearing: Bearing,
}

/// The consequence of a symptom whose state is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bearing {
    /// It is unknown whether a check would be complete.
    OnCompleteness,
    /// There is none.
    None,
}

/// The state of a symptom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SymptomState {
    /// The cluster cannot be reached.
    Failed,
    /// It is as it should be.
    Fine,
    /// A check would be incomplete.
    Incomplete,
    /// It could not be determined.
    Unknown,
    /// It is worth knowing, and does not affect a check.
    Warned,
}

impl SymptomState {
    fn as_str(self) -> &'static str {
        match self {
            SymptomState::Failed => "failed",
            SymptomState::Fine => "ok",
            SymptomState::Incomplete => "incomplete",
            SymptomState::Unknown => "unknown",
            SymptomState::Warned => "warning",
        }
    }

    fn mark(self) -> &'static str {
        match self {
            SymptomState::Failed | SymptomState::Incomplete => "✗",
            SymptomState::Fine => "✓",
            SymptomState::Unknown => "?",
            SymptomState::Warned => "!",
        }
    }
}

impl Symptom {
    pub(super) fn new(name: &'static str, state: SymptomState, summary: impl Into<String>) -> Self {
        Symptom { name, state, summary: summary.into(), details: Vec::new(), next: Vec::new(), bearing: Bearing::None }
    }

    /// Whether the symptom leaves it unknown whether a check would be complete, which is no yes.
    pub(super) fn leaves_rights_unknown(&self) -> bool {
        self.bearing == Bearing::OnCompleteness && self.state == SymptomState::Unknown
    }

    /// Marks the symptom as one that a complete check depends on.
    pub(super) fn on_completeness(mut self) -> Self {
        self.bearing = Bearing::OnCompleteness;
        self
    }

    /// Adds the next step for the user.
    pub(super) fn next(mut self, step: impl Into<String>) -> Self {
        self.next.push(step.into());
        self
    }
}

impl Diagnosis {
    pub(super) fn table(&self, width: Option<usize>, name: &str) -> String {
        let mut text = String::new();
        let user = if self.user.is_empty() { String::new() } else { format!(" as {}", self.user) };
        let place =
            if self.context.is_empty() { self.server.clone() } else { format!("{} · {}", self.context, self.server) };
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{place}{user}\n");
        for check in &self.checks {
            let mut grid = Grid::plain();
            grid.row([check.state.mark().to_owned(), format!("{:<10}", check.name), check.summary.clone()]);
            text += &grid.lines(" ", width);
            let shown = check.details.iter().take(MAX_DETAILS);
            text.extend(shown.map(|detail| format!("       {detail}\n")));
            if check.details.len() > MAX_DETAILS {
                let _infallible = writeln!(text, "       and {} more: -o json", check.details.len() - MAX_DETAILS);
            }
        }
        let steps: Vec<&String> = self.checks.iter().flat_map(|check| &check.next).collect();
        let check = format!("{name} support-check");
        if steps.is_empty() {
            let _infallible = writeln!(text, "\nnext: {check}");
        } else {
            let _infallible = writeln!(text, "\nnext:");
            // A symptom that is only worth knowing does not affect the check.
            let last = (self.exit_code() == 0).then_some(&check);
            text.extend(steps.into_iter().chain(last).map(|step| format!("  {step}\n")));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|check| {
                json!({"name": check.name, "state": check.state.as_str(), "summary": check.summary,
                       "details": check.details, "next": check.next})
            })
            .collect();
        json!({"apiVersion": API_VERSION, "kind": "Diagnosis", "context": self.context, "server": self.server,
               "user": self.user, "exitCode": self.exit_code(), "checks": checks})
    }
}

const MAX_DETAILS: usize = 12;
