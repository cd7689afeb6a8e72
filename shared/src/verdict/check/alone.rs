//! The findings of a single object without its cluster, for a dry run, which compares them before and after a change.

use jiff::Timestamp;

use super::plan::covers;
use crate::data::embedded;
use crate::facts::notes::Notes;
use crate::finding::Finding;
use crate::k8s::fit;
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;
use crate::people::waiver;
use crate::rules::rule::Rule;
use crate::rules::{catalogue, derive};
use crate::verdict::guard::Settings;
use crate::verdict::weigh::{lightest, merge};

/// The findings that an object shows on its own, with the waivers of the settings applied. `None` where it cannot be
/// judged. Drafts that depend on the rest of the cluster are left out.
pub fn alone(
    object: &Object<'_>,
    kind: &'static Kind,
    namespace: &str,
    settings: &Settings,
    now: Timestamp,
) -> Option<Vec<Finding>> {
    fit::check(object, kind, "", None).ok()?;
    let data = embedded();
    let looks = |rule: &Rule| rule.reads.iter().any(|read| read.kind == kind && covers(read, namespace, data));
    let (platforms, seen) = (settings.platforms(), derive::seen(object, kind, data));
    let mut findings = Vec::new();
    for rule in catalogue::ALL.iter().filter(|rule| looks(rule)) {
        let Some(each) = rule.state().per_object else { continue };
        let mut notes = Notes::default();
        each(&seen, &mut notes);
        findings.extend(merge(rule, lightest(rule, &platforms), notes.drafts));
    }
    // A rule may have taken parts that it was not shown as missing.
    if object.unread().is_some() {
        return None;
    }
    waiver::apply(&mut findings, &settings.waivers, now);
    Some(findings)
}
