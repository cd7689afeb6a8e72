//! Which Arc extensions a cluster has, for rules that must not take Microsoft's software for somebody's own.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::data::Data;
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
pub(crate) use crate::facts::origin::helm_release as release;
use crate::finding::Code;
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::k8s::text::Text;
use crate::rules::rule::{Read, Scope, Seen};

/// The list that tells which extensions there are.
pub(crate) const EXTENSIONS: Read = Read { kind: &kinds::ARC_EXTENSION_CONFIG, scope: Scope::ArcNamespaces };

/// Notes an extension; `false` for any other object.
pub(crate) fn note(seen: &Seen<'_, '_>, notes: &mut Notes) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ExtensionSpec<'a> {
        #[serde(borrow, default)]
        extension_type: Option<Text<'a>>,
    }
    if *seen.kind != kinds::ARC_EXTENSION_CONFIG {
        return false;
    }
    if let Some(name) = seen.object.field::<ExtensionSpec<'_>>("spec").and_then(|spec| spec.extension_type) {
        notes.remark(Installation::Type(name.to_lowercase()));
    }
    notes.remark(Installation::Release(seen.object.meta.name.to_string()));
    true
}

/// The release of the installed extension that a change is about. Whatever else it would be, it is the platform's.
pub(crate) fn of_change<'c>(change: &'c Change<'_>) -> Option<&'c str> {
    let by_name = || change.beside.extension.as_deref();
    // What somebody makes anew is not the extension's yet.
    by_name().filter(|_| change.operation != Operation::Create)
}

/// The Helm release that an object belongs to, empty for none, and its namespace: an Arc extension may have brought it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FromRelease {
    pub(crate) release: String,
    pub(crate) namespace: String,
}

impl FromRelease {
    /// Those of an object.
    pub(crate) fn of(object: &Object<'_>) -> Self {
        FromRelease { release: release(object).to_owned(), namespace: object.meta.namespace.to_string() }
    }

    /// An object of no release.
    pub(crate) fn in_namespace(namespace: &str) -> Self {
        FromRelease { release: String::new(), namespace: namespace.to_owned() }
    }
}

/// A word of an installed Arc extension.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Installation {
    /// Its type, in lower case.
    Type(String),
    /// Its Helm release.
    Release(String),
}

/// The extensions that a rule noted.
#[derive(Debug)]
pub(crate) struct Installed<'i> {
    types: BTreeSet<&'i str>,
    releases: BTreeSet<&'i str>,
    data: &'i Data,
    known: bool,
}

impl<'i> Installed<'i> {
    /// Those of one rule's notes.
    pub(crate) fn of(inventory: &'i Inventory, code: Code, data: &'i Data) -> Self {
        let (mut types, mut releases) = (BTreeSet::new(), BTreeSet::new());
        for installation in inventory.remarks(code) {
            match installation {
                Installation::Type(name) => types.insert(&**name),
                Installation::Release(name) => releases.insert(&**name),
            };
        }
        let known = !inventory
            .reads
            .iter()
            .any(|(key, state)| *key.kind == kinds::ARC_EXTENSION_CONFIG && state.gap(key).is_some());
        Installed { types, releases, data, known }
    }

    /// Whether an extension brought an object: its release, or all of its namespace.
    pub(crate) fn brought(&self, object: &FromRelease) -> bool {
        let FromRelease { release, namespace } = object;
        if !self.known {
            let usual = self.data.extensions.iter().any(|row| row.namespaces.iter().any(|own| own == namespace));
            return !release.is_empty() || usual;
        }
        self.has_release(release) || self.owns_namespace(namespace)
    }

    /// Whether a Helm release is an installed extension's, whatever its name and namespace; `false` where nobody could say.
    pub(crate) fn has_release(&self, release: &str) -> bool {
        self.releases.contains(release)
    }

    /// Whether an extension of a type is installed; where nobody could say which are, each may be.
    pub(crate) fn has_type(&self, name: &str) -> bool {
        !self.known || self.types.contains(name)
    }

    /// Whether an installed extension has this namespace to itself.
    pub(crate) fn owns_namespace(&self, namespace: &str) -> bool {
        self.data.namespaces.protected(namespace).is_none()
            && self.rows().any(|row| row.namespaces.iter().any(|own| own == namespace))
    }

    /// Whether an installed extension ships a product there: in its usual namespaces, or in those of its release.
    pub(crate) fn ships(&self, product: &str, namespace: &str, release: &str) -> bool {
        let usual = |row: &crate::data::extensions::Extension| {
            row.everywhere || row.namespaces.iter().any(|own| own == namespace)
        };
        self.has_release(release)
            || self.shipping(product).any(usual)
            || !self.known && !release.is_empty() && self.has(product)
    }

    /// Whether an installed extension ships a product at all, so that what the cluster knows of it says nothing of its users.
    pub(crate) fn has(&self, product: &str) -> bool {
        self.shipping(product).next().is_some()
    }

    /// Where nobody could say which are installed, each may be.
    fn shipping(&self, product: &str) -> impl Iterator<Item = &crate::data::extensions::Extension> {
        let rows = self.data.extensions.iter().filter(|row| !self.known || self.types.contains(&*row.name));
        rows.filter(move |row| row.products.iter().any(|own| own == product))
    }

    fn rows(&self) -> impl Iterator<Item = &crate::data::extensions::Extension> {
        self.data.extensions.iter().filter(|row| self.types.contains(&*row.name))
    }
}
