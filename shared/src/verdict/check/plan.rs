//! The lists that a check needs, and those that it lacks.

use std::collections::BTreeSet;

use super::state::Check;
use crate::data::{Data, own};
use crate::facts::inventory::{ReadKey, ReadState};
use crate::k8s::certificate;
use crate::k8s::kinds::{self, Kind};
use crate::rules::rule::{Read, Rule, Scope};

impl Check<'_> {
    /// The lists to read first: those over the whole cluster.
    pub fn plan_first(&self) -> Vec<ReadKey> {
        let mut keys = BTreeSet::new();
        for rule in &self.params.rules {
            for read in rule.reads.iter().filter(|read| read.scope == Scope::Cluster) {
                keys.insert(ReadKey { kind: read.kind, namespace: None });
            }
        }
        // Nodes identify the platform, and namespaces determine the later lists.
        for kind in [&kinds::NODE, &kinds::NAMESPACE] {
            keys.insert(ReadKey { kind, namespace: None });
        }
        keys.into_iter().collect()
    }

    /// The lists to read after those of [`Check::plan_first`]: one for each kind and existing namespace, unless the
    /// list over the whole cluster was read.
    pub fn plan_then(&self) -> Vec<ReadKey> {
        let mut keys = BTreeSet::new();
        for rule in &self.params.rules {
            keys.extend(self.namespaced_keys(rule).into_iter().filter(|key| !self.has_all(key.kind)));
        }
        keys.into_iter().collect()
    }

    /// Whether a rule looks at the objects of a list. A list over the whole cluster also serves rules that need some
    /// namespaces: they look at the namespace.
    pub fn wants(&self, rule: &Rule, key: &ReadKey) -> bool {
        match &key.namespace {
            None => rule.reads.iter().any(|read| read.kind == key.kind),
            Some(_) => self.namespaced_keys(rule).contains(key),
        }
    }

    /// The lists that a rule needs and that were not read to their end, with the reason.
    pub(super) fn unread(&self, rule: &Rule) -> Vec<(&'static Kind, String)> {
        self.unread_lists(rule).into_iter().map(|(key, why)| (key.kind, why)).collect()
    }

    /// Whether a list or probe that a rule lacks may show something that voids support.
    pub(super) fn lacks_what_voids(&self, rule: &Rule) -> bool {
        let heavy = |key: &ReadKey| {
            let place = key.namespace.as_deref();
            rule.voiding.may_be_in(key.kind, || place.is_none_or(|name| self.data.namespaces.is_add_on(name)))
        };
        self.unread_lists(rule).iter().any(|(key, _)| heavy(key))
            || rule.probes.iter().any(|probe| self.inventory.probe(*probe).is_err())
    }

    fn unread_lists(&self, rule: &Rule) -> Vec<(ReadKey, String)> {
        // Manifests are judged without a cluster, so nothing else can be read.
        if self.manifests {
            return Vec::new();
        }
        let cluster = rule.reads.iter().filter(|read| read.scope == Scope::Cluster);
        let mut keys: Vec<ReadKey> = cluster.map(|read| ReadKey { kind: read.kind, namespace: None }).collect();
        keys.extend(self.namespaced_keys(rule).into_iter().filter(|key| !self.has_all(key.kind)));
        let mut gaps = Vec::new();
        for key in keys {
            let why = match self.inventory.reads.get(&key) {
                None | Some(ReadState::NotRecorded) if may_be_unrecorded(rule, key.kind) => None,
                Some(state) => state.gap(&key),
                None => Some(format!("{key} was not read")),
            };
            gaps.extend(why.map(|why| (key, why)));
        }
        gaps
    }

    /// The reasons why a rule lacks lists or probes that it needs.
    pub(super) fn gaps(&self, rule: &Rule) -> Vec<String> {
        let mut gaps: Vec<String> = self.unread(rule).into_iter().map(|(_, why)| why).collect();
        gaps.extend(rule.probes.iter().filter_map(|probe| self.inventory.probe(*probe).err()));
        gaps
    }

    fn namespaced_keys(&self, rule: &Rule) -> Vec<ReadKey> {
        // If the namespaces could not be listed, all that the data knows are tried.
        let listed = matches!(self.inventory.read(&kinds::NAMESPACE), Some(ReadState::Complete { .. }));
        let exists = |name: &str| !listed || self.inventory.namespaces.iter().any(|own| own == name);
        let rows = || self.data.namespaces.namespaces.iter().filter(|row| row.condition.is_none());
        let system = || rows().map(|row| &*row.name).chain([own::NAMESPACE]).filter(|name| exists(name));
        let mut keys = Vec::new();
        for read in rule.reads {
            if matches!(read.scope, Scope::Cluster | Scope::IfRead) {
                continue;
            }
            if read.scope == Scope::BesideGuard {
                let guarded = listed && exists(own::NAMESPACE);
                keys.extend(guarded.then_some(ReadKey { kind: read.kind, namespace: None }));
                continue;
            }
            let names = system().filter(|name| covers(read, name, self.data));
            keys.extend(names.map(|name| ReadKey { kind: read.kind, namespace: Some(name.to_owned()) }));
        }
        keys
    }

    /// Whether the list of a kind over the whole cluster was read, so that none of a namespace is needed.
    fn has_all(&self, kind: &'static Kind) -> bool {
        matches!(self.inventory.read(kind), Some(ReadState::Complete { .. }))
    }
}

/// Whether a rule that reads a list looks at its objects in a namespace.
pub(super) fn covers(read: &Read, namespace: &str, data: &Data) -> bool {
    match read.scope {
        Scope::BesideGuard | Scope::Cluster | Scope::IfRead => true,
        Scope::AddOnNamespaces => data.namespaces.is_add_on(namespace),
        Scope::ArcNamespaces => data.namespaces.is_arc(namespace),
        Scope::ComponentNamespaces => holds_components(data, read.kind, namespace),
        Scope::ComponentRecords => kinds::ROLLED_OUT.iter().any(|kind| holds_components(data, kind, namespace)),
        Scope::KubeSystem => namespace == certificate::NAMESPACE,
        Scope::ManagedNamespaces => data.namespaces.judges(namespace, read.kind),
        Scope::Own => namespace == own::NAMESPACE,
    }
}

/// Whether a rule reads a kind only for the records that Kubernetes keeps beside components, or for the guard's policies:
/// older snapshots lack them.
fn may_be_unrecorded(rule: &Rule, kind: &Kind) -> bool {
    let mut reads = rule.reads.iter().filter(|read| read.kind == kind).peekable();
    reads.peek().is_some() && reads.all(|read| matches!(read.scope, Scope::BesideGuard | Scope::ComponentRecords))
}

/// Whether the catalogue has components of a kind in a namespace.
fn holds_components(data: &Data, kind: &Kind, namespace: &str) -> bool {
    let protected = data.namespaces.protected(namespace).is_some();
    data.components.iter().any(|component| {
        !component.static_pod
            && component.kinds.iter().any(|own| own == kind.kind)
            && (component.namespaces.iter().any(|own| own == namespace) || (component.any_namespace && protected))
    })
}
