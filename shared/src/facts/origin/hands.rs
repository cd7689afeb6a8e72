//! Second hands: who wrote what others had made.

use std::collections::HashSet;

use super::writers::is_later;
use crate::k8s::object::{ManagedEntry, Object};

/// What an object's managedFields tell of who was there first, gathered once for all that ask whether an entry is of a second
/// hand: of somebody who wrote what another had made.
///
/// Whoever makes an object owns its fields without having changed anything, and when they write it again, the API server dates
/// all that they own anew. So it takes another who was there before: the maker, where the object tells, or somebody of its first
/// second, or whoever else is known to have been the first.
#[derive(Debug)]
pub(crate) struct Hands<'m> {
    maker: Option<&'m str>,
    /// Managers that wrote in the object's first second.
    born: HashSet<&'m str>,
    /// These, and those that are known to have been the first whenever they wrote last.
    first: HashSet<&'m str>,
}

impl<'m> Hands<'m> {
    /// Those in `entries` of `object`. `first` says who else was there before.
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
        Hands { maker: maker(entries.clone()).map(manager), first: born.iter().copied().chain(known).collect(), born }
    }

    /// Whether an entry of the same object is of a second hand.
    pub(crate) fn is_second(&self, entry: &ManagedEntry<'_>, object: &Object<'_>) -> bool {
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

/// The entry of whoever made a custom resource: only its creation sets `spec` as such, and nobody takes that over. Objects of
/// Kubernetes' own kinds do not tell, nor does what was made by server-side apply.
pub(crate) fn maker<'m, 'a: 'm>(
    mut entries: impl Iterator<Item = &'m ManagedEntry<'a>>,
) -> Option<&'m ManagedEntry<'a>> {
    entries.find(|entry| entry.owns(&["f:spec", "."]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the writers, as `manager operation time fields`, are of a second hand.
    fn second_hands(writers: &[(&str, &str, &str, &str)], first: &str) -> Vec<String> {
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
        let hands = Hands::of(&object, &object.managed().iter(), |other| &*other.manager == first);
        let second = object.managed().iter().filter(|entry| hands.is_second(entry, &object));
        second.map(|entry| entry.manager.to_string()).collect()
    }

    #[test]
    fn a_second_hand_needs_somebody_who_was_there_before() {
        let (born, later, last) = ("08:00:00", "09:00:00", "10:00:00");
        let (made, wrote) = (r#"{".":{},"f:a":{}}"#, r#"{"f:b":{}}"#);
        let of = |writers: &[(&str, &str, &str, &str)]| second_hands(writers, "platform");
        // The maker of a custom resource shows whenever it wrote last, and whoever was quick to write too.
        assert_eq!(of(&[("maker", "Update", last, made), ("kubectl", "Update", later, wrote)]), ["kubectl"]);
        assert_eq!(of(&[("kubectl", "Update", later, made), ("manager", "Update", born, wrote)]), Vec::<String>::new());
        // Of another kind the first second tells.
        assert_eq!(of(&[("kubeadm", "Update", born, wrote), ("kubectl", "Update", later, wrote)]), ["kubectl"]);
        assert_eq!(of(&[("kubectl", "Update", born, wrote)]), Vec::<String>::new());
        assert_eq!(of(&[("kubectl", "Update", later, wrote)]), Vec::<String>::new());
        assert_eq!(
            of(&[("kubectl", "Update", later, wrote), ("operator", "Update", last, wrote)]),
            Vec::<String>::new()
        );
        // Who was there from the beginning may be the maker, through whatever subresource they write later.
        assert_eq!(
            of(&[("helm", "Update", born, wrote), ("helm", "Apply", later, wrote), ("kubelet", "Update", born, wrote)]),
            Vec::<String>::new()
        );
        // What is written through scale has no time, and made nothing.
        let scaled = format!(
            r#"{{"metadata":{{"creationTimestamp":"2026-03-02T08:00:00Z","managedFields":[{},{}]}}}}"#,
            r#"{"manager":"kubeadm","operation":"Update","time":"2026-03-02T08:00:00Z","fieldsV1":{"f:spec":{"f:a":{}}}}"#,
            r#"{"manager":"kubectl","operation":"Update","subresource":"scale","fieldsV1":{"f:spec":{"f:replicas":{}}}}"#
        );
        let object: Object<'_> = serde_json::from_str(&scaled).unwrap();
        let hands = Hands::of(&object, &object.managed().iter(), |_| false);
        assert!(object.managed().iter().any(|entry| hands.is_second(entry, &object)));
        // Unless somebody is known to have been the first.
        assert_eq!(of(&[("platform", "Update", last, wrote), ("kubectl", "Update", later, wrote)]), ["kubectl"]);
    }
}
