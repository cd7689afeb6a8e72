//! One attempted write, as rules see it: what it is on, before and after. Who attempts it is the engine's business.

use std::collections::HashSet;

use crate::k8s::fit::{self, Misfit};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::{Object, Owner};

/// What a request does. `CONNECT` is never judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `CREATE`: there is no object before.
    Create,
    /// `DELETE`, one object; a deletecollection arrives as one of these per object.
    Delete,
    /// `UPDATE`, which patches and applies arrive as too.
    Update,
}

impl Operation {
    /// As the admission API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Delete => "DELETE",
            Operation::Update => "UPDATE",
        }
    }

    /// From the admission API's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "CREATE" => Some(Operation::Create),
            "DELETE" => Some(Operation::Delete),
            "UPDATE" => Some(Operation::Update),
            _ => None,
        }
    }
}

/// What somebody looked up beside the object of a change. The guard asks nobody, and knows none of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// The Helm release that the object bears the marks of, where that is an installed Arc extension's.
    pub extension: Option<String>,
    /// The addresses of managed Services.
    pub addresses: Vec<String>,
}

/// One attempted write.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// What the request does.
    pub operation: Operation,
    /// The kind the request is on: `Deployment` also for its `scale` subresource.
    pub kind: &'static Kind,
    /// `status`, `scale`, `ephemeralcontainers` …; empty for the object itself.
    pub subresource: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name; from the object where the request has none. Empty while the server has yet to make one.
    pub name: String,
    /// The object as it is; `None` when creating.
    pub before: Option<Object<'a>>,
    /// The object as it would be; `None` when deleting.
    pub after: Option<Object<'a>>,
    /// What is known beside it.
    pub beside: Beside,
}

impl<'a> Change<'a> {
    /// A change of a known kind, with names taken from the objects.
    pub fn new(
        operation: Operation,
        kind: &'static Kind,
        subresource: &str,
        before: Option<Object<'a>>,
        after: Option<Object<'a>>,
    ) -> Self {
        let meta = |pick: fn(&Object<'a>) -> String| {
            [&after, &before].into_iter().flatten().map(pick).find(|text| !text.is_empty()).unwrap_or_default()
        };
        let (namespace, name) = (meta(|o| o.meta.namespace.to_string()), meta(|o| o.meta.name.to_string()));
        let (subresource, beside) = (subresource.to_owned(), Beside::default());
        Change { operation, kind, subresource, namespace, name, before, after, beside }
    }

    /// Both sides of an update of the object itself or of one of `subresources`.
    pub fn update(&self, subresources: &[&str]) -> Option<(&Object<'a>, &Object<'a>)> {
        let here = self.subresource.is_empty() || subresources.contains(&&*self.subresource);
        match (self.operation, &self.before, &self.after) {
            (Operation::Update, Some(before), Some(after)) if here => Some((before, after)),
            _ => None,
        }
    }

    /// The object to be made, when the object itself is created.
    pub fn create(&self) -> Option<&Object<'a>> {
        let own = self.operation == Operation::Create && self.subresource.is_empty();
        self.after.as_ref().filter(|_| own)
    }

    /// Whether the object itself is deleted.
    pub fn is_delete(&self) -> bool {
        self.operation == Operation::Delete && self.subresource.is_empty()
    }

    /// An owner that an update adds, through whatever subresource. When an owner is gone, or never was, the garbage
    /// collector deletes what it owns, and is asked about by nobody: to add one is to delete with a delay.
    pub fn new_owner(&self) -> Option<&Owner<'a>> {
        let (Operation::Update, Some(before), Some(after)) = (self.operation, &self.before, &self.after) else {
            return None;
        };
        if after.owners().is_empty() {
            return None;
        }
        let old: HashSet<&Owner<'a>> = before.owners().iter().collect();
        after.owners().iter().find(|owner| !old.contains(owner))
    }

    /// An owner that an update takes away.
    pub fn lost_owner(&self) -> Option<&Owner<'a>> {
        let (Operation::Update, Some(before), Some(after)) = (self.operation, &self.before, &self.after) else {
            return None;
        };
        let left: HashSet<&str> = after.owners().iter().map(|owner| &*owner.uid).collect();
        before.owners().iter().find(|owner| !left.contains(&*owner.uid))
    }

    /// Why one of its sides is none of the change's kind, if so.
    pub fn misfit(&self) -> Option<Misfit> {
        let check = |side: &Object<'a>, twin| fit::check(side, self.kind, &self.subresource, twin).err();
        let before = self.before.as_ref();
        before.and_then(|before| check(before, None)).or_else(|| check(self.after.as_ref()?, before))
    }

    /// What of its sides could not be read so far: see [`Object::fault`].
    pub fn fault(&self) -> Option<&str> {
        self.sides().find_map(Object::fault)
    }

    /// How many entries `metadata.managedFields` has on a side with more than are looked at.
    pub fn too_many_managed(&self) -> Option<usize> {
        self.sides().filter_map(Object::too_many_managed).max()
    }

    /// Why what was judged of it counts for nothing, if so: see [`Object::unread`].
    pub fn unread(&self) -> Option<String> {
        self.sides().find_map(Object::unread)
    }

    /// Runs something, and says whether it has asked for managedFields that it was shown a part of.
    pub(crate) fn watched<T>(&self, judge: impl FnOnce() -> T) -> (T, bool) {
        self.sides().for_each(Object::forget_asking);
        let judged = judge();
        (judged, self.sides().any(Object::showed_part))
    }

    fn sides(&self) -> impl Iterator<Item = &Object<'a>> {
        [&self.before, &self.after].into_iter().flatten()
    }

    /// The object as it is, or else as it would be.
    pub fn object(&self) -> Option<&Object<'a>> {
        self.before.as_ref().or(self.after.as_ref())
    }

    /// The change that an object's creation is, read from a manifest. `None` for kinds no rule knows.
    pub fn create_of(object: Object<'a>) -> Option<Self> {
        let kind = kinds::of(&object.api_version, &object.kind)?;
        Some(Change::new(Operation::Create, kind, "", None, Some(object)))
    }
}
