//! The evidence of a finding: the writers with their times, and other facts.

use aksarc_shared::verdict::report::v1::EvidenceV1;

use super::markup::Markup;
use crate::formats::words::moment;

/// Appends a piece of evidence as an item of a list. The times of several objects come as the first and the last.
pub(super) fn item(page: &mut Markup, evidence: &EvidenceV1, times: Option<(&str, &str)>) {
    page.own("<li>");
    if !evidence.manager.is_empty() {
        page.fill("by <b class=\"who\">{}</b>", [&evidence.manager]);
        if !evidence.operation.is_empty() {
            page.fill(" ({})", [&evidence.operation]);
        }
        page.own(" ");
    }
    match times {
        Some((first, last)) if first != last => {
            page.fill("<span class=\"at\">from {} to {}</span> ", [&moment(first), &moment(last)]);
        }
        Some((at, _)) if !at.is_empty() => {
            page.fill("<span class=\"at\">{}</span> ", [&moment(at)]);
        }
        _ => {}
    }
    if !evidence.detail.is_empty() {
        page.fill("<span class=\"detail\">{}</span> ", [&evidence.detail]);
    }
    page.fill("<span class=\"kind\">{}</span></li>", [&evidence.what]);
}
