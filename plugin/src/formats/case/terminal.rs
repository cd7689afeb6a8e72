//! The case page for a terminal.

use aksarc_shared::text;

use super::{Case, CaseChange, CaseItem};
use crate::screen::sheet::Sheet;
use crate::screen::style::{Look, Paint};

impl Case {
    /// The page for a terminal, folded at its width.
    pub fn for_terminal(&self, look: Look) -> String {
        let mut sheet = Sheet::new(look.width);
        sheet.fold(" ", " ", &Paint::bold(text::clean(&self.title)));
        for part in &self.parts {
            sheet.line("");
            sheet.line(&format!(" {}", Paint::bold(part.heading)));
            for item in &part.items {
                item_of(&mut sheet, item);
            }
        }
        look.fit(sheet.into_text())
    }
}

fn item_of(sheet: &mut Sheet, item: &CaseItem) {
    match item {
        CaseItem::Fact { label, value } => sheet.fold_below(&labelled(label), &text::clean(value)),
        CaseItem::NotKnown { label, ask, command } => {
            let ask = ask.trim_end_matches('.');
            match command {
                None => sheet.fold_below(&labelled(label), &format!("not known. {ask}")),
                Some(command) => {
                    sheet.fold_below(&labelled(label), &format!("not known. {ask}:"));
                    sheet.line(&format!("     {command}"));
                }
            }
        }
        CaseItem::Remark(words) => sheet.fold("   ", "     ", &text::clean(words)),
        CaseItem::Command { purpose, line } => {
            sheet.fold("   ", "     ", &format!("{purpose}:"));
            // A command is pasted, so it stays on one line.
            sheet.line(&format!("     {line}"));
        }
        CaseItem::Change(change) => change_of(sheet, change),
    }
}

fn change_of(sheet: &mut Sheet, change: &CaseChange) {
    let at = if change.at.is_empty() { "time not known" } else { &*change.at };
    let by = if change.by.is_empty() { "somebody not known" } else { &*change.by };
    let value = |value: &Option<String>, none: &str| match value {
        Some(value) if value.is_empty() => "\"\"".to_owned(),
        Some(value) => text::line(value, MAX_VALUE),
        None => none.to_owned(),
    };
    sheet.fold("   ", "     ", &text::clean(&format!("{at}, by {by}")));
    sheet.fold("     ", "       ", &text::clean(format!("{} {}", change.object, change.field).trim_end()));
    let before = value(&change.before, CaseChange::NO_BEFORE);
    let after = value(&change.after, change.no_after());
    sheet.fold("     ", "       ", &format!("before: {before}; now: {after}"));
    sheet.fold("     ", "       ", &text::clean(&change.now));
    sheet.fold("     ", "       ", &Paint::dim(text::clean(&change.rule)));
}

fn labelled(label: &str) -> String {
    format!("   {label:<LABEL$}  ")
}

/// The width of the widest label that is usual.
const LABEL: usize = 19;

/// The longest value that is shown.
const MAX_VALUE: usize = 200;
