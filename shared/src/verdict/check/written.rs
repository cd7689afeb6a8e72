//! Objects that come without managedFields, in which who wrote what would stand: kubectl leaves them out unless asked, and
//! somebody who may write an object can clear them.
//!
//! A rule rests on them where it asks for them, and a few do for every object they are shown. In a list none of whose objects has them they were not recorded, so what
//! the rule would have seen is not known. One object without them among others was cleared of them.

use std::collections::BTreeMap;

use crate::data::Platform;
use crate::finding::{Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;
use crate::rules::rule::Rule;

/// What one list shows of managedFields.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Whether some object of it has them.
    recorded: bool,
    /// How many objects lack them that some rule asked for.
    objects: usize,
    /// Of how many each rule asked, by its code.
    missed: BTreeMap<Code, usize>,
    /// What is to be said of such objects if others of the list have them.
    cleared: Vec<(Code, Draft)>,
}

impl Written {
    /// Takes in an object, the rules it was shown to, and those of them that asked for its managedFields, in the order of
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
        // One object is spoken of once, by the first rule for which it matters most.
        let voids = |rule: &&&Rule| rule.heaviest(&Platform::ALL) == Consequence::Voids;
        if let Some(rule) = asked.iter().find(voids).filter(|_| self.cleared.len() < MAX_CLEARED) {
            self.cleared.push((rule.code, cleared(object, kind)));
        }
    }

    /// What is to be said of this list: of single objects, or of all of them.
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

/// Whether nothing of an object can be anybody's: such a one never had managedFields. Most service accounts are like that.
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

/// Rules that go by a name before they ask whose an object is: of an add-on that has the name of a component of the platform's
/// only the hand that made it tells that it is somebody's own.
const RESTING: [Code; 1] = [Code::new("AA303")];

/// Objects that are named: in a list of thousands the first few tell.
const MAX_CLEARED: usize = 20;
