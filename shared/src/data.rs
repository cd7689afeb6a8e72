//! The policy as data: what ages, or differs between clusters, stands in `data/*.yaml` with source, date and confidence.

pub mod alpha;
pub mod capi;
pub mod cluster_objects;
pub mod essentials;
pub mod extensions;
pub mod known_issues;
pub mod lifecycle;
pub mod limits;
pub mod network;
pub mod node_power;
pub mod previews;
pub mod third_party;

use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;

use crate::actor::User;
use crate::data::capi::CapiKeys;
use crate::data::cluster_objects::ClusterObjects;
use crate::read::yaml;

/// The tables built into this release.
pub fn embedded() -> &'static Data {
    static DATA: LazyLock<Data> = LazyLock::new(|| {
        // The files are part of the program; `tables_parse` proves at build time that this cannot fail.
        Data::parse_embedded().unwrap_or_else(|error| unreachable!("an embedded table does not parse: {error}"))
    });
    &DATA
}

/// The version tables as they stand in the file, to begin one of one's own with.
pub const VERSIONS: &str = include_str!("../data/versions.yaml");

/// How well a fact is known. `Seen` facts never void support on their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Confidence {
    /// Documentation or code of Microsoft or the upstream project.
    Doc,
    /// Once, in a sample, an issue or a public copy of code.
    Seen,
    /// Our conclusion.
    Inferred,
}

/// Every table.
#[derive(Clone, Debug)]
pub struct Data {
    /// The policy texts.
    pub documents: Vec<Document>,
    /// The policy, clause by clause, in our words.
    pub clauses: Vec<ClauseText>,
    /// The platforms.
    pub platforms: Vec<PlatformText>,
    /// Ends of hosts and node systems, runtimes, ages, skew.
    pub lifecycle: lifecycle::Lifecycle,
    /// Kubernetes versions per platform.
    pub versions: Vec<crate::versions::Table>,
    /// Node metadata.
    pub node_keys: NodeKeys,
    /// FieldManagers.
    pub managers: Managers,
    /// Who acts for the platform.
    pub identities: Identities,
    /// System namespaces.
    pub namespaces: Namespaces,
    /// Managed components.
    pub components: Vec<Component>,
    /// What users may create where they otherwise may not.
    pub lawful: Lawful,
    /// Marks that tell whose an object is.
    pub provenance: Provenance,
    /// Marks of the platform, and of products that are not AKS Arc.
    pub products: Products,
    /// What Cluster API writes on its objects.
    pub capi_keys: CapiKeys,
    /// The platform's objects that stand in no namespace.
    pub cluster_objects: ClusterObjects,
    /// Alpha APIs and feature gates of Kubernetes.
    pub alpha: alpha::Alpha,
    /// How large a cluster may be.
    pub limits: Vec<limits::Limits>,
    /// What belongs to every cluster.
    pub essentials: Vec<essentials::Essential>,
    /// Microsoft's previews.
    pub previews: Vec<previews::Preview>,
    /// Network software.
    pub network: network::Network,
    /// What gives a pod power over its node.
    pub node_power: node_power::NodePower,
    /// What Arc extensions bring.
    pub extensions: Vec<extensions::Extension>,
    /// Software of others.
    pub third_party: third_party::ThirdParty,
    /// Known issues, by the rules that find their traces.
    pub known_issues: Vec<known_issues::KnownIssue>,
}

impl Data {
    fn parse_embedded() -> Result<Self, crate::read::json::ReadError> {
        Ok(Data {
            documents: yaml::parse(include_str!("../data/documents.yaml"))?,
            clauses: yaml::parse(include_str!("../data/clauses.yaml"))?,
            platforms: yaml::parse(include_str!("../data/platforms.yaml"))?,
            lifecycle: yaml::parse(include_str!("../data/lifecycle.yaml"))?,
            versions: yaml::parse(VERSIONS)?,
            node_keys: yaml::parse(include_str!("../data/node-keys.yaml"))?,
            managers: yaml::parse(include_str!("../data/managers.yaml"))?,
            identities: yaml::parse(include_str!("../data/identities.yaml"))?,
            namespaces: yaml::parse(include_str!("../data/namespaces.yaml"))?,
            components: yaml::parse(include_str!("../data/components.yaml"))?,
            lawful: yaml::parse(include_str!("../data/lawful.yaml"))?,
            provenance: yaml::parse(include_str!("../data/provenance.yaml"))?,
            products: yaml::parse(include_str!("../data/other-products.yaml"))?,
            capi_keys: yaml::parse(include_str!("../data/capi-keys.yaml"))?,
            cluster_objects: yaml::parse(include_str!("../data/cluster-objects.yaml"))?,
            alpha: yaml::parse(include_str!("../data/alpha.yaml"))?,
            limits: yaml::parse(include_str!("../data/limits.yaml"))?,
            essentials: yaml::parse(include_str!("../data/essentials.yaml"))?,
            previews: yaml::parse(include_str!("../data/previews.yaml"))?,
            network: yaml::parse(include_str!("../data/network.yaml"))?,
            node_power: yaml::parse(include_str!("../data/node-power.yaml"))?,
            extensions: yaml::parse(include_str!("../data/extensions.yaml"))?,
            third_party: yaml::parse(include_str!("../data/third-party.yaml"))?,
            known_issues: yaml::parse(include_str!("../data/known-issues.yaml"))?,
        })
    }

    /// The policy text of a platform.
    pub fn document(&self, platform: Platform) -> Option<&Document> {
        let id = &self.platforms.iter().find(|row| row.name == platform)?.document;
        self.documents.iter().find(|document| document.id == *id)
    }

    /// The version table of a platform.
    pub fn version_table(&self, platform: Platform) -> Option<&crate::versions::Table> {
        self.versions.iter().find(|table| table.platform == platform)
    }

    /// The catalogued component an object is, if it is one.
    pub fn component(&self, kind: &str, namespace: &str, name: &str) -> Option<&Component> {
        self.components.iter().find(|component| component.is(kind, namespace, name))
    }
}

/// Where AKS Arc runs: each has its own policy text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Platform {
    /// AKS on Windows Server.
    WindowsServer,
    /// AKS on Azure Stack HCI 22H2.
    #[serde(rename = "hci-22h2")]
    Hci22h2,
    /// AKS on Azure Local.
    AzureLocal,
    /// AKS on bare metal, a preview.
    BareMetal,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Platform; 4] =
        [Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal, Platform::BareMetal];

    /// The word users type.
    pub fn as_str(self) -> &'static str {
        match self {
            Platform::WindowsServer => "windows-server",
            Platform::Hci22h2 => "hci-22h2",
            Platform::AzureLocal => "azure-local",
            Platform::BareMetal => "bare-metal",
        }
    }

    /// From the word users type.
    pub fn parse(word: &str) -> Option<Self> {
        Platform::ALL.into_iter().find(|platform| platform.as_str() == word)
    }
}

/// A policy text.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Our id for it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its date; some are undated.
    pub date: Option<Date>,
    /// Platforms it speaks of.
    #[serde(skip_serializing)]
    pub platforms: Vec<Platform>,
    /// Where it is published.
    #[serde(default, skip_serializing)]
    pub url: Option<String>,
}

/// A clause, in our words.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClauseText {
    /// `C13`.
    pub id: String,
    /// The section of the policy text it stands in.
    pub section: String,
    /// What it says.
    pub says: String,
    /// What follows.
    pub consequence: String,
    /// What can decide it.
    pub sees: Vec<Sees>,
    /// How the text of a platform differs.
    #[serde(default)]
    pub differs: std::collections::BTreeMap<String, String>,
    /// What settles it besides rules and questions, or why nothing in a cluster does.
    #[serde(default)]
    pub settled_by: Option<String>,
    /// Who can answer what Kubernetes cannot show, and how.
    #[serde(default)]
    pub ask: Option<String>,
    /// What the question is about, in a few words.
    #[serde(default)]
    pub topic: Option<String>,
    /// How many days somebody's answer holds.
    #[serde(default, skip_serializing)]
    pub holds_days: Option<i64>,
    /// The clause whose question is asked instead of one of its own.
    #[serde(default, skip_serializing)]
    pub asked_with: Option<String>,
    /// Platforms whose text has no such clause, so that nobody is asked there.
    #[serde(default, skip_serializing)]
    pub no_text_on: Vec<Platform>,
    /// The release of the host answers it.
    #[serde(default, skip_serializing)]
    pub settled_by_release: bool,
}

/// What can decide a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sees {
    /// Somebody's dated answer; not observable from Kubernetes.
    Attest,
    /// The guard and the dry run, when it is attempted.
    Change,
    /// The Kubernetes API.
    Cluster,
    /// Traces, not the fact.
    Evidence,
    /// Nothing to decide.
    Information,
    /// The platform alone.
    Profile,
}

/// A platform.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformText {
    /// The platform.
    pub name: Platform,
    /// Its product name.
    pub title: String,
    /// One letter, for tables.
    pub short: String,
    /// Id of its policy text.
    pub document: String,
}

/// An exact name or a prefix; exactly one of both is set.
#[derive(Clone, Debug, Deserialize)]
pub struct Pattern {
    #[serde(default, alias = "key")]
    name: Option<String>,
    #[serde(default)]
    prefix: Option<String>,
}

impl Pattern {
    /// Whether it covers `text`.
    pub fn is(&self, text: &str) -> bool {
        match (&self.name, &self.prefix) {
            (Some(name), _) => name == text,
            (None, Some(prefix)) => text.starts_with(&**prefix),
            (None, None) => false,
        }
    }

    /// Exact before prefix, longer before shorter.
    fn rank(&self) -> (bool, usize) {
        (self.name.is_some(), self.name.as_ref().or(self.prefix.as_ref()).map_or(0, String::len))
    }

    #[cfg(test)]
    fn is_one(&self) -> bool {
        self.name.is_some() != self.prefix.is_some()
    }
}

/// What the system writes on nodes, and which keys are reserved to it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeKeys {
    /// Prefixes reserved to the system.
    pub reserved_prefixes: Vec<ReservedPrefix>,
    /// Known system labels.
    pub labels: Vec<SystemKey>,
    /// Known system annotations.
    pub annotations: Vec<SystemKey>,
    /// Known system taints, by key.
    pub taints: Vec<SystemKey>,
    /// Keys that are the user's although they look otherwise.
    pub exceptions: Vec<Exception>,
}

/// A reserved prefix.
#[derive(Clone, Debug, Deserialize)]
pub struct ReservedPrefix {
    /// `kubernetes.io/`.
    pub prefix: String,
    /// Whether `node.kubernetes.io/` falls under it too.
    pub subdomains: bool,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
}

/// A known system key.
#[derive(Clone, Debug, Deserialize)]
pub struct SystemKey {
    /// Which keys.
    #[serde(flatten)]
    pub key: Pattern,
    /// Who writes it.
    #[serde(default)]
    pub writer: String,
    /// Whether it says the same on every node of a pool.
    #[serde(default)]
    pub pool_wide: bool,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
}

/// What metadata a key stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// `metadata.annotations`.
    Annotation,
    /// `metadata.labels`.
    Label,
    /// `spec.taints`.
    Taint,
}

/// A key that is the user's although it looks otherwise.
#[derive(Clone, Debug, Deserialize)]
pub struct Exception {
    /// Which keys.
    #[serde(flatten)]
    pub key: Pattern,
    /// Where.
    pub on: Vec<Place>,
    /// Why.
    pub note: String,
    /// Whether nothing at all is said about it.
    pub silent: bool,
}

/// What the tables say of a key.
#[derive(Clone, Copy, Debug)]
pub enum Ruling<'d> {
    /// It is the user's although it looks otherwise.
    Exception(&'d Exception),
    /// The system seems to write it, but nothing we hold documents that: too little to accuse anybody by.
    Guess(&'d SystemKey),
    /// The system writes it.
    Known(&'d SystemKey),
    /// Nothing.
    Silent,
}

impl NodeKeys {
    /// What the tables say of `key` at `place`. An exact key wins over a prefix, a longer prefix over a shorter one, and
    /// between equals an exception over a system key.
    pub fn ruling(&self, place: Place, key: &str) -> Ruling<'_> {
        let table = match place {
            Place::Annotation => &self.annotations,
            Place::Label => &self.labels,
            Place::Taint => &self.taints,
        };
        let known = table.iter().filter(|row| row.key.is(key)).max_by_key(|row| row.key.rank());
        let excepted = self
            .exceptions
            .iter()
            .filter(|row| row.on.contains(&place) && row.key.is(key))
            .max_by_key(|row| row.key.rank());
        match (known, excepted) {
            (Some(known), Some(excepted)) if known.key.rank() <= excepted.key.rank() => Ruling::Exception(excepted),
            (Some(known), _) if known.confidence == Confidence::Doc => Ruling::Known(known),
            (Some(guess), _) => Ruling::Guess(guess),
            (None, Some(excepted)) => Ruling::Exception(excepted),
            (None, None) => Ruling::Silent,
        }
    }

    /// Whether `key` at `place` is a known system key.
    pub fn is_known(&self, place: Place, key: &str) -> bool {
        matches!(self.ruling(place, key), Ruling::Known(_))
    }

    /// Whether a system annotation says the same on every node of a pool, so that the others tell what it was.
    pub fn is_pool_wide(&self, annotation: &str) -> bool {
        self.annotations.iter().any(|row| row.pool_wide && row.key.is(annotation))
    }

    /// The reserved prefix `key` falls under.
    pub fn reserved(&self, key: &str) -> Option<&ReservedPrefix> {
        let (domain, _) = key.split_once('/')?;
        self.reserved_prefixes.iter().find(|row| {
            let reserved = row.prefix.trim_end_matches('/');
            domain == reserved
                || (row.subdomains && domain.strip_suffix(reserved).is_some_and(|rest| rest.ends_with('.')))
        })
    }
}

/// What fieldManagers tell.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Managers {
    /// People's tools and their automation.
    pub people: Vec<Tool>,
    /// The platform's components.
    pub platform: Vec<PlatformManager>,
}

/// A tool of people's.
#[derive(Clone, Debug, Deserialize)]
pub struct Tool {
    /// FieldManagers it uses.
    #[serde(flatten)]
    pub manager: Pattern,
    /// Its name.
    pub tool: String,
    /// Whether it acts on its own, like a GitOps controller.
    #[serde(default)]
    pub automation: bool,
}

/// A component of the platform's.
#[derive(Clone, Debug, Deserialize)]
pub struct PlatformManager {
    /// FieldManagers it uses.
    #[serde(flatten)]
    pub manager: Pattern,
    /// Its name.
    pub component: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
}

impl Managers {
    /// The person's tool behind a fieldManager.
    pub fn person(&self, manager: &str) -> Option<&Tool> {
        self.people.iter().find(|tool| tool.manager.is(manager))
    }

    /// The platform's component behind a fieldManager.
    pub fn platform(&self, manager: &str) -> Option<&PlatformManager> {
        self.platform.iter().find(|row| row.manager.is(manager))
    }
}

/// Who acts for the platform. Exact names only: a prefix would free every service account there is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identities {
    /// Users.
    pub users: Vec<Identity>,
    /// Groups.
    pub groups: Vec<Identity>,
    /// Groups that the platform and people share.
    pub ambiguous_groups: Vec<String>,
}

/// A user or a group.
#[derive(Clone, Debug, Deserialize)]
pub struct Identity {
    /// Exact name.
    pub name: String,
    /// What it is.
    pub what: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
}

impl Identities {
    /// Whether a user is the platform, by exact name or group.
    pub fn is_platform(&self, user: &User) -> bool {
        self.users.iter().any(|row| row.name == user.name)
            || self.groups.iter().any(|row| user.groups.contains(&row.name))
    }
}

/// The system namespaces.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Namespaces {
    /// The namespaces.
    pub namespaces: Vec<SystemNamespace>,
    /// Metadata the system writes on them.
    pub system_keys: Vec<NamespaceKey>,
}

/// A system namespace.
#[derive(Clone, Debug, Deserialize)]
pub struct SystemNamespace {
    /// Exact name.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// Platforms it exists on; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    pub source: String,
    /// Whether it and its metadata are protected.
    pub protected: bool,
    /// Whether add-ons in it are managed, so that a user's own do not belong there.
    pub workloads: bool,
    /// It is the system's only under this condition; otherwise the user's.
    #[serde(default)]
    pub condition: Option<String>,
}

/// A key the system writes on its namespaces.
#[derive(Clone, Debug, Deserialize)]
pub struct NamespaceKey {
    /// Which keys.
    #[serde(flatten)]
    pub key: Pattern,
    /// On which namespaces; empty for all.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Labels or annotations.
    pub on: Vec<Place>,
}

impl Namespaces {
    /// The unconditional, protected system namespace of this name.
    pub fn protected(&self, name: &str) -> Option<&SystemNamespace> {
        self.namespaces.iter().find(|row| row.name == name && row.protected && row.condition.is_none())
    }

    /// Whether a user's add-on does not belong in this namespace.
    pub fn is_add_on(&self, name: &str) -> bool {
        self.namespaces.iter().any(|row| row.name == name && row.workloads)
    }

    /// Whether it is a namespace of the Arc agents.
    pub fn is_arc(&self, name: &str) -> bool {
        self.protected(name).is_some_and(|row| row.owner == "arc")
    }

    /// Whether the system writes `key` on this namespace.
    pub fn is_system_key(&self, namespace: &str, place: Place, key: &str) -> bool {
        self.system_keys.iter().any(|row| {
            row.key.is(key)
                && row.on.contains(&place)
                && (row.namespaces.is_empty() || row.namespaces.iter().any(|name| name == namespace))
        })
    }
}

/// A managed component.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Component {
    /// Exact name; or `prefix`.
    #[serde(default)]
    pub name: Option<String>,
    /// How its name begins, where the rest varies.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Kinds.
    pub kinds: Vec<String>,
    /// Namespaces.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Its namespace is not known: any system namespace.
    #[serde(default)]
    pub any_namespace: bool,
    /// Platforms it exists on; empty for all.
    #[serde(default)]
    pub platforms: Vec<Platform>,
    /// How well it is known.
    #[serde(default = "configured")]
    pub confidence: Confidence,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
    /// What it belongs to.
    #[serde(default)]
    pub product: String,
    /// A static pod, written by the kubelet from a file on the node.
    #[serde(default)]
    pub static_pod: bool,
    /// It is released with Kubernetes, so that its image's tag is its version; and what it may be behind. Ours to know.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub versioned: Option<Versioned>,
    /// Part of an Arc extension that users install on purpose.
    #[serde(default)]
    pub extension: bool,
}

/// A part of Kubernetes whose version is held against the API server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Versioned {
    /// The API server itself.
    ApiServer,
    /// Controller manager and scheduler.
    Controller,
    /// The proxy on nodes.
    Proxy,
}

/// What a user lists in the configuration is theirs to know.
fn configured() -> Confidence {
    Confidence::Doc
}

impl Component {
    /// Whether an object is this component.
    pub fn is(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let named = match (&self.name, &self.prefix) {
            (Some(own), _) => own == name,
            (None, Some(prefix)) => name.starts_with(&**prefix),
            (None, None) => false,
        };
        named
            && self.kinds.iter().any(|own| own == kind)
            && (self.namespaces.iter().any(|own| own == namespace)
                || (self.any_namespace && embedded_namespace(namespace)))
    }
}

/// A component of unknown namespace is looked for in system namespaces only, never in a user's.
fn embedded_namespace(name: &str) -> bool {
    embedded().namespaces.protected(name).is_some()
}

/// Objects users may create or touch among managed ones.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lawful {
    /// Kinds that never count.
    pub always: Vec<String>,
    /// Objects.
    pub objects: Vec<LawfulObject>,
}

/// An object users may create or touch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LawfulObject {
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Exact name; or `prefix`.
    #[serde(default)]
    pub name: Option<String>,
    /// How its name begins.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Why it is lawful.
    #[serde(default)]
    pub why: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
}

impl Lawful {
    /// Whether an object is lawful.
    pub fn covers(&self, kind: &str, namespace: &str, name: &str) -> bool {
        self.always.iter().any(|own| own == kind)
            || self.objects.iter().any(|row| {
                row.kind == kind
                    && row.namespace == namespace
                    && match (&row.name, &row.prefix) {
                        (Some(own), _) => own == name,
                        (None, Some(prefix)) => name.starts_with(&**prefix),
                        (None, None) => false,
                    }
            })
    }
}

/// Marks that tell whose an object is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Helm releases of the platform's own.
    pub helm_releases: Vec<String>,
    /// FieldManagers that Helm writes as.
    pub helm_managers: Vec<String>,
    /// Registries only Microsoft publishes to.
    pub image_registries: Vec<String>,
    /// Marks that people's tools leave.
    pub person_marks: PersonMarks,
}

/// Marks that people's tools leave.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonMarks {
    /// Labels.
    pub labels: Vec<Mark>,
    /// Annotations.
    pub annotations: Vec<Mark>,
}

/// A mark.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Exact key.
    pub key: String,
    /// The tool that leaves it.
    pub tool: String,
}

/// How the platform and other products are told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Products {
    /// Products that are not AKS Arc.
    pub products: Vec<Product>,
    /// How `spec.providerID` of a VM-based AKS Arc node begins.
    pub provider_id_prefix: String,
    /// How the name of an AKS Arc node begins.
    pub node_name_prefix: String,
}

/// A product that is not AKS Arc; one mark is enough.
#[derive(Clone, Debug, Deserialize)]
pub struct Product {
    /// Its name.
    pub product: String,
    /// A node annotation of its own.
    #[serde(default)]
    pub annotation: Option<String>,
    /// A node label of its own.
    #[serde(default)]
    pub label: Option<String>,
    /// How its providerIDs begin.
    #[serde(default)]
    pub provider_id_prefix: Option<String>,
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
            assert!(data.version_table(platform).is_some(), "{platform:?} has no version table");
        }
    }

    #[test]
    fn every_pattern_is_a_name_or_a_prefix() {
        let data = embedded();
        let keys = &data.node_keys;
        for key in keys.labels.iter().chain(&keys.annotations).chain(&keys.taints) {
            assert!(key.key.is_one(), "{key:?}");
        }
        assert!(keys.exceptions.iter().all(|row| row.key.is_one()));
        assert!(data.managers.people.iter().all(|row| row.manager.is_one()));
        assert!(data.managers.platform.iter().all(|row| row.manager.is_one()));
        assert!(data.components.iter().all(|row| row.name.is_some() != row.prefix.is_some()));
    }

    #[test]
    fn clauses_that_need_an_answer_say_whom_to_ask() {
        for clause in &embedded().clauses {
            assert_eq!(clause.sees.contains(&Sees::Attest), clause.ask.is_some(), "{}", clause.id);
        }
    }

    #[test]
    fn no_platform_manager_is_a_tool_of_peoples() {
        let managers = &embedded().managers;
        for row in &managers.platform {
            let name = row.manager.name.as_ref().or(row.manager.prefix.as_ref()).unwrap();
            assert!(managers.person(name).is_none(), "{name} is both");
        }
    }

    #[test]
    fn reserved_prefixes_match_whole_domains() {
        let keys = &embedded().node_keys;
        for reserved in ["kubernetes.io/x", "node.kubernetes.io/x", "kubernetes.azure.com/x", "a.cluster.x-k8s.io/b"] {
            assert!(keys.reserved(reserved).is_some(), "{reserved}");
        }
        for own in
            ["mykubernetes.io/x", "k8s.io/x", "x", "sub.kubernetes.azure.com.example/x", "example.com/kubernetes.io"]
        {
            assert!(keys.reserved(own).is_none(), "{own}");
        }
    }
}
