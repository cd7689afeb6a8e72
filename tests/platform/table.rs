//! The table as a document.

use std::fmt::Write;

/// A section of the document.
pub(crate) struct Section {
    pub(crate) title: String,
    /// What is said above the table.
    pub(crate) lead: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// A line of the table.
pub(crate) struct Line {
    pub(crate) what: String,
    /// The identity, or the program that ran.
    pub(crate) who: String,
    pub(crate) how: How,
    pub(crate) guard: String,
    pub(crate) source: String,
}

/// The way in which requests came about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The real program ran.
    Ran,
    /// Recorded requests were replayed, as many.
    Replayed(usize),
}

/// How the guard came to know of replayed requests.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// It was asked about them.
    pub(crate) asked: usize,
    /// Its match conditions kept them away.
    pub(crate) kept_away: usize,
    /// Its webhooks are not registered for them.
    pub(crate) outside: usize,
}

impl Seen {
    pub(crate) fn total(self) -> usize {
        self.asked + self.kept_away + self.outside
    }

    pub(crate) fn words(self) -> String {
        let parts = [
            (self.asked, "asked"),
            (self.kept_away, "kept away by match conditions"),
            (self.outside, "outside its rules"),
        ];
        let said: Vec<String> =
            parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        said.join(", ")
    }
}

/// The document of these sections.
pub(crate) fn document(sections: &[Section]) -> String {
    let mut out = HEAD.to_owned();
    for section in sections {
        let _ = write!(out, "\n## {}\n", section.title);
        if !section.lead.is_empty() {
            let _ = writeln!(out, "{}", section.lead);
        }
        out.push_str("\n| What happens | By | Ran or replayed | The guard | Source |\n|---|---|---|---|---|\n");
        for line in &section.lines {
            let how = match line.how {
                How::Ran => "ran".to_owned(),
                How::Replayed(1) => "replayed, 1 request".to_owned(),
                How::Replayed(count) => format!("replayed, {count} requests"),
            };
            let cells = [&line.what, &line.who, &how, &line.guard, &line.source].map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
    }
    out
}

const HEAD: &str = "\
# The platform under `enforce`

Written by `tests/e2e_platform.rs`, which compares it; a run that finds another table says where it left that.

The guard enforces on Azure Local, denies changes by identities that it cannot tell apart (`actors.ambiguous: deny`), and stands behind the
shipped webhook configuration and the shipped policies, in front of a real API server. Every row has its requests granted, without a denial or
a warning of the guard's, unless it says otherwise. \"Ran\" is the real program. \"Replayed\" are requests after the source, by that identity,
with that program's user agent and field manager.

The guard was asked about a request, or its match conditions kept the request away, or its webhooks are not registered for it. Reviews are
counted by the guard; rules and selectors are read from the API server, so that a request that they match and that caused no review was kept
away. Where programs ran, the API server's own count of requests kept away rose, and no review came.
";
