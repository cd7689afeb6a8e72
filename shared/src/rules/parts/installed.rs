//! The Arc extensions of a cluster. Rules need them so as not to take Microsoft's software for a user's.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::data::Data;
use crate::data::tables;
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
pub(crate) use crate::facts::origin::helm_release as release;
use crate::finding::Code;
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::k8s::text::Text;
use crate::rules::rule::{Read, Scope, Seen};

/// The list of installed extensions.
pub(crate) const EXTENSIONS: Read = Read { kind: &kinds::ARC_EXTENSION_CONFIG, scope: Scope::ArcNamespaces };

/// Notes an installed extension and returns `true`; `false` for an object of any other kind.
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

/// The release of the installed extension that a change is about. Such an object is the platform's, whatever else it
/// would be.
pub(crate) fn of_change<'c>(change: &'c Change<'_>) -> Option<&'c str> {
    let by_name = || change.beside.extension.as_deref();
    // A new object is not yet the extension's.
    by_name().filter(|_| change.operation != Operation::Create)
}

/// The Helm release of an object (empty for none) and its namespace: an Arc extension may have brought it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FromRelease {
    pub(crate) release: String,
    pub(crate) namespace: String,
}

impl FromRelease {
    /// The release and namespace of an object.
    pub(crate) fn of(object: &Object<'_>) -> Self {
        FromRelease { release: release(object).to_owned(), namespace: object.meta.namespace.to_string() }
    }

    /// An object of no release.
    pub(crate) fn in_namespace(namespace: &str) -> Self {
        FromRelease { release: String::new(), namespace: namespace.to_owned() }
    }
}

/// One fact about an installed Arc extension.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Installation {
    /// The extension type, in lower case.
    Type(String),
    /// The Helm release.
    Release(String),
}

/// The installed extensions that a rule noted.
#[derive(Debug)]
pub(crate) struct Installed<'i> {
    types: BTreeSet<&'i str>,
    releases: BTreeSet<&'i str>,
    data: &'i Data,
    known: bool,
}

impl<'i> Installed<'i> {
    /// The extensions among one rule's notes.
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

    /// Whether an extension brought an object: by its release, or because the extension owns the namespace.
    pub(crate) fn brought(&self, object: &FromRelease) -> bool {
        let FromRelease { release, namespace } = object;
        if !self.known {
            let usual = tables::extensions().iter().any(|row| row.namespaces.iter().any(|own| own == namespace));
            return !release.is_empty() || usual;
        }
        self.has_release(release) || self.owns_namespace(namespace)
    }

    /// Whether a Helm release is an installed extension's, whatever its name and namespace; `false` where the
    /// extensions could not be read.
    pub(crate) fn has_release(&self, release: &str) -> bool {
        self.releases.contains(release)
    }

    /// Whether an extension of a type is installed; `true` where the extensions could not be read.
    pub(crate) fn has_type(&self, name: &str) -> bool {
        !self.known || self.types.contains(name)
    }

    /// Whether an installed extension has this namespace to itself.
    pub(crate) fn owns_namespace(&self, namespace: &str) -> bool {
        self.data.namespaces.protected(namespace).is_none()
            && self.rows().any(|row| row.namespaces.iter().any(|own| own == namespace))
    }

    /// Whether an installed extension ships a product in a namespace: in its usual namespaces, or in those of its
    /// release.
    pub(crate) fn ships(&self, product: &str, namespace: &str, release: &str) -> bool {
        let usual = |row: &crate::data::extensions::Extension| {
            row.everywhere || row.namespaces.iter().any(|own| own == namespace)
        };
        self.has_release(release)
            || self.shipping(product).any(usual)
            || !self.known && !release.is_empty() && self.has(product)
    }

    /// Whether an installed extension ships a product at all. If so, cluster-wide objects of the product say nothing
    /// about users.
    pub(crate) fn has(&self, product: &str) -> bool {
        self.shipping(product).next().is_some()
    }

    /// The extensions that ship a product: of the installed ones, or of all where they could not be read.
    fn shipping(&self, product: &str) -> impl Iterator<Item = &crate::data::extensions::Extension> {
        let rows = tables::extensions().iter().filter(|row| !self.known || self.types.contains(&*row.name));
        rows.filter(move |row| row.products.iter().any(|own| own == product))
    }

    fn rows(&self) -> impl Iterator<Item = &crate::data::extensions::Extension> {
        tables::extensions().iter().filter(|row| self.types.contains(&*row.name))
    }
}
