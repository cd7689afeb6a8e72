//! Columns in the style of kubectl: as wide as the widest cell, three spaces apart, the last one unlimited.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

/// Rows of cells.
#[derive(Debug)]
pub struct Grid {
    rows: Vec<Vec<String>>,
    /// The widest column. A longer cell shifts the rest of its own row only.
    widest: usize,
    /// The spaces between columns.
    gap: usize,
}

/// Whether columns have headings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Headings {
    /// As a first row.
    #[default]
    Shown,
    /// Left out, for programs that read lines.
    Hidden,
}

impl Headings {
    /// Of the flag `--no-headers`.
    pub(crate) fn unless(no_headers: bool) -> Self {
        if no_headers { Headings::Hidden } else { Headings::Shown }
    }
}

impl Grid {
    /// A grid with a first row of headings, where they are shown.
    pub(crate) fn under(headings: Headings, names: &[&str]) -> Self {
        match headings {
            Headings::Shown => Grid::new(names),
            Headings::Hidden => Grid::plain(),
        }
    }

    /// A grid with a first row of headings.
    pub fn new(headings: &[&str]) -> Self {
        Grid { rows: vec![headings.iter().map(|cell| (*cell).to_owned()).collect()], ..Grid::plain() }
    }

    /// A grid without headings.
    pub fn plain() -> Self {
        Grid { rows: Vec::new(), widest: usize::MAX, gap: GAP }
    }

    /// A grid without headings whose columns stand close, so that the last one has room on a narrow terminal.
    pub(super) fn narrow() -> Self {
        Grid { gap: 2, ..Grid::plain() }
    }

    /// A grid without headings, and without columns wider than `widest`.
    pub(super) fn capped(widest: usize) -> Self {
        Grid { widest, ..Grid::plain() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The rows as lines, each behind `indent`. The last cell is broken to fit `width`, where one is given.
    pub fn lines(&self, indent: &str, width: Option<usize>) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate() {
                let own = columns(cell).min(self.widest);
                match widths.get_mut(column) {
                    Some(width) => *width = own.max(*width),
                    None => widths.push(own),
                }
            }
        }
        let mut out = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            for (column, cell) in row.iter().enumerate() {
                if column + 1 == row.len() {
                    last(&mut line, cell, columns(indent), width);
                } else {
                    line.push_str(cell);
                    let missing = widths.get(column).copied().unwrap_or(0).saturating_sub(columns(cell));
                    line.extend(std::iter::repeat_n(' ', missing + self.gap));
                }
            }
            // Writing to a String cannot fail.
            let _infallible = writeln!(out, "{}", line.trim_end());
        }
        out
    }
}

/// Writes the last cell, which has the text. If it does not fit, it continues below itself, or below the whole row.
fn last(line: &mut String, cell: &str, indent: usize, width: Option<usize>) {
    let before = columns(line);
    let Some(width) = width.filter(|width| before + columns(cell) > *width) else {
        line.push_str(cell);
        return;
    };
    let beside = width.saturating_sub(before);
    let (indent, below) = if beside >= NARROW.min(columns(cell)) { (before, false) } else { (indent + 4, true) };
    for (number, part) in wrap(cell, Some(width.saturating_sub(indent).max(NARROW))).iter().enumerate() {
        if number > 0 || below {
            line.truncate(line.trim_end().len());
            line.push('\n');
            line.extend(std::iter::repeat_n(' ', indent));
        }
        line.push_str(part);
    }
}

/// The columns that a text takes on a terminal, without its colours.
pub(super) fn columns(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().width()
}

/// Breaks text at spaces. Longer words stay whole: they are names to copy.
pub(super) fn wrap(text: &str, room: Option<usize>) -> Vec<String> {
    let Some(room) = room else { return vec![text.to_owned()] };
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && columns(&line) + 1 + columns(word) > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

const GAP: usize = 3;

/// The narrowest column in which text is easy to read.
const NARROW: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut grid = Grid::new(&["A", "LONG"]);
        grid.row(["one".to_owned(), "x".to_owned()]);
        insta::assert_snapshot!(grid.lines("", None), @r"
        A     LONG
        one   x
        ");
    }

    #[test]
    fn wide_characters_take_two_columns_and_combining_ones_none() {
        assert_eq!(["a", "節", "e\u{301}", "\u{1b}[1mb\u{1b}[0m"].map(columns), [1, 2, 1, 1]);
        let mut grid = Grid::plain();
        grid.row(["節点".to_owned(), "x".to_owned()]);
        grid.row(["node".to_owned(), "y".to_owned()]);
        assert_eq!(grid.lines("", None), "節点   x\nnode   y\n");
    }

    #[test]
    fn nothing_is_lost_where_it_is_narrow() {
        let mut grid = Grid::plain();
        grid.row(["one".to_owned(), "some words that take more than a line".to_owned()]);
        assert_eq!(grid.lines(" ", Some(34)), " one   some words that take more\n       than a line\n");
        assert_eq!(grid.lines(" ", Some(29)), " one\n     some words that take\n     more than a line\n");
    }

    #[test]
    fn text_breaks_at_spaces_and_long_names_stay_whole() {
        assert_eq!(wrap("one two three", Some(7)), ["one two", "three"]);
        assert_eq!(wrap("a-very-long-name b", Some(5)), ["a-very-long-name", "b"]);
        assert_eq!(wrap("one two", None), ["one two"]);
    }
}
