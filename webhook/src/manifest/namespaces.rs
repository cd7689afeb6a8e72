//! The namespaces that the guard protects.

use std::collections::BTreeSet;

use aksarc_shared::data::Data;

pub(super) fn protected(data: &Data) -> BTreeSet<&str> {
    let names = data.namespaces.namespaces.iter().map(|row| &*row.name);
    names.filter(|name| data.namespaces.protected(name).is_some()).collect()
}
