//! The screen that is being written, and the shapes of its lines.

use std::fmt::{self, Write as _};

use aksarc_shared::verdict::report::v1::ReportV1;

use crate::screen::grid::columns;
use crate::screen::report::view::View;
use crate::screen::sheet::Sheet;

pub(super) struct Screen<'a> {
    pub(super) out: Sheet,
    pub(super) report: &'a ReportV1,
    pub(super) view: &'a View,
}

impl<'a> Screen<'a> {
    pub(super) fn new(report: &'a ReportV1, view: &'a View) -> Self {
        Screen { out: Sheet::new(view.look.width), report, view }
    }

    /// A text on the left and one that ends at the right edge, or where the mock terminal of 110 columns would.
    pub(super) fn spread(&mut self, left: &str, right: &str) -> fmt::Result {
        let width = self.out.width().unwrap_or(WIDTH).min(WIDTH);
        let used = columns(left) + columns(right);
        if used + 2 > width {
            return writeln!(self.out, "{left}\n    {right}");
        }
        writeln!(self.out, "{left}{}{right}", " ".repeat(width - used))
    }

    pub(super) fn labelled(&mut self, label: &str, text: &str) {
        self.out.fold_below(&format!("  {label:<9}  "), text);
    }

    pub(super) fn tagged(&mut self, tag: &str, text: &str) {
        let lead = format!("    {tag:<4}  ");
        match tag {
            // Commands are to be copied, so they are not broken.
            "fix" | "more" => self.out.line(&format!("{lead}{text}")),
            _ => self.out.fold_below(&lead, text),
        }
    }

    pub(super) fn wrapped_line(&mut self, label: &str, text: &str) {
        self.out.fold_below(&format!(" {label:<8} "), text);
    }

    pub(super) fn flush_left(&mut self, text: &str) {
        self.out.fold(" ", "   ", text);
    }
}

/// Where right-hand texts end when there is no terminal to ask, and at most.
const WIDTH: usize = 110;
