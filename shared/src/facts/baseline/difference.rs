//! Differences between two baselines.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Baseline, KeyRecord};
use crate::facts::inventory::{ReadKey, is_untold};
use crate::k8s::kinds;

/// One line of a difference between two baselines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BaselineDifference {
    /// `node/moc-l1`, `namespace/kube-system`, `kube-system/deployments.apps/coredns`.
    pub object: String,
    /// `labels[kubernetes.io/os]`, `spec`, `capacity`; empty for the object itself.
    pub path: String,
    /// The value before; a hash for content.
    pub before: Option<String>,
    /// The value after.
    pub after: Option<String>,
}

impl BaselineDifference {
    /// Whether the line says that an object which `list` would contain is gone. If that list was not read, this is not
    /// known.
    pub fn is_absence_from(&self, list: &ReadKey) -> bool {
        if self.after.is_some() {
            return false;
        }
        // Of namespaces only the keys are recorded, so each key is gone on its own.
        if *list.kind == kinds::NAMESPACE {
            return self.object.starts_with("namespace/");
        }
        if !self.path.is_empty() {
            return false;
        }
        if *list.kind == kinds::NODE {
            return self.object.starts_with("node/");
        }
        let name = if list.kind.namespaced {
            let parts = self.object.split_once('/');
            let here = |namespace: &str| list.namespace.as_ref().is_none_or(|own| own == namespace);
            parts.filter(|(namespace, _)| here(namespace)).map(|(_, rest)| rest)
        } else {
            Some(&*self.object)
        };
        let kind = name.and_then(|name| name.split_once('/')).map(|(kind, _)| kind);
        kind.is_some_and(|kind| kind == list.kind.qualified())
    }

    /// The list that contains a newly found object. If the baseline was not made from that list, the object may have
    /// been there before.
    pub fn newly_in(&self) -> Option<ReadKey> {
        if self.before.is_some() || !self.path.is_empty() {
            return None;
        }
        if self.object.starts_with("node/") {
            return Some(ReadKey { kind: &kinds::NODE, namespace: None });
        }
        let mut parts = self.object.rsplitn(3, '/').skip(1);
        let (kind, namespace) = (parts.next()?, parts.next());
        let (resource, group) = kind.split_once('.').unwrap_or((kind, ""));
        Some(ReadKey { kind: kinds::by_resource(group, resource)?, namespace: namespace.map(str::to_owned) })
    }

    /// Whether the line says that a node changed its pool, with one of the two pools unknown.
    fn is_of_untold_pool(&self) -> bool {
        self.path == POOL && [&self.before, &self.after].into_iter().flatten().any(|pool| is_untold(pool))
    }
}

/// The differences between two baselines, sorted.
pub fn diff(before: &Baseline, after: &Baseline) -> Vec<BaselineDifference> {
    let (old, new) = (lines(before), lines(after));
    let mut keys: Vec<&(String, String)> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let differing = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    let differing = differing.map(|key| BaselineDifference {
        object: key.0.clone(),
        path: key.1.clone(),
        before: old.get(key).cloned(),
        after: new.get(key).cloned(),
    });
    // The parts of an object that came or went as a whole are left out.
    let differing: Vec<BaselineDifference> = differing.filter(|difference| !difference.is_of_untold_pool()).collect();
    let whole: Vec<String> = differing.iter().filter(|d| d.path.is_empty()).map(|d| d.object.clone()).collect();
    differing.into_iter().filter(|d| d.path.is_empty() || !whole.contains(&d.object)).collect()
}

fn lines(baseline: &Baseline) -> BTreeMap<(String, String), String> {
    let mut lines = BTreeMap::new();
    let mut keys = |object: &str, word: &str, records: &BTreeMap<String, KeyRecord>| {
        for (key, record) in records {
            lines.insert((object.to_owned(), format!("{word}[{key}]")), record.value.clone());
        }
    };
    for (name, node) in &baseline.nodes {
        let object = format!("node/{name}");
        keys(&object, "labels", &node.labels);
        keys(&object, "annotations", &node.annotations);
    }
    for (name, namespace) in &baseline.namespaces {
        let object = format!("namespace/{name}");
        keys(&object, "labels", &namespace.labels);
        keys(&object, "annotations", &namespace.annotations);
    }
    for (name, node) in &baseline.nodes {
        lines.insert((format!("node/{name}"), String::new()), node.uid.clone());
        lines.insert((format!("node/{name}"), "capacity".to_owned()), node.capacity.join(" / "));
        lines.insert((format!("node/{name}"), POOL.to_owned()), node.pool.clone());
    }
    for (key, object) in &baseline.objects {
        let name = key.trim_start_matches('/').to_owned();
        lines.insert((name.clone(), String::new()), object.uid.clone());
        for (field, hash) in &object.content {
            lines.insert((name.clone(), field.clone()), hash.clone());
        }
    }
    lines
}

/// The path of a node's pool.
const POOL: &str = "pool";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::kinds::Kind;

    #[test]
    fn an_absence_belongs_to_the_lists_that_would_hold_it() {
        let gone = |object: &str, path: &str| BaselineDifference {
            object: object.to_owned(),
            path: path.to_owned(),
            before: Some("x".to_owned()),
            after: None,
        };
        let list = |kind: &'static Kind, namespace: &str| ReadKey {
            kind,
            namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
        };
        let deployment = gone("kube-system/deployments.apps/coredns", "");
        assert!(deployment.is_absence_from(&list(&kinds::DEPLOYMENT, "")));
        assert!(deployment.is_absence_from(&list(&kinds::DEPLOYMENT, "kube-system")));
        assert!(!deployment.is_absence_from(&list(&kinds::DEPLOYMENT, "azure-arc")));
        assert!(!deployment.is_absence_from(&list(&kinds::DAEMON_SET, "")));
        assert!(!deployment.is_absence_from(&list(&kinds::NODE, "")));
        assert!(!gone("kube-system/deployments.apps/coredns", "spec").is_absence_from(&list(&kinds::DEPLOYMENT, "")));
        assert!(
            !BaselineDifference { after: Some("y".to_owned()), ..deployment }
                .is_absence_from(&list(&kinds::DEPLOYMENT, ""))
        );
        assert!(gone("storageclasses.storage.k8s.io/default", "").is_absence_from(&list(&kinds::STORAGE_CLASS, "")));
        assert!(gone("node/a", "").is_absence_from(&list(&kinds::NODE, "")));
        assert!(!gone("node/a", "labels[a]").is_absence_from(&list(&kinds::NODE, "")));
        assert!(gone("namespace/kube-system", "labels[a]").is_absence_from(&list(&kinds::NAMESPACE, "")));
    }
    use crate::facts::baseline::samples::recorded;

    #[test]
    fn a_new_object_belongs_to_one_list() {
        let new = |object: &str| {
            let difference = BaselineDifference {
                object: object.to_owned(),
                path: String::new(),
                before: None,
                after: Some("u".to_owned()),
            };
            difference.newly_in().map(|list| list.to_string())
        };
        for (object, list) in [
            ("azure-arc/serviceaccounts/default", "serviceaccounts in azure-arc"),
            ("kube-system/deployments.apps/coredns", "deployments.apps in kube-system"),
            ("storageclasses.storage.k8s.io/default", "storageclasses.storage.k8s.io"),
            ("node/moc-l1", "nodes"),
        ] {
            assert_eq!(new(object).as_deref(), Some(list));
        }
        let gone = BaselineDifference {
            object: "node/a".to_owned(),
            path: String::new(),
            before: Some("u".to_owned()),
            after: None,
        };
        assert_eq!(gone.newly_in(), None);
    }

    #[test]
    fn a_pool_that_is_not_told_differs_from_nothing() {
        let mut then = recorded();
        let pool = &mut then.nodes.get_mut("moc-l1").unwrap().pool;
        *pool = "(no pool)".to_owned();
        assert_eq!(diff(&then, &recorded()), []);
        then.nodes.get_mut("moc-l1").unwrap().pool = "another".to_owned();
        assert_eq!(diff(&then, &recorded()).len(), 1);
    }

    #[test]
    fn an_object_that_came_or_went_as_a_whole_is_one_line() {
        let mut after = recorded();
        assert_eq!(diff(&recorded(), &after), []);
        after.nodes.get_mut("moc-l1").unwrap().labels.remove("kubernetes.io/os");
        let lines = diff(&recorded(), &after);
        assert_eq!((&*lines[0].object, &*lines[0].path, lines.len()), ("node/moc-l1", "labels[kubernetes.io/os]", 1));
        after.nodes.clear();
        let lines = diff(&recorded(), &after);
        assert_eq!((&*lines[0].path, lines.len(), lines[0].after.is_none()), ("", 1, true));
    }
}
