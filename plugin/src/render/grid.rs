//! Columns in kubectl's manner: as wide as their widest cell, three spaces apart, the last one free.

use std::fmt::Write as _;

/// Rows of cells.
#[derive(Debug, Default)]
pub struct Grid {
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// With a first row of headings.
    pub fn new(headings: &[&str]) -> Self {
        Grid { rows: vec![headings.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    /// Without headings.
    pub fn plain() -> Self {
        Grid::default()
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The rows as lines, each behind `indent`, cut to `width` where one is given.
    pub fn lines(&self, indent: &str, width: Option<usize>) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate() {
                let own = columns(cell);
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
                line.push_str(cell);
                if column + 1 < row.len() {
                    let missing = widths.get(column).copied().unwrap_or(0).saturating_sub(columns(cell));
                    line.extend(std::iter::repeat_n(' ', missing + GAP));
                }
            }
            let line = line.trim_end();
            // Writing to a String cannot fail.
            let _infallible = writeln!(out, "{}", width.map_or_else(|| line.to_owned(), |width| cut(line, width)));
        }
        out
    }
}

/// How many columns text takes on a terminal, colours not counted. Wide characters are rare in names and count as one.
pub(super) fn columns(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().count()
}

/// Plain text cut to a width; text with colours is left alone, since cutting could leave a colour on.
fn cut(line: &str, width: usize) -> String {
    if line.contains('\x1b') || columns(line) <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

const GAP: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_at_the_width() {
        let mut grid = Grid::new(&["A", "LONG"]);
        grid.row(["one".to_owned(), "x".to_owned()]);
        insta::assert_snapshot!(grid.lines("", None), @r"
        A     LONG
        one   x
        ");
        assert_eq!(grid.lines("", Some(7)), "A…\none   x\n");
    }
}
