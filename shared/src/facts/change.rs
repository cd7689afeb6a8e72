//! One attempted write, as rules see it: the object before and after. The engine, not the rule, looks at the user.

use std::collections::HashSet;

use crate::k8s::fit::{self, Misfit};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::{Object, Owner};

/// The operation of a request. `CONNECT` is never judged.
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
    /// The operation as the admission API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Delete => "DELETE",
            Operation::Update => "UPDATE",
        }
    }

    /// The operation with this spelling in the admission API.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "CREATE" => Some(Operation::Create),
            "DELETE" => Some(Operation::Delete),
            "UPDATE" => Some(Operation::Update),
            _ => None,
        }
    }
}

/// Facts that a dry run looked up beside the object of a change. The guard sends no requests, and has none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// The Helm release that the object's marks name, if that is the release of an installed Arc extension.
    pub extension: Option<String>,
    /// The addresses of managed Services.
    pub addresses: Vec<String>,
}

/// An attempted write.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The operation of the request.
    pub operation: Operation,
    /// The kind of the object; `Deployment` for its `scale` subresource too.
    pub kind: &'static Kind,
    /// `status`, `scale`, `ephemeralcontainers` …; empty for the object itself.
    pub subresource: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name; from the object where the request has none. Empty for a name that the server has yet to generate.
    pub name: String,
    /// The object before the change; `None` for a creation.
    pub before: Option<Box<Object<'a>>>,
    /// The object after the change; `None` for a deletion.
    pub after: Option<Box<Object<'a>>>,
    /// Facts that were looked up.
    pub beside: Beside,
}

impl<'a> Change<'a> {
    /// A change of a known kind. Names are taken from the objects.
    pub fn new(
        operation: Operation,
        kind: &'static Kind,
        subresource: &str,
        before: Option<Box<Object<'a>>>,
        after: Option<Box<Object<'a>>>,
    ) -> Self {
        let meta = |pick: fn(&Object<'a>) -> String| {
            [&after, &before]
                .into_iter()
                .flatten()
                .map(|side| pick(side))
                .find(|text| !text.is_empty())
                .unwrap_or_default()
        };
        let (namespace, name) = (meta(|o| o.meta.namespace.to_string()), meta(|o| o.meta.name.to_string()));
        let (subresource, beside) = (subresource.to_owned(), Beside::default());
        Change { operation, kind, subresource, namespace, name, before, after, beside }
    }

    /// Both sides of an update, if it is one of the object itself or of one of `subresources`.
    pub fn update(&self, subresources: &[&str]) -> Option<(&Object<'a>, &Object<'a>)> {
        let here = self.subresource.is_empty() || subresources.contains(&&*self.subresource);
        match (self.operation, &self.before, &self.after) {
            (Operation::Update, Some(before), Some(after)) if here => Some((before, after)),
            _ => None,
        }
    }

    /// The new object, if the change creates the object itself.
    pub fn create(&self) -> Option<&Object<'a>> {
        let own = self.operation == Operation::Create && self.subresource.is_empty();
        self.after.as_deref().filter(|_| own)
    }

    /// Whether the change deletes the object itself.
    pub fn is_delete(&self) -> bool {
        self.operation == Operation::Delete && self.subresource.is_empty()
    }

    /// An owner that an update adds, through any subresource. When an owner is gone or never existed, the garbage
    /// collector deletes the object without another review: adding such an owner is a delayed deletion.
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

    /// An owner that an update removes.
    pub fn lost_owner(&self) -> Option<&Owner<'a>> {
        let (Operation::Update, Some(before), Some(after)) = (self.operation, &self.before, &self.after) else {
            return None;
        };
        let left: HashSet<&str> = after.owners().iter().map(|owner| &*owner.uid).collect();
        before.owners().iter().find(|owner| !left.contains(&*owner.uid))
    }

    /// The reason why one of its sides does not fit the change's kind, if so.
    pub fn misfit(&self) -> Option<Misfit> {
        let check = |side: &Object<'a>, twin| fit::check(side, self.kind, &self.subresource, twin).err();
        let before = self.before.as_deref();
        before.and_then(|before| check(before, None)).or_else(|| check(self.after.as_deref()?, before))
    }

    /// The first part of its sides that could not be read: see [`Object::fault`].
    pub fn fault(&self) -> Option<&str> {
        self.sides().find_map(Object::fault)
    }

    /// The number of `metadata.managedFields` entries on a side with more entries than are looked at.
    pub fn too_many_managed(&self) -> Option<usize> {
        self.sides().filter_map(Object::too_many_managed).max()
    }

    /// The reason why the judgement of the change does not count, if so: see [`Object::unread`].
    pub fn unread(&self) -> Option<String> {
        self.sides().find_map(Object::unread)
    }

    /// Calls `judge`, and returns whether it used managedFields of which it saw only a part.
    pub(crate) fn watched<T>(&self, judge: impl FnOnce() -> T) -> (T, bool) {
        self.sides().for_each(Object::forget_asking);
        let judged = judge();
        (judged, self.sides().any(Object::showed_part))
    }

    fn sides(&self) -> impl Iterator<Item = &Object<'a>> {
        [&self.before, &self.after].into_iter().flatten().map(|side| &**side)
    }

    /// The object before the change, else the object after it.
    pub fn object(&self) -> Option<&Object<'a>> {
        self.before.as_deref().or(self.after.as_deref())
    }

    /// The creation of an object from a manifest. `None` for kinds that no rule knows.
    pub fn create_of(object: Object<'a>) -> Option<Self> {
        let kind = kinds::of(&object.api_version, &object.kind)?;
        Some(Change::new(Operation::Create, kind, "", None, Some(Box::new(object))))
    }
}
