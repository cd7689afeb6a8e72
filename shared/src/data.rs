//! The policy as data. Facts that age or differ between clusters are rows in `data/*.yaml`, each with source, date and
//! confidence.

/// One table, as JSON that the build script made from the YAML: it parses in a fraction of the time, with less code.
macro_rules! table {
    ($name:literal) => {
        serde_json::from_str(include_str!(concat!(env!("OUT_DIR"), "/", $name, ".json")))
    };
}

pub mod alpha;
pub mod api_groups;
pub mod capi;
pub mod cluster_objects;
mod components;
mod confidence;
pub mod essentials;
pub mod extensions;
mod identities;
pub mod known_issues;
mod lawful;
pub mod lifecycle;
pub mod limits;
pub mod managed_pods;
mod managers;
mod namespaces;
pub mod network;
mod node_keys;
pub mod node_power;
pub mod own;
mod pattern;
mod platform;
mod policy;
pub mod previews;
mod products;
mod provenance;
pub mod remediations;
pub mod tables;
pub mod third_party;
pub mod versions;

use std::sync::{Arc, LazyLock};

use crate::data::capi::CapiKeys;
use crate::data::cluster_objects::ClusterObjects;
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;

pub use components::{Component, Part, Versioned};
pub use confidence::Confidence;
pub use identities::{Identities, Identity};
pub use lawful::{Lawful, LawfulObject};
pub use managers::{Managers, PlatformManager, Tool};
pub use namespaces::{AddOns, NamespaceKey, Namespaces, SystemNamespace};
pub use node_keys::{Exception, NodeKeys, Place, ReservedPrefix, Ruling, SystemKey};
pub use pattern::{Pattern, PatternTable};
pub use platform::{Platform, PlatformText};
pub use policy::{ClauseText, Document, Sees};
pub use products::{Product, Products};
pub use provenance::{Mark, PersonMarks, ProvenanceMarks};

/// The tables built into this release.
pub fn embedded() -> &'static Data {
    static DATA: LazyLock<Data> = LazyLock::new(|| {
        // The files are part of the program; `tables_parse` proves at build time that this cannot fail.
        Data::parse_embedded().unwrap_or_else(|error| unreachable!("an embedded table does not parse: {error}"))
    });
    &DATA
}

/// The built-in version tables as the file has them, as a template for tables of one's own.
pub const VERSIONS: &str = include_str!("../data/versions.yaml");

/// All data tables. Copies share the large ones, since each guard has a copy of which it narrows and extends a few.
#[derive(Clone, Debug)]
pub struct Data {
    /// The policy texts, and other pages that findings cite.
    pub documents: Arc<Vec<Document>>,
    /// The policy, clause by clause, in our words.
    pub clauses: Arc<Vec<ClauseText>>,
    /// The platforms.
    pub platforms: Vec<PlatformText>,
    /// Node metadata.
    pub node_keys: Arc<NodeKeys>,
    /// The field managers of known tools and components.
    pub managers: Managers,
    /// The users and groups that act for the platform.
    pub identities: Identities,
    /// System namespaces.
    pub namespaces: Namespaces,
    /// Managed components.
    pub components: Vec<Component>,
    /// The labels of managed pods.
    pub managed_pods: Vec<managed_pods::ManagedPods>,
    /// Objects that users may create or change among managed ones.
    pub lawful: Lawful,
    /// Marks that show whose an object is: releases, registries, labels of tools.
    pub provenance: ProvenanceMarks,
    /// Marks of the platform, and of products that are not AKS Arc.
    pub products: Products,
    /// Metadata that Cluster API writes on its objects.
    pub capi_keys: CapiKeys,
    /// The platform's cluster-scoped objects.
    pub cluster_objects: ClusterObjects,
    /// API groups by owner.
    pub api_groups: api_groups::ApiGroups,
    /// Network software.
    pub network: network::Network,
    /// Capabilities and sockets that give a pod power over its node.
    pub node_power: node_power::NodePower,
    /// The remediations of Microsoft's support module.
    pub remediations: Arc<Vec<remediations::Remediation>>,
}

impl Data {
    fn parse_embedded() -> Result<Self, serde_json::Error> {
        Ok(Data {
            documents: Arc::new(table!("documents")?),
            clauses: Arc::new(table!("clauses")?),
            platforms: table!("platforms")?,
            node_keys: Arc::new(table!("node-keys")?),
            managers: table!("managers")?,
            identities: table!("identities")?,
            namespaces: table!("namespaces")?,
            components: table!("components")?,
            managed_pods: table!("managed-pods")?,
            lawful: table!("lawful")?,
            provenance: table!("provenance")?,
            products: table!("other-products")?,
            capi_keys: table!("capi-keys")?,
            cluster_objects: table!("cluster-objects")?,
            api_groups: table!("api-groups")?,
            network: table!("network")?,
            node_power: table!("node-power")?,
            remediations: Arc::new(table!("remediations")?),
        })
    }

    /// The tables for a cluster on these platforms: without the components and cluster-scoped objects of other
    /// platforms, which are ordinary objects here.
    #[must_use]
    pub fn on(&self, platforms: &[Platform]) -> Data {
        let here = |own: &[Platform]| own.is_empty() || own.iter().any(|own| platforms.contains(own));
        let mut data = self.clone();
        data.components.retain(|row| here(&row.platforms));
        data.cluster_objects.objects.retain(|row| here(&row.platforms));
        data
    }

    /// Whether Microsoft's documents tell users to create or change this object, judged by its purpose and its name.
    pub fn allows(&self, kind: &Kind, namespace: &str, name: &str, object: &Object<'_>) -> bool {
        self.lawful.allows(kind, (namespace, name), object, &self.provenance)
    }

    /// The policy texts, without the other pages that findings cite.
    pub fn policy_texts(&self) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(|document| !document.platforms.is_empty())
    }

    /// The policy text of a platform.
    pub fn document(&self, platform: Platform) -> Option<&Document> {
        let id = &self.platforms.iter().find(|row| row.name == platform)?.document;
        self.documents.iter().find(|document| document.id == *id)
    }

    /// The catalogued component that this object is, if it is one.
    pub fn component(&self, kind: &str, namespace: &str, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.is(kind, namespace, name, &self.namespaces))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_parse() {
        let data = Data::parse_embedded().unwrap();
        let ids: Vec<&str> = data.clauses.iter().map(|clause| &*clause.id).collect();
        let expected: Vec<String> = (1..=39).map(|n| format!("C{n:02}")).collect();
        assert_eq!(ids, expected);
        for platform in Platform::ALL {
            assert!(data.document(platform).is_some(), "{platform:?} has no document");
        }
    }

    #[test]
    fn every_pattern_is_a_name_or_a_prefix() {
        let data = embedded();
        let keys = &data.node_keys;
        for key in [&keys.labels, &keys.annotations, &keys.taints].into_iter().flat_map(|table| table.iter()) {
            assert!(key.key.is_one(), "{key:?}");
        }
        assert!(keys.exceptions.iter().all(|row| row.key.is_one()));
        assert!(data.managers.people.iter().all(|row| row.manager.is_one()));
        assert!(data.managers.platform.iter().all(|row| row.manager.is_one()));
        assert!(data.components.iter().all(|row| row.name.is_some() != row.prefix.is_some()));
    }
}
