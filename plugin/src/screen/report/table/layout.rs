//! The screen that is being written, and the shapes of its lines.

use aksarc_shared::verdict::report::v1::ReportV1;

use crate::screen::report::sources::Sources;
use crate::screen::report::view::View;
use crate::screen::sheet::Sheet;

pub(super) struct Screen<'a> {
    pub(super) out: Sheet,
    pub(super) report: &'a ReportV1,
    pub(super) view: &'a View,
    /// The sources that were named so far.
    pub(super) cited: Sources,
    /// Whether the last block of the foot was a single text, so that another stands right below it.
    beside: bool,
}

impl<'a> Screen<'a> {
    pub(super) fn new(report: &'a ReportV1, view: &'a View) -> Self {
        Screen { out: Sheet::new(view.look.width), report, view, cited: Sources::default(), beside: false }
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.out.line("");
    }

    /// A fact of the head.
    pub(super) fn fact(&mut self, label: &str, text: &str) {
        self.out.fold_below(&format!("   {label:<9}  "), text);
    }

    /// A line below a finding.
    pub(super) fn tagged(&mut self, tag: &str, text: &str) {
        self.out.fold_below(&format!("    {tag:<4}  "), text);
    }

    /// A block of the foot: a single text beside its label, several below it.
    pub(super) fn block(&mut self, label: &str, entries: &[String]) {
        match entries {
            [] => {}
            [one] => {
                if !self.beside {
                    self.gap();
                }
                self.beside = true;
                self.out.fold_below(&format!(" {label:<LABEL$}  "), one);
            }
            several => {
                self.gap();
                self.beside = false;
                self.out.line(&format!(" {label}"));
                for entry in several {
                    self.out.fold("   ", "     ", entry);
                }
            }
        }
    }
}

/// The widest label of the foot: `not observable`.
const LABEL: usize = 14;
