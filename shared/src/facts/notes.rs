//! Notes that rules take on single objects and use once the whole cluster is read, each in types of the rule's own.

use std::any::{Any, TypeId};
use std::collections::BTreeSet;
use std::fmt::Debug;

use crate::finding::Draft;

/// The findings of one rule in single objects, and its notes for the time when all objects are read.
#[derive(Debug, Default)]
pub struct Notes {
    /// Findings that a single object proves.
    pub drafts: Vec<Draft>,
    /// Remarks, and drafts that only the whole cluster can confirm.
    pub(crate) kept: NotesByType,
}

impl Notes {
    /// Keeps a remark for `per_cluster`, which asks for it by its type. Equal remarks are kept once, so repetition
    /// takes no memory.
    pub fn remark<R: Remark>(&mut self, remark: R) {
        self.kept.bag::<BTreeSet<R>>().insert(remark);
    }

    /// Keeps a draft that only `per_cluster` can confirm. `depends_on` is the value that decides it.
    pub fn undecided<D: Dependence>(&mut self, draft: Draft, depends_on: D) {
        self.kept.bag::<Vec<Undecided<D>>>().push(Undecided { draft, depends_on });
    }

    /// Adds the notes on another object.
    pub(crate) fn merge(&mut self, other: Notes) {
        self.drafts.extend(other.drafts);
        self.kept.merge(other.kept);
    }
}

/// A draft that is a finding only if the rest of the cluster confirms it.
#[derive(Clone, Debug)]
pub struct Undecided<D> {
    /// The finding it would be.
    pub draft: Draft,
    /// The value that decides it: a pool, a release, a time.
    pub depends_on: D,
}

/// A remark of a rule on objects, in a type of the rule's own.
pub trait Remark: Any + Debug + Ord + Send + Sync {}

impl<R: Any + Debug + Ord + Send + Sync> Remark for R {}

/// A value that decides a draft, in a type of the rule's own.
pub trait Dependence: Any + Debug + Send + Sync {}

impl<D: Any + Debug + Send + Sync> Dependence for D {}

/// All notes of one rule, by type. A list: a rule has a few types at most, and for most objects it notes nothing.
#[derive(Debug, Default)]
pub(crate) struct NotesByType(Vec<Box<dyn Bag>>);

impl NotesByType {
    /// The remarks of a type, sorted.
    pub(crate) fn remarks<R: Remark>(&self) -> impl Iterator<Item = &R> {
        self.find::<BTreeSet<R>>().into_iter().flatten()
    }

    /// The drafts that depend on values of a type, in the order in which they were added.
    pub(crate) fn undecided<D: Dependence>(&self) -> &[Undecided<D>] {
        self.find::<Vec<Undecided<D>>>().map_or(&[], Vec::as_slice)
    }

    /// Adds the notes on other objects.
    pub(crate) fn merge(&mut self, other: NotesByType) {
        for bag in other.0 {
            let kind = type_of(&*bag);
            match self.0.iter_mut().find(|known| type_of(&***known) == kind) {
                Some(known) => known.merge(bag),
                None => self.0.push(bag),
            }
        }
    }

    fn find<B: Bag>(&self) -> Option<&B> {
        self.0.iter().find_map(|bag| (&**bag as &dyn Any).downcast_ref())
    }

    fn bag<B: Bag + Default>(&mut self) -> &mut B {
        let at = self.0.iter().position(|bag| type_of(&**bag) == TypeId::of::<B>()).unwrap_or_else(|| {
            self.0.push(Box::<B>::default());
            self.0.len() - 1
        });
        // The bag there is of this type: it was found by it, or has just been made.
        let bag = self.0.get_mut(at).and_then(|bag| (&mut **bag as &mut dyn Any).downcast_mut());
        bag.unwrap_or_else(|| unreachable!("a bag of another type"))
    }
}

/// The type of the values in a bag.
fn type_of(bag: &dyn Bag) -> TypeId {
    (bag as &dyn Any).type_id()
}

/// Values of one type that can be joined with others of that type.
trait Bag: Any + Debug + Send + Sync {
    /// Adds all values of `other`, which is of the same type.
    fn merge(&mut self, other: Box<dyn Bag>);
}

impl<R: Remark> Bag for BTreeSet<R> {
    fn merge(&mut self, other: Box<dyn Bag>) {
        if let Ok(other) = (other as Box<dyn Any>).downcast::<Self>() {
            // `append` would pass over all remarks for those of each object.
            self.extend(*other);
        }
    }
}

impl<D: Dependence> Bag for Vec<Undecided<D>> {
    fn merge(&mut self, other: Box<dyn Bag>) {
        if let Ok(mut other) = (other as Box<dyn Any>).downcast::<Self>() {
            self.append(&mut other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::ObjectRef;

    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Pool(&'static str);

    #[test]
    fn notes_on_two_objects_are_joined_by_type() {
        let draft = |path: &str| Draft::at(ObjectRef::cluster(), path);
        let (mut one, mut other) = (Notes::default(), Notes::default());
        one.remark(Pool("b"));
        one.undecided(draft("x"), Pool("b"));
        other.remark(Pool("a"));
        other.remark(Pool("b"));
        other.remark(7_u8);
        other.undecided(draft("y"), Pool("a"));
        one.merge(other);
        assert_eq!(one.kept.remarks::<Pool>().map(|pool| pool.0).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(one.kept.remarks::<u8>().copied().collect::<Vec<_>>(), [7]);
        assert_eq!(one.kept.remarks::<u16>().count(), 0);
        let undecided = one.kept.undecided::<Pool>().iter().map(|own| (&*own.draft.path, own.depends_on.0));
        assert_eq!(undecided.collect::<Vec<_>>(), [("x", "b"), ("y", "a")]);
    }
}
