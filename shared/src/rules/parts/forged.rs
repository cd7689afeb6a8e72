//! Updates that put another manager into managedFields than the one who sends them.

use std::collections::HashSet;

use crate::data::Data;
use crate::facts::change::Change;
use crate::finding::{Consequence, Draft};
use crate::rules::parts::components::{component, of_pods};
use crate::rules::parts::target::target;

/// A draft: the update of a component adds a manager to managedFields other than `own`, the requester's field manager.
/// A state check would then blame that manager. The API server's own names for what it merges do not count.
pub(crate) fn forged(change: &Change<'_>, own: &str, data: &Data) -> Option<Draft> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return None };
    if before.raw_managed() == after.raw_managed() || !change.kind.namespaced {
        return None;
    }
    let named = component(data, change.kind.kind, &change.namespace, &change.name);
    let component = named.or_else(|| of_pods(change, data))?;
    let had: HashSet<&str> = before.managed().iter().map(|entry| &*entry.manager).collect();
    let added = after.managed().iter().map(|entry| &*entry.manager);
    let mut added: Vec<&str> = added.filter(|name| !had.contains(name) && !data.managers.is_api_server(name)).collect();
    added.sort_unstable();
    added.dedup();
    if own.is_empty() {
        // Without a field manager in the request the API server uses the client program's name: one name, and none of
        // the platform's.
        let is_platforms = |name: &&str| data.managers.platform(name).is_some();
        if added.len() == 1 && !added.iter().any(is_platforms) {
            return None;
        }
    } else {
        added.retain(|name| *name != own);
    }
    let first = added.first()?;
    let subject = format!("{} {} of {}", change.kind.kind, change.name, component.product);
    let draft = Draft::at(target(change), "metadata.managedFields")
        .values(None, Some(first))
        .says(format!("{subject}: managedFields would name {first} as a writer, who is not the requester"))
        .lighter(Consequence::AtRisk);
    Some(draft)
}
