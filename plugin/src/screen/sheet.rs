//! A text for people, written line by line and folded at the terminal's width.

use std::fmt;

use super::grid::{Grid, columns, wrap};

/// A text that grows line by line.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    text: String,
    width: Option<usize>,
}

impl Sheet {
    /// An empty text for a terminal of `width` columns. Without a width nothing is folded, since piped text has no
    /// edge.
    pub(crate) fn new(width: Option<usize>) -> Self {
        Sheet { text: String::new(), width }
    }

    /// Writes one line, of any length.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Writes a text behind `first`. If it does not fit, it continues behind `rest`.
    pub(crate) fn fold(&mut self, first: &str, rest: &str, text: &str) {
        for (number, line) in wrap(text, self.room(columns(rest))).iter().enumerate() {
            let lead = if number == 0 { first } else { rest };
            self.line(format!("{lead}{line}").trim_end());
        }
    }

    /// Writes a text behind `lead`. If it does not fit, it continues below its own beginning.
    pub(crate) fn fold_below(&mut self, lead: &str, text: &str) {
        self.fold(lead, &" ".repeat(columns(lead)), text);
    }

    /// Writes the rows of a grid, each behind `indent`.
    pub(crate) fn grid(&mut self, indent: &str, grid: &Grid) {
        self.text.push_str(&grid.lines(indent, self.width));
    }

    /// The columns left behind an indent; `None` where nothing is folded.
    pub(crate) fn room(&self, indent: usize) -> Option<usize> {
        self.width.map(|width| width.saturating_sub(indent).max(NARROW))
    }

    /// The columns of the terminal.
    pub(crate) fn width(&self) -> Option<usize> {
        self.width
    }

    /// The whole text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

impl fmt::Write for Sheet {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.push_str(text);
        Ok(())
    }
}

/// The narrowest column in which text is easy to read.
const NARROW: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_on_below_its_beginning() {
        let mut sheet = Sheet::new(Some(44));
        sheet.fold_below("note: ", "one two three four five six seven eight nine");
        assert_eq!(sheet.into_text(), "note: one two three four five six seven eight\n      nine\n");
        let mut piped = Sheet::new(None);
        piped.fold(" ", "   ", "one two three four five six seven eight nine");
        assert_eq!(piped.into_text(), " one two three four five six seven eight nine\n");
    }
}
