//! Entries of managedFields that changed what another writer had made.

use std::collections::HashSet;

use super::writers::is_later;
use crate::k8s::object::{ManagedEntry, Object};

/// The managers that wrote an object first, collected once from its managedFields. They show whether a later entry
/// overwrote another writer.
///
/// The creator of an object owns its fields without having changed anything, and when it writes them again, the API
/// server updates the time of the whole entry. An entry therefore only counts as an overwrite if another writer was
/// there before:
///
/// - the creator, where the object shows it,
/// - a writer of the object's first second,
/// - or a manager that is otherwise known to have written first.
#[derive(Debug)]
pub(crate) struct FirstWriters<'m> {
    maker: Option<&'m str>,
    /// Managers that wrote in the object's first second.
    born: HashSet<&'m str>,
    /// These, and those that are known to have written first, whatever the time of their last write.
    first: HashSet<&'m str>,
}

impl<'m> FirstWriters<'m> {
    /// The first writers among `entries` of `object`. `first` marks further entries whose managers are known to have
    /// written first.
    pub(crate) fn of<'a: 'm>(
        object: &Object<'a>,
        entries: &(impl Iterator<Item = &'m ManagedEntry<'a>> + Clone),
        first: impl Fn(&ManagedEntry<'a>) -> bool,
    ) -> Self {
        let manager = |entry: &'m ManagedEntry<'a>| &*entry.manager;
        let writers = || entries.clone().filter(|entry| &*entry.subresource != "status");
        let there = |entry: &&ManagedEntry<'a>| !is_later(entry, object);
        let born: HashSet<&str> = writers().filter(there).map(manager).collect();
        let known = writers().filter(|entry| first(entry)).map(manager);
        FirstWriters {
            maker: maker(entries.clone()).map(manager),
            first: born.iter().copied().chain(known).collect(),
            born,
        }
    }

    /// Whether the manager of an entry of this object changed fields that another manager had written before it.
    pub(crate) fn overwrote_another_writer(&self, entry: &ManagedEntry<'_>, object: &Object<'_>) -> bool {
        let own = &*entry.manager;
        if !is_later(entry, object) {
            return false;
        }
        if let Some(maker) = self.maker {
            return maker != own;
        }
        let others = self.first.len() - usize::from(self.first.contains(own));
        !self.born.contains(own) && others > 0
    }
}

/// The entry of the creator of a custom resource. Only creation gives a manager `spec` itself, and nobody takes that
/// over. Objects of Kubernetes' own kinds do not show their creator, nor do those made by server-side apply.
pub(crate) fn maker<'m, 'a: 'm>(
    mut entries: impl Iterator<Item = &'m ManagedEntry<'a>>,
) -> Option<&'m ManagedEntry<'a>> {
    entries.find(|entry| entry.owns(&["f:spec", "."]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The writers, as `manager operation time fields`, whose entries are overwrites.
    fn overwrites(writers: &[(&str, &str, &str, &str)], first: &str) -> Vec<String> {
        let entries: Vec<String> = writers
            .iter()
            .map(|(manager, operation, time, fields)| {
                format!(
                    r#"{{"manager":"{manager}","operation":"{operation}","time":"2026-03-02T{time}Z","fieldsV1":{{"f:spec":{fields}}}}}"#
                )
            })
            .collect();
        let json = format!(
            r#"{{"metadata":{{"creationTimestamp":"2026-03-02T08:00:00Z","managedFields":[{}]}}}}"#,
            entries.join(",")
        );
        let object: Object<'_> = serde_json::from_str(&json).unwrap();
        let first_writers = FirstWriters::of(&object, &object.managed().iter(), |other| &*other.manager == first);
        let second = object.managed().iter().filter(|entry| first_writers.overwrote_another_writer(entry, &object));
        second.map(|entry| entry.manager.to_string()).collect()
    }

    #[test]
    fn an_overwrite_needs_an_earlier_writer() {
        let (born, later, last) = ("08:00:00", "09:00:00", "10:00:00");
        let (made, wrote) = (r#"{".":{},"f:a":{}}"#, r#"{"f:b":{}}"#);
        let of = |writers: &[(&str, &str, &str, &str)]| overwrites(writers, "platform");
        // The creator of a custom resource is known whatever the time of its last write, however early the others
        // wrote.
        assert_eq!(of(&[("maker", "Update", last, made), ("kubectl", "Update", later, wrote)]), ["kubectl"]);
        assert_eq!(of(&[("kubectl", "Update", later, made), ("manager", "Update", born, wrote)]), Vec::<String>::new());
        // For other kinds the first second decides.
        assert_eq!(of(&[("kubeadm", "Update", born, wrote), ("kubectl", "Update", later, wrote)]), ["kubectl"]);
        assert_eq!(of(&[("kubectl", "Update", born, wrote)]), Vec::<String>::new());
        assert_eq!(of(&[("kubectl", "Update", later, wrote)]), Vec::<String>::new());
        assert_eq!(
            of(&[("kubectl", "Update", later, wrote), ("operator", "Update", last, wrote)]),
            Vec::<String>::new()
        );
        // A writer of the first second may be the creator, whatever subresource it writes later.
        assert_eq!(
            of(&[("helm", "Update", born, wrote), ("helm", "Apply", later, wrote), ("kubelet", "Update", born, wrote)]),
            Vec::<String>::new()
        );
        // Writes through `scale` have no time, and never create an object.
        let scaled = format!(
            r#"{{"metadata":{{"creationTimestamp":"2026-03-02T08:00:00Z","managedFields":[{},{}]}}}}"#,
            r#"{"manager":"kubeadm","operation":"Update","time":"2026-03-02T08:00:00Z","fieldsV1":{"f:spec":{"f:a":{}}}}"#,
            r#"{"manager":"kubectl","operation":"Update","subresource":"scale","fieldsV1":{"f:spec":{"f:replicas":{}}}}"#
        );
        let object: Object<'_> = serde_json::from_str(&scaled).unwrap();
        let first_writers = FirstWriters::of(&object, &object.managed().iter(), |_| false);
        assert!(object.managed().iter().any(|entry| first_writers.overwrote_another_writer(entry, &object)));
        // Unless another manager is known to have written first.
        assert_eq!(of(&[("platform", "Update", last, wrote), ("kubectl", "Update", later, wrote)]), ["kubectl"]);
    }
}
