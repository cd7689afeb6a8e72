//! Lines, broken where the terminal ends.

use std::fmt::{self, Write as _};

use super::Screen;
use crate::screen::grid::{columns, wrap};

impl Screen<'_> {
    /// A text on the left and one that ends at the right edge, or where the mock terminal of 110 columns would.
    pub(super) fn spread(&mut self, left: &str, right: &str) -> fmt::Result {
        let width = self.look.width.unwrap_or(WIDTH).min(WIDTH);
        let used = columns(left) + columns(right);
        if used + 2 > width {
            return writeln!(self.out, "{left}\n    {right}");
        }
        writeln!(self.out, "{left}{}{right}", " ".repeat(width - used))
    }

    pub(super) fn labelled(&mut self, label: &str, text: &str) -> fmt::Result {
        for (number, line) in wrap(text, self.room(13)).iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            writeln!(self.out, "  {label:<9}  {line}")?;
        }
        Ok(())
    }

    pub(super) fn tagged(&mut self, tag: &str, text: &str) -> fmt::Result {
        // Commands are to be copied, so they are not broken.
        if tag == "fix" || tag == "more" {
            return writeln!(self.out, "    {tag:<4}  {text}");
        }
        for (number, line) in wrap(text, self.room(10)).iter().enumerate() {
            let tag = if number == 0 { tag } else { "" };
            writeln!(self.out, "    {tag:<4}  {line}")?;
        }
        Ok(())
    }

    pub(super) fn wrapped_line(&mut self, label: &str, text: &str) -> fmt::Result {
        for (number, line) in wrap(text, self.room(10)).iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            writeln!(self.out, " {label:<8} {line}")?;
        }
        Ok(())
    }

    pub(super) fn flush_left(&mut self, text: &str) -> fmt::Result {
        for (number, line) in wrap(text, self.room(3)).iter().enumerate() {
            let lead = if number == 0 { " " } else { "   " };
            writeln!(self.out, "{lead}{line}")?;
        }
        Ok(())
    }

    /// Columns left behind an indent; piped text is not broken by any terminal.
    pub(super) fn room(&self, indent: usize) -> Option<usize> {
        self.look.width.map(|width| width.saturating_sub(indent).max(40))
    }
}

/// Where right-hand texts end when there is no terminal to ask, and at most.
const WIDTH: usize = 110;
