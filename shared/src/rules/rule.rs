//! What a rule declares. Lists, RBAC, webhook rules, `explain` and coverage derive from it.

use crate::facts::notes::Notes;
use crate::finding::Clause;
use crate::finding::Code;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::data::{Data, Platform};
use crate::facts::answers::Answers;
use crate::facts::baseline::Comparison;
use crate::facts::change::{Change, Operation};
use crate::facts::inventory::Inventory;
use crate::facts::probe::Probe;
use crate::finding::{Basis, Consequence, Draft};
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;
use crate::k8s::pod::Pod;

/// One rule: one code, one slug, one file, one page. Every field is mandatory, so that a new one makes each rule decide.
#[derive(Debug)]
pub struct Rule {
    /// Never reused.
    pub code: Code,
    /// Names the problem.
    pub slug: &'static str,
    /// The problem in one sentence.
    pub summary: &'static str,
    /// What follows, by platform.
    pub consequence: Weight,
    /// Whose word that is, by platform.
    pub basis: Grounds,
    /// Clauses; empty for operational rules.
    pub clauses: &'static [Clause],
    /// Where it applies.
    pub platforms: &'static [Platform],
    /// What the state check reads.
    pub reads: &'static [Read],
    /// What it asks of the API server besides lists.
    pub probes: &'static [Probe],
    /// What the guard is asked about.
    pub guards: &'static [Watch],
    /// In which namespaces the guard is asked about them.
    pub reach: Reach,
    /// What the guard does in the `enforce` preset.
    pub mode: Mode,
    /// The supported way, in a few words: it stands in denials and warnings.
    pub instead: &'static str,
    /// The Markdown page.
    pub page: &'static str,
    /// Judges a state.
    pub state: StateCheck,
    /// Judges a change. `None` when there is nothing to guard.
    pub change: Option<ChangeCheck>,
    /// Judges whose hand a change claims to be, by the field manager that asks for it.
    pub claim: Option<ClaimCheck>,
    /// Judges manifests, which nobody has applied yet.
    pub manifests: ManifestUse,
    /// The lists whose objects may void support by this rule, for the verdict where one was not read.
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

    /// Whether a clause is among those that it is about.
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
    /// What somebody answers to a clause, which is as explicit as the clause.
    Answers,
    /// The same everywhere.
    Always(Basis),
    /// Each platform's own.
    By(fn(Platform) -> Basis),
}

/// A list the state check needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Of what.
    pub kind: &'static Kind,
    /// From where.
    pub scope: Scope,
}

/// Where a list is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The namespaces whose add-ons are managed, by the data.
    AddOnNamespaces,
    /// The system namespaces of the Arc agents, by the data.
    ArcNamespaces,
    /// The whole cluster.
    Cluster,
    /// The system namespaces in which the catalogue has components of this kind.
    ComponentNamespaces,
    /// Where another rule's list of the whole cluster is there anyway: what it tells is welcome, and no gap without it.
    IfRead,
    /// The system namespaces in which the catalogue has workloads, for what Kubernetes keeps beside these. Snapshots of 0.1.0 do
    /// not hold it, and that alone is no gap.
    ComponentRecords,
    /// kube-system.
    KubeSystem,
    /// The namespaces in which a user's add-on is a finding, by the data.
    ManagedNamespaces,
    /// The namespace of the guard.
    Own,
}

/// In which namespaces the guard is asked about namespaced objects. Never in its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// In every one.
    Everywhere,
    /// In the system's, and where the catalogue has components.
    System,
}

/// Requests the guard is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// On what.
    pub kind: &'static Kind,
    /// The object itself (empty) or a subresource.
    pub subresource: &'static str,
    /// Doing what.
    pub operations: &'static [Operation],
}

/// One kind the guard must be asked about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watched {
    /// The kind.
    pub kind: &'static Kind,
    /// The subresource; empty for the object itself.
    pub subresource: &'static str,
    /// The operations.
    pub operations: Vec<Operation>,
    /// Codes of the rules that ask.
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

/// What the guard does about a finding at most; the finding's weight decides whether it does that much, see
/// [`Mode::at_most`]. Off in `warn` and `observe` too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Mode {
    /// Not judged.
    Off,
    /// Allowed without a word, and recorded in audit annotations, log and metrics.
    Record,
    /// Allowed, with a warning.
    Warn,
    /// Refused.
    Deny,
}

impl Mode {
    /// What the guard does about a finding of this weight at most: only what voids support is denied, and only what
    /// endangers it is warned of.
    pub fn at_most(consequence: Consequence) -> Self {
        match consequence {
            Consequence::Voids => Mode::Deny,
            Consequence::AtRisk => Mode::Warn,
            Consequence::NotCovered | Consequence::Info => Mode::Record,
        }
    }

    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Off => "off",
            Mode::Record => "record",
            Mode::Warn => "warn",
            Mode::Deny => "deny",
        }
    }
}

/// How a rule judges a state. Objects come one by one, in pages, and are not kept.
#[derive(Clone, Copy)]
pub struct StateCheck {
    /// Called for every object of the kinds in `reads`, on no platform in particular.
    pub per_object: Option<fn(&Seen<'_, '_>, &mut Notes)>,
    /// Called once all is read, for each platform the cluster may be on.
    pub per_cluster: Option<fn(&Inventory, &Context<'_>) -> Verdict>,
    /// What becomes due by this rule, whether or not it is violated; for each platform the cluster may be on.
    pub deadlines: Option<fn(&Inventory, &Context<'_>) -> Vec<Due>>,
}

/// Something that becomes due on a day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// The last day, UTC.
    pub on: Date,
    /// What becomes due, for people.
    pub what: String,
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

/// How a rule judges manifests, which nobody has applied yet.
#[derive(Clone, Copy, Debug)]
pub enum ManifestUse {
    /// As the creation of the object.
    AsCreation,
    /// As the creation of the object; and what several manifests tell together.
    Together(&'static Across),
    /// As an object of a state: images, definitions and marks of charts stand in manifests too.
    AsState,
    /// As an update of the node of that name, which is there: nobody makes a node of AKS Arc by a manifest.
    AsNodeUpdate,
    /// As the creation of a node, which only informs: no manifest tells whether there is a node of that name.
    AsNodeCreation,
}

impl ManifestUse {
    /// Whether manifests are judged as objects of a state.
    pub fn as_state(self) -> bool {
        matches!(self, ManifestUse::AsState)
    }

    /// How the rule looks across manifests, if it does.
    pub(crate) fn across(self) -> Option<&'static Across> {
        match self {
            ManifestUse::Together(across) => Some(across),
            _ => None,
        }
    }
}

/// How a rule that judges changes looks across a set of manifests.
#[derive(Debug)]
pub struct Across {
    /// Notes what one of them tells.
    pub(crate) note: fn(&Seen<'_, '_>, &mut Notes),
    /// Adds to what was found of each alone. What stays undecided is returned, for people.
    pub(crate) settle: fn(&Inventory, &Context<'_>, &mut Vec<Draft>) -> Option<String>,
}

/// Which lists hold objects that may void support by a rule.
#[derive(Clone, Copy, Debug)]
pub enum Voiding {
    /// Any that the rule reads.
    AnyList,
    /// Those of these kinds, of the whole cluster or of a namespace that the policy text names.
    InNamed(fn(&Kind) -> bool),
}

impl Voiding {
    /// Whether a list of a kind may hold what voids support. `is_named` tells of the list's namespace whether the policy text
    /// names it; a list of the whole cluster holds those too.
    pub(crate) fn may_be_in(self, kind: &Kind, is_named: impl FnOnce() -> bool) -> bool {
        match self {
            Voiding::AnyList => true,
            Voiding::InNamed(is_one) => is_one(kind) && is_named(),
        }
    }
}

/// Judges whose hand a change claims to be. The text is the field manager that asks for it, empty where it gives none.
pub type ClaimCheck = fn(&Change<'_>, &str, &Data) -> Option<Draft>;

/// Judges a change.
pub type ChangeCheck = fn(&Change<'_>, &Data) -> Vec<Draft>;

/// An object of a state, with what is known around it.
#[derive(Debug)]
pub struct Seen<'o, 'a> {
    /// The object.
    pub object: &'o Object<'a>,
    /// Its kind.
    pub kind: &'static Kind,
    /// The tables.
    pub data: &'o Data,
    /// What the guard of this release is asked about, for the rule on the guard's own configuration: no rule knows all others.
    pub watched: fn() -> Vec<Watched>,
}

impl<'a> Seen<'_, 'a> {
    /// The pod that the object is, or describes; read once for all rules that ask.
    pub fn pod(&self) -> Option<&Pod<'a>> {
        self.object.pod(self.kind)
    }
}

/// What the whole needs besides the inventory.
#[derive(Debug)]
pub struct Context<'d> {
    /// The tables.
    pub data: &'d Data,
    /// The version tables in force: built in, or given by the user.
    pub versions: &'d [crate::data::versions::Table],
    /// The platform assumed.
    pub platform: Platform,
    /// The release of the host below the cluster, where given: `2019`, `22H2`, `2602`.
    pub release: Option<&'d str>,
    /// What the system created at a known-good time, and what of it is there now; where a baseline was given.
    pub baseline: Option<Comparison<'d>>,
    /// Whether manifests are judged: nothing in them runs yet.
    pub manifests: bool,
    /// What people answered that counts.
    pub(crate) answers: Answers<'d>,
    /// The lists of the rule's own reads that were not read to the end, and why: see [`Context::unread`].
    pub unread: Vec<(&'static Kind, String)>,
    /// The moment judged.
    pub now: Timestamp,
    /// The day judged, UTC.
    pub as_of: Date,
}

impl Context<'_> {
    /// The version table of the platform assumed.
    pub fn version_table(&self) -> Option<&crate::data::versions::Table> {
        self.versions.iter().find(|table| table.platform == self.platform)
    }

    /// Why the absence of an object of these kinds says nothing, if so: not all that the rule reads of them was read. The
    /// check itself sees to it that such a rule does not pass; that it does not accuse either is up to the rule.
    pub fn unread(&self, kinds: &[&Kind]) -> Option<&str> {
        self.unread.iter().find(|(kind, _)| kinds.contains(kind)).map(|(_, why)| &**why)
    }
}

/// What a rule says of the whole.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Findings, or none, which is a pass.
    Found(Vec<Draft>),
    /// Not decided, and why.
    Unknown(String),
    /// Findings, although not everything could be decided.
    FoundPartly(Vec<Draft>, String),
    /// Kubernetes cannot show it here, and why.
    NotObservable(String),
}
