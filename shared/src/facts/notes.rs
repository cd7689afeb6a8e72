//! What rules keep of single objects until the whole cluster is read, each in types of its own.

use std::any::{Any, TypeId};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;

use crate::finding::Draft;

/// What one rule found in objects, and what it keeps of them to decide by once all objects are read.
#[derive(Debug, Default)]
pub struct Notes {
    /// Findings that one object proves.
    pub drafts: Vec<Draft>,
    /// Remarks, and drafts that only the whole cluster can confirm.
    pub(crate) kept: Kept,
}

impl Notes {
    /// Keeps a remark for `per_cluster`, which asks for it by its type. Equal remarks are kept once, so what many objects say
    /// alike takes no memory.
    pub fn remark<R: Remark>(&mut self, remark: R) {
        self.kept.bag::<BTreeSet<R>>().insert(remark);
    }

    /// Keeps a draft that only `per_cluster` can confirm; `depends_on` is what it decides by.
    pub fn undecided<D: Dependence>(&mut self, draft: Draft, depends_on: D) {
        self.kept.bag::<Vec<Undecided<D>>>().push(Undecided { draft, depends_on });
    }

    /// Takes in the notes on another object.
    pub(crate) fn merge(&mut self, other: Notes) {
        self.drafts.extend(other.drafts);
        self.kept.merge(other.kept);
    }
}

/// A draft that is a finding only if the rest of the cluster says so.
#[derive(Clone, Debug)]
pub struct Undecided<D> {
    /// The finding it would be.
    pub draft: Draft,
    /// What decides it: a pool, a release, a time.
    pub depends_on: D,
}

/// A remark of a rule's own on what objects say.
pub trait Remark: Any + Debug + Ord + Send + Sync {}

impl<R: Any + Debug + Ord + Send + Sync> Remark for R {}

/// What decides a draft, in a rule's own terms.
pub trait Dependence: Any + Debug + Send + Sync {}

impl<D: Any + Debug + Send + Sync> Dependence for D {}

/// All that one rule keeps, by type.
#[derive(Debug, Default)]
pub(crate) struct Kept(HashMap<TypeId, Box<dyn Bag>>);

impl Kept {
    /// The remarks of a type, sorted.
    pub(crate) fn remarks<R: Remark>(&self) -> impl Iterator<Item = &R> {
        self.find::<BTreeSet<R>>().into_iter().flatten()
    }

    /// The drafts that depend on values of a type, in the order in which they were kept.
    pub(crate) fn undecided<D: Dependence>(&self) -> &[Undecided<D>] {
        self.find::<Vec<Undecided<D>>>().map_or(&[], Vec::as_slice)
    }

    /// Takes in what was kept of other objects.
    pub(crate) fn merge(&mut self, other: Kept) {
        for (kind, bag) in other.0 {
            match self.0.get_mut(&kind) {
                Some(own) => own.merge(bag),
                None => {
                    self.0.insert(kind, bag);
                }
            }
        }
    }

    fn find<B: Bag>(&self) -> Option<&B> {
        self.0.get(&TypeId::of::<B>()).and_then(|bag| (&**bag as &dyn Any).downcast_ref())
    }

    fn bag<B: Bag + Default>(&mut self) -> &mut B {
        let bag = self.0.entry(TypeId::of::<B>()).or_insert_with(|| Box::<B>::default());
        // A bag stands under its own type alone.
        (&mut **bag as &mut dyn Any).downcast_mut().unwrap_or_else(|| unreachable!("a bag under the type of another"))
    }
}

/// Values of one type that can be joined with others of that type.
trait Bag: Any + Debug + Send + Sync {
    /// Takes in all of `other`, which is of the same type.
    fn merge(&mut self, other: Box<dyn Bag>);
}

impl<R: Remark> Bag for BTreeSet<R> {
    fn merge(&mut self, other: Box<dyn Bag>) {
        if let Ok(mut other) = (other as Box<dyn Any>).downcast::<Self>() {
            self.append(&mut other);
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
