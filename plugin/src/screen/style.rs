//! Colours and symbols.

use std::fmt::Display;

use aksarc_shared::verdict::report::v1::{ConsequenceV1, VerdictV1};
use anstyle::{AnsiColor, Style};

use super::grid::Headings;

/// The abilities of the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Only ASCII is printed.
    pub ascii: bool,
    /// The columns of the terminal; `None` without one, so that lines are not folded.
    pub width: Option<usize>,
    /// Whether lists have headings.
    pub headings: Headings,
    /// Whether words can lead to an address.
    pub links: bool,
}

impl Look {
    /// The text with characters replaced that the terminal cannot show.
    pub fn fit(self, text: String) -> String {
        if self.ascii { to_ascii(&text) } else { text }
    }
}

/// Styles for text. The writer removes colours where they are not wanted.
pub struct Paint;

impl Paint {
    /// Emphasised text.
    pub fn bold(text: impl Display) -> String {
        paint(Style::new().bold(), text)
    }

    /// Text of less importance.
    pub fn dim(text: impl Display) -> String {
        paint(Style::new().dimmed(), text)
    }

    /// Text about something good.
    pub fn good(text: impl Display) -> String {
        paint(AnsiColor::Green.on_default(), text)
    }

    /// Text that deserves a look.
    pub fn warn(text: impl Display) -> String {
        paint(AnsiColor::Yellow.on_default(), text)
    }

    /// Text about something refused, lost or outside the policy.
    pub fn bad(text: impl Display) -> String {
        paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// Text that leads to an address, on a terminal that has links. Addresses in a report may hold anything, so only
    /// plain web addresses become links.
    pub fn link(text: impl Display, url: &str) -> String {
        if url.starts_with("https://") && url.chars().all(|c| c.is_ascii_graphic()) {
            format!("\u{1b}]8;;{url}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\")
        } else {
            text.to_string()
        }
    }

    /// Text in the colour of a consequence.
    pub fn consequence(consequence: ConsequenceV1, text: impl Display) -> String {
        let color = match consequence {
            ConsequenceV1::Voids => AnsiColor::Red,
            ConsequenceV1::AtRisk => AnsiColor::Yellow,
            ConsequenceV1::NotCovered => AnsiColor::Magenta,
            ConsequenceV1::Info => AnsiColor::Cyan,
        };
        paint(color.on_default().bold(), text)
    }

    /// Text in the colour of a verdict.
    pub fn verdict(verdict: VerdictV1, text: impl Display) -> String {
        paint(verdict_color(verdict).on_default().bold(), text)
    }
}

/// The sign of a verdict.
pub(super) fn sign(verdict: VerdictV1) -> &'static str {
    match verdict {
        VerdictV1::Inconclusive => "?",
        VerdictV1::Outside => "✗",
        VerdictV1::Within => "✓",
    }
}

/// The sign of a finding.
pub(super) fn mark(consequence: ConsequenceV1) -> &'static str {
    match consequence {
        ConsequenceV1::Voids => "✗",
        ConsequenceV1::AtRisk => "!",
        ConsequenceV1::NotCovered => "~",
        ConsequenceV1::Info => "i",
    }
}

/// A consequence as a heading.
pub(super) fn heading(consequence: ConsequenceV1) -> &'static str {
    match consequence {
        ConsequenceV1::Voids => "VOIDS SUPPORT",
        ConsequenceV1::AtRisk => "AT RISK",
        ConsequenceV1::NotCovered => "NOT COVERED",
        ConsequenceV1::Info => "INFO",
    }
}

/// The text in ASCII: characters with a counterpart are replaced by it, all others are escaped.
fn to_ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '✗' => out.push('x'),
            '✓' => out.push('+'),
            '→' => out.push_str("->"),
            '·' | '–' | '—' | '─' => out.push('-'),
            '…' => out.push_str("..."),
            '“' | '”' => out.push('"'),
            '‘' | '’' => out.push('\''),
            '≤' => out.push_str("<="),
            '≥' => out.push_str(">="),
            '\u{a0}' => out.push(' '),
            c if c.is_ascii() => out.push(c),
            c => out.extend(c.escape_unicode()),
        }
    }
    out
}

fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

fn verdict_color(verdict: VerdictV1) -> AnsiColor {
    match verdict {
        VerdictV1::Inconclusive => AnsiColor::Yellow,
        VerdictV1::Outside => AnsiColor::Red,
        VerdictV1::Within => AnsiColor::Green,
    }
}
