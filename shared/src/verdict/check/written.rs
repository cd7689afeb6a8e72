//! Objects without managedFields, which would show their writers: kubectl leaves them out unless asked, and anybody who
//! may write an object can clear them.
//!
//! A rule rests on managedFields where it asks for them, and a few rules do so for every object. If no object of a list
//! has them, they were not recorded, and the rule's findings in it are unknown. If a single object lacks them, they
//! were cleared.

use std::collections::BTreeMap;

use crate::data::Platform;
use crate::finding::{Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;
use crate::rules::rule::Rule;

/// The presence of managedFields in one list.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Whether any object has them.
    recorded: bool,
    /// The number of objects without the managedFields that a rule asked for.
    objects: usize,
    /// The number of such objects for each rule, by its code.
    missed: BTreeMap<Code, usize>,
    /// Drafts on such objects, for the case that other objects of the list have managedFields.
    cleared: Vec<(Code, Draft)>,
}

impl Written {
    /// Adds an object, the rules it was shown to, and those of them that asked for its managedFields, in the order of
    /// their codes.
    pub(super) fn see(
        &mut self,
        object: &Object<'_>,
        kind: &'static Kind,
        shown: &[&'static Rule],
        asked: &[&'static Rule],
    ) {
        if object.has_managed() {
            self.recorded = true;
            return;
        }
        if is_bare(object) {
            return;
        }
        let silent = |rule: &&&Rule| RESTING.contains(&rule.code) && !asked.iter().any(|own| own.code == rule.code);
        let resting: Vec<_> = shown.iter().filter(silent).collect();
        if asked.is_empty() && resting.is_empty() {
            return;
        }
        self.objects += 1;
        for rule in asked.iter().chain(resting) {
            *self.missed.entry(rule.code).or_default() += 1;
        }
        // An object is mentioned once, by the first rule for which it matters most.
        let voids = |rule: &&&Rule| rule.heaviest(&Platform::ALL) == Consequence::Voids;
        if let Some(rule) = asked.iter().find(voids).filter(|_| self.cleared.len() < MAX_CLEARED) {
            self.cleared.push((rule.code, cleared(object, kind)));
        }
    }

    /// The drafts on single objects, or the note that the whole list lacks managedFields.
    pub(super) fn end(self) -> (Vec<(Code, Draft)>, Option<Unwritten>) {
        if self.recorded {
            return (self.cleared, None);
        }
        let unwritten = Unwritten { objects: self.objects, missed: self.missed };
        (Vec::new(), Some(unwritten).filter(|unwritten| unwritten.objects > 0))
    }
}

/// A list that was recorded without managedFields.
#[derive(Debug)]
pub(crate) struct Unwritten {
    pub(super) objects: usize,
    pub(super) missed: BTreeMap<Code, usize>,
}

/// Whether an object has no content that anybody could own, so that it never had managedFields. Most service accounts
/// are like that.
fn is_bare(object: &Object<'_>) -> bool {
    let meta = &object.meta;
    let empty = meta.labels.iter().next().is_none() && meta.annotations.iter().next().is_none();
    empty
        && meta.finalizers.iter().flatten().next().is_none()
        && object.owners().is_empty()
        && object.content().next().is_none()
}

fn cleared(object: &Object<'_>, kind: &'static Kind) -> Draft {
    Draft::at(ObjectRef::of(object, kind), "metadata.managedFields")
        .lighter(Consequence::Info)
        .says("its managedFields were cleared, so they do not tell who wrote it")
        .with(Evidence::seen(
            "managedFields",
            "none, while others of its kind have some; one that began as a name alone has none either",
        ))
}

/// Rules that compare names before they ask for the owner of an object. For an add-on with the name of a platform
/// component only its writer shows that it is somebody's own.
const RESTING: [Code; 1] = [Code::new("AA303")];

/// The most objects that are named. In a list of thousands the first few suffice.
const MAX_CLEARED: usize = 20;
