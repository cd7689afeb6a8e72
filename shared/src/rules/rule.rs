//! The declaration of a rule. Lists, RBAC, webhook rules, `explain` and coverage derive from it.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::data::{Data, Platform};
use crate::facts::answers::Answers;
use crate::facts::baseline::Comparison;
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::probe::Probe;
use crate::finding::{Basis, Clause, Code, Consequence, Draft};
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;
use crate::k8s::pod::Pod;

/// One rule: one code, one slug, one file, one page. Every field is mandatory, so that a new field makes each rule
/// decide.
#[derive(Debug)]
pub struct Rule {
    /// The code; never reused.
    pub code: Code,
    /// The name of the problem.
    pub slug: &'static str,
    /// The problem in one sentence.
    pub summary: &'static str,
    /// The consequence, by platform.
    pub consequence: Weight,
    /// The authority behind the consequence, by platform.
    pub basis: Grounds,
    /// Clauses; empty for operational rules.
    pub clauses: &'static [Clause],
    /// The platforms the rule applies to.
    pub platforms: &'static [Platform],
    /// The lists the state check reads.
    pub reads: &'static [Read],
    /// The requests the state check needs besides lists.
    pub probes: &'static [Probe],
    /// The requests the guard judges by this rule.
    pub guards: &'static [Watch],
    /// The namespaces in which the guard judges them.
    pub reach: Reach,
    /// The guard's action in the `enforce` preset.
    pub mode: Mode,
    /// The supported alternative in a few words, shown in denials and warnings.
    pub instead: &'static str,
    /// The judgement of a change. `None` when there is nothing to guard.
    pub change: Option<ChangeCheck>,
    /// The judgement of the field manager that a request claims to be.
    pub claim: Option<ClaimCheck>,
    /// The judgement of manifests, which nobody has applied yet.
    pub manifests: ManifestUse,
    /// The lists whose objects may void support by this rule. The verdict needs them when one was not read.
    pub voiding: Voiding,
}

impl Rule {
    /// The consequence on one platform. Where no policy text is known, support is at risk at most.
    pub fn consequence_on(&self, platform: Platform) -> Consequence {
        let declared = match self.consequence {
            Weight::EvenWithoutText(consequence) => return consequence,
            Weight::Always(consequence) => consequence,
            Weight::On { platforms, consequence, elsewhere } => {
                if platforms.contains(&platform) {
                    consequence
                } else {
                    elsewhere
                }
            }
        };
        if platform.has_policy_text() { declared } else { declared.max(Consequence::AtRisk) }
    }

    /// The basis on one platform. Where no policy text is known, nothing is explicit.
    pub fn basis_on(&self, platform: Platform) -> Basis {
        let declared = match self.basis {
            Grounds::Answers => Basis::Explicit,
            Grounds::Always(basis) => basis,
            Grounds::By(of) => of(platform),
        };
        declared.on(platform)
    }

    /// Whether the rule is about `clause`.
    pub fn names(&self, clause: &str) -> bool {
        self.clauses.iter().any(|own| own.as_str() == clause)
    }

    /// The heaviest consequence on any of `platforms`.
    pub fn heaviest(&self, platforms: &[Platform]) -> Consequence {
        platforms.iter().map(|platform| self.consequence_on(*platform)).min().unwrap_or(Consequence::Info)
    }
}

/// A consequence that may differ by platform.
#[derive(Clone, Copy, Debug)]
pub enum Weight {
    /// The same on every platform with a policy text, and no more than at risk where there is none.
    Always(Consequence),
    /// The same everywhere, without a policy text too: for the few readings that need none.
    EvenWithoutText(Consequence),
    /// One on some platforms, another elsewhere.
    On {
        /// Some platforms.
        platforms: &'static [Platform],
        /// The consequence there.
        consequence: Consequence,
        /// The consequence on all others.
        elsewhere: Consequence,
    },
}

/// A basis that may differ by platform.
#[derive(Clone, Copy, Debug)]
pub enum Grounds {
    /// An attestation: an answer to a clause is as explicit as the clause.
    Answers,
    /// The same everywhere.
    Always(Basis),
    /// Each platform's own.
    By(fn(Platform) -> Basis),
}

/// A list the state check needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The kind.
    pub kind: &'static Kind,
    /// The part of the cluster the list covers.
    pub scope: Scope,
}

/// The part of the cluster a list covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The namespaces whose add-ons are managed, by the data.
    AddOnNamespaces,
    /// The system namespaces of the Arc agents, by the data.
    ArcNamespaces,
    /// The whole cluster, where the namespace of the guard exists. Snapshots from before there was such a list do not hold
    /// it, and that alone is no gap.
    BesideGuard,
    /// The whole cluster.
    Cluster,
    /// The system namespaces in which the catalogue has components of this kind.
    ComponentNamespaces,
    /// The whole cluster, if another rule lists it anyway. Without that list there is no gap.
    IfRead,
    /// The system namespaces in which the catalogue has workloads, for the records Kubernetes keeps beside workloads.
    /// Snapshots of 0.1.0 do not hold them, and that alone is no gap.
    ComponentRecords,
    /// kube-system.
    KubeSystem,
    /// The namespaces in which a user's add-on is a finding, by the data.
    ManagedNamespaces,
    /// The namespace of the guard.
    Own,
}

/// The namespaces in which the guard judges namespaced objects. Its own is never among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// All namespaces.
    Everywhere,
    /// The system namespaces, and namespaces in which the catalogue has components.
    System,
}

/// Requests the guard judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The kind.
    pub kind: &'static Kind,
    /// The object itself (empty) or a subresource.
    pub subresource: &'static str,
    /// The operations.
    pub operations: &'static [Operation],
}

/// One kind the guard's webhooks must cover.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watched {
    /// The kind.
    pub kind: &'static Kind,
    /// The subresource; empty for the object itself.
    pub subresource: &'static str,
    /// The operations.
    pub operations: Vec<Operation>,
    /// Codes of the rules that watch it.
    pub codes: Vec<&'static str>,
}

impl Watched {
    /// `deployments/scale`, as webhook rules spell it.
    pub fn resource(&self) -> String {
        if self.subresource.is_empty() {
            self.kind.resource.to_owned()
        } else {
            format!("{}/{}", self.kind.resource, self.subresource)
        }
    }
}

/// The guard's strongest action on a finding. The finding's weight decides whether the guard goes that far, see
/// [`Mode::at_most`]. Off in `warn` and `observe` too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Mode {
    /// Not judged.
    Off,
    /// Allowed without a warning, and recorded in audit annotations, log and metrics.
    Record,
    /// Allowed, with a warning.
    Warn,
    /// Refused.
    Deny,
}

impl Mode {
    /// The strongest action for a finding of this weight: only a finding that voids support is denied, and only one
    /// that endangers support is a warning.
    pub fn at_most(consequence: Consequence) -> Self {
        match consequence {
            Consequence::Voids => Mode::Deny,
            Consequence::AtRisk => Mode::Warn,
            Consequence::NotCovered | Consequence::Info => Mode::Record,
        }
    }

    /// The spelling in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Off => "off",
            Mode::Record => "record",
            Mode::Warn => "warn",
            Mode::Deny => "deny",
        }
    }
}

/// The judgement of a state, a declaration beside the rule's: the guard, which judges changes, does not hold what only
/// checks of states need. Objects come one by one, in pages, and are not kept.
#[derive(Clone, Copy)]
pub struct StateCheck {
    /// Called for every object of the kinds in `reads`, on no platform in particular.
    pub per_object: Option<fn(&Seen<'_, '_>, &mut Notes)>,
    /// Called once after all lists, for each platform the cluster may be on.
    pub per_cluster: Option<fn(&Inventory, &Context<'_>) -> Verdict>,
    /// Deadlines the rule knows of, whether or not it is violated; for each platform the cluster may be on.
    pub deadlines: Option<fn(&Inventory, &Context<'_>) -> Vec<Due>>,
}

/// Something that becomes due on a day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// The last day, UTC.
    pub on: Date,
    /// The subject of the deadline, for people.
    pub what: String,
    /// The thing that becomes due, where several deadlines on it exclude each other: which platform or host it is decides.
    /// Empty where the deadline stands alone.
    pub subject: String,
}

impl StateCheck {
    /// No judgement: the rule minds changes alone.
    pub const NONE: StateCheck = StateCheck { per_object: None, per_cluster: None, deadlines: None };
}

impl std::fmt::Debug for StateCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateCheck")
            .field("per_object", &self.per_object.is_some())
            .field("per_cluster", &self.per_cluster.is_some())
            .field("deadlines", &self.deadlines.is_some())
            .finish()
    }
}

/// The judgement of manifests, which nobody has applied yet.
#[derive(Clone, Copy, Debug)]
pub enum ManifestUse {
    /// As the creation of the object.
    AsCreation,
    /// As the creation of the object, and together with the other manifests of the set.
    Together(&'static Across),
    /// As an object of a state: images, definitions and chart marks stand in manifests too.
    AsState,
    /// As an update of the existing node of that name: nobody makes a node of AKS Arc by a manifest.
    AsNodeUpdate,
    /// As the creation of a node, which only informs: no manifest tells whether a node of that name exists.
    AsNodeCreation,
}

impl ManifestUse {
    /// Whether manifests are judged as objects of a state.
    pub fn as_state(self) -> bool {
        matches!(self, ManifestUse::AsState)
    }

    /// The rule's judgement across manifests, if it has one.
    pub(crate) fn across(self) -> Option<&'static Across> {
        match self {
            ManifestUse::Together(across) => Some(across),
            _ => None,
        }
    }
}

/// The judgement of a set of manifests, for a rule that judges changes.
#[derive(Debug)]
pub struct Across {
    /// Notes one manifest.
    pub(crate) note: fn(&Seen<'_, '_>, &mut Notes),
    /// Adds to the findings on single manifests. Returns the part that stays undecided, as text.
    pub(crate) settle: fn(&Inventory, &Context<'_>, &mut Vec<Draft>) -> Option<String>,
}

/// The lists whose objects may void support by a rule.
#[derive(Clone, Copy, Debug)]
pub enum Voiding {
    /// Any list the rule reads.
    AnyList,
    /// Lists of these kinds, of the whole cluster or of a namespace the policy text names.
    InNamed(fn(&Kind) -> bool),
}

impl Voiding {
    /// Whether a list of `kind` may hold an object that voids support. `is_named` says whether the policy text names
    /// the list's namespace; a list of the whole cluster holds such namespaces too.
    pub(crate) fn may_be_in(self, kind: &Kind, is_named: impl FnOnce() -> bool) -> bool {
        match self {
            Voiding::AnyList => true,
            Voiding::InNamed(is_one) => is_one(kind) && is_named(),
        }
    }
}

/// A draft on a request that claims another field manager than its own, from the change and the request's field
/// manager, which is empty where the request gives none.
pub type ClaimCheck = fn(&Change<'_>, &str, &Data) -> Option<Draft>;

/// The judgement of a change: drafts of its findings.
pub type ChangeCheck = fn(&Change<'_>, &Data) -> Vec<Draft>;

/// An object of a state, with its kind and the tables.
#[derive(Debug)]
pub struct Seen<'o, 'a> {
    /// The object.
    pub object: &'o Object<'a>,
    /// Its kind.
    pub kind: &'static Kind,
    /// The tables.
    pub data: &'o Data,
    /// The requests the guard of this release judges, for the rule on the guard's own configuration. A function,
    /// because no rule knows all others.
    pub watched: fn() -> Vec<Watched>,
}

impl<'a> Seen<'_, 'a> {
    /// The pod the object is, or the pod template it holds. It is parsed once for all rules.
    pub fn pod(&self) -> Option<&Pod<'a>> {
        self.object.pod(self.kind)
    }
}

/// The input of `per_cluster` and `deadlines` besides the inventory.
#[derive(Debug)]
pub struct Context<'d> {
    /// The tables.
    pub data: &'d Data,
    /// The version tables in force: built in, or given by the user.
    pub versions: &'d [crate::data::versions::Table],
    /// The platform assumed.
    pub platform: Platform,
    /// The release of the host below the cluster, if given: `2019`, `22H2`, `2602`.
    pub release: Option<&'d str>,
    /// The baseline compared with the present, if a baseline was given.
    pub baseline: Option<Comparison<'d>>,
    /// Whether the inventory holds manifests, in which nothing runs yet.
    pub manifests: bool,
    /// The attestations that count.
    pub(crate) answers: Answers<'d>,
    /// The lists among the rule's own reads that were not read to the end, with the reason: see [`Context::unread`].
    pub unread: Vec<(&'static Kind, String)>,
    /// The moment of the judgement.
    pub now: Timestamp,
    /// The day of the judgement, UTC.
    pub as_of: Date,
}

impl Context<'_> {
    /// The version table of the platform assumed.
    pub fn version_table(&self) -> Option<&crate::data::versions::Table> {
        self.versions.iter().find(|table| table.platform == self.platform)
    }

    /// The reason why some list of these kinds was not read to the end, if so: the absence of an object then proves
    /// nothing. The check sees to it that such a rule does not pass; the rule itself must not report the absence as a
    /// finding.
    pub fn unread(&self, kinds: &[&Kind]) -> Option<&str> {
        self.unread.iter().find(|(kind, _)| kinds.contains(kind)).map(|(_, why)| &**why)
    }
}

/// A rule's judgement of the whole cluster.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Findings, or none, which is a pass.
    Found(Vec<Draft>),
    /// Undecided, with the reason.
    Unknown(String),
    /// Findings, and the reason why not everything could be decided.
    FoundPartly(Vec<Draft>, String),
    /// Not observable in Kubernetes, with the reason.
    NotObservable(String),
}
