//! A check in progress: its parameters, and the facts read so far.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::written::Unwritten;
use super::{namespace_manifest, node_manifest};
use crate::data::tables;
use crate::data::versions::Table;
use crate::data::{Data, Platform};
use crate::facts::answers::{Answers, Attestation};
use crate::facts::baseline::{Baseline, Comparison, Recorder};
use crate::facts::change::Change;
use crate::facts::inventory::{Inventory, ReadKey, ReadState, Unjudged};
use crate::facts::notes::Notes;
use crate::facts::probe::{Probe, ProbeState};
use crate::finding::{Code, Consequence, Draft};
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::people::waiver::Waiver;
use crate::rules::rule::{Context, Rule};
use crate::rules::{catalogue, derive};

/// The parameters of a check.
#[derive(Clone, Debug)]
pub struct Params {
    /// The platform; `None` to detect it from the cluster.
    pub platform: Option<Platform>,
    /// The moment as of which the check judges.
    pub now: Timestamp,
    /// The rules to run, in catalogue order.
    pub rules: Vec<&'static Rule>,
    /// Waivers.
    pub waivers: Vec<Waiver>,
    /// People's answers to questions that Kubernetes cannot answer.
    pub attestations: Vec<Attestation>,
    /// The release of the host: `2019`, `22H2`, `2602`.
    pub release: Option<String>,
    /// A record of what the system created at a known-good time.
    pub baseline: Option<Baseline>,
    /// Whether to record the system's objects, for [`Check::recorded`].
    pub record: bool,
    /// Newer version tables than the built-in ones, by platform.
    pub versions: Vec<Table>,
    /// The lightest findings that lead to exit code 4 when nothing leads to another code.
    pub fail_on: Consequence,
    /// Whether to exit with 0 instead of 5. The verdict stays.
    pub allow_incomplete: bool,
    /// Whether objects are complete as written, as in the examples of the rules' pages: one without managedFields has
    /// none.
    pub as_written: bool,
}

impl Params {
    /// Parameters for all rules at a moment, without waivers.
    pub fn at(now: Timestamp) -> Self {
        Params {
            platform: None,
            release: None,
            baseline: None,
            record: false,
            now,
            rules: catalogue::ALL.to_vec(),
            waivers: Vec::new(),
            attestations: Vec::new(),
            versions: Vec::new(),
            fail_on: Consequence::Voids,
            allow_incomplete: false,
            as_written: false,
        }
    }
}

/// The reason why a cluster is not judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotJudged {
    /// The cluster is another product, according to a node.
    #[error(
        "this is {product}, not AKS enabled by Azure Arc (node {node} says so): another policy applies, and nothing was checked"
    )]
    OtherProduct {
        /// The product.
        product: String,
        /// The node that tells.
        node: String,
    },
    /// The baseline belongs to another cluster.
    #[error(
        "the baseline of {captured_at} was recorded from another cluster ({context}): its namespace kube-system has another uid, and nothing was checked"
    )]
    OtherCluster {
        /// The time of the recording.
        captured_at: Timestamp,
        /// The recorded context.
        context: String,
    },
}

/// A check in progress.
#[derive(Debug)]
pub struct Check<'d> {
    pub(super) data: &'d Data,
    pub(super) params: Params,
    pub(super) tables: Vec<Table>,
    pub(super) inventory: Inventory,
    pub(super) drafts: BTreeMap<Code, Vec<Draft>>,
    pub(super) recorder: Recorder,
    pub(super) unwritten: Vec<Unwritten>,
    pub(super) objects: usize,
    pub(super) requests: usize,
    pub(super) manifests: bool,
}

impl<'d> Check<'d> {
    /// Begins a check.
    pub fn new(data: &'d Data, params: Params) -> Self {
        let mut tables = tables::versions().clone();
        for newer in &params.versions {
            tables.retain(|table| table.platform != newer.platform);
            tables.push(newer.clone());
        }
        Check {
            data,
            params,
            tables,
            inventory: Inventory::default(),
            drafts: BTreeMap::new(),
            recorder: Recorder::default(),
            unwritten: Vec::new(),
            objects: 0,
            requests: 0,
            manifests: false,
        }
    }

    /// The probes that the check needs.
    pub fn probes(&self) -> BTreeSet<Probe> {
        self.params.rules.iter().flat_map(|rule| rule.probes).copied().collect()
    }

    /// Adds the result of a probe.
    pub fn probe(&mut self, probe: Probe, state: ProbeState) {
        let kept = match state {
            ProbeState::Read(text) => ProbeState::Read(probe.keep(&text)),
            other => other,
        };
        self.inventory.probes.insert(probe, kept);
    }

    /// Adds the state of a list of which nothing was read.
    pub fn not_read(&mut self, key: ReadKey, state: ReadState) {
        self.inventory.reads.insert(key, state);
    }

    /// Sets the API server's version, as `/version` prints it.
    pub fn server_version(&mut self, git_version: &str) {
        self.inventory.server_version = Some(git_version.to_owned());
    }

    /// Changes the moment as of which the check judges: a snapshot names its own once it has been read.
    pub fn judge_at(&mut self, now: Timestamp) {
        self.params.now = now;
    }

    /// Counts requests that were made for this check.
    pub fn requests(&mut self, count: usize) {
        self.requests += count;
    }

    /// Judges an object of a manifest, which is about to be created.
    pub fn manifest(&mut self, object: Object<'_>) {
        self.manifests = true;
        self.objects += 1;
        let Some(change) = Change::create_of(object) else { return };
        let judging = self.params.rules.iter().filter_map(|rule| Some((rule.code, rule.change?)));
        let judged = || judging.map(|(code, judge)| (code, judge(&change, self.data))).collect::<Vec<_>>();
        let mut noted = Vec::new();
        let (found, unread) = if let Some(misfit) = change.misfit() {
            (Vec::new(), Some(misfit.to_string()))
        } else {
            let (found, of_node) = if *change.kind == kinds::NODE {
                node_manifest::judge(&change, &self.params.rules, self.data)
            } else {
                (judged(), None)
            };
            noted = self.looked_at(&change);
            // A rule may have taken parts that it could not read as missing.
            match change.unread().or(of_node) {
                Some(why) => {
                    noted.clear();
                    (Vec::new(), Some(why))
                }
                None => (found, None),
            }
        };
        for (code, notes) in noted {
            self.drafts.entry(code).or_default().extend(notes.drafts);
            self.inventory.kept.entry(code).or_default().merge(notes.kept);
        }
        for (code, drafts) in found {
            let drafts = namespace_manifest::weigh(drafts, &change);
            self.drafts.entry(code).or_default().extend(drafts);
        }
        if let (Some(why), Some(object)) = (unread, change.object()) {
            let key = ReadKey { kind: change.kind, namespace: None };
            self.inventory.leave(key, Unjudged::one(object, &why));
        }
    }

    /// The notes that rules take on a manifest if they judge no change but look at manifests, or look across them.
    fn looked_at(&self, change: &Change<'_>) -> Vec<(Code, Notes)> {
        let Some(object) = change.after.as_deref() else { return Vec::new() };
        let seen = derive::seen(object, change.kind, self.data);
        let noted = self.params.rules.iter().filter_map(|rule| {
            let across = || rule.manifests.across().map(|across| across.note);
            let note = if rule.manifests.as_state() { rule.state().per_object } else { across() };
            let mut notes = Notes::default();
            note?(&seen, &mut notes);
            Some((rule.code, notes))
        });
        noted.collect()
    }

    /// The version tables in use: built in, or given by the user.
    pub fn version_tables(&self) -> &[Table] {
        &self.tables
    }

    /// The day as of which the check judges, in UTC.
    pub fn as_of(&self) -> Date {
        self.day()
    }

    /// The facts read so far.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The record of the system's objects, for a check that records.
    pub fn recorded(&self) -> &Recorder {
        &self.recorder
    }

    /// The platforms that the cluster may be on, with the evidence.
    pub fn candidates(&self) -> (Vec<Platform>, Vec<String>) {
        if let Some(platform) = self.params.platform {
            return (vec![platform], vec!["given with --platform".to_owned()]);
        }
        let release = self.params.release.as_deref().and_then(|release| tables::lifecycle().host(release));
        if let Some(host) = release {
            let evidence =
                format!("{}, given with --platform-release, is a release of {}", host.title, host.platform.as_str());
            return (vec![host.platform], vec![evidence]);
        }
        let moc = self.inventory.nodes.iter().filter(|node| node.is_moc(self.data)).count();
        if moc == 0 && self.manifests {
            let evidence = "nothing tells the platform; bare metal, a preview without a policy text, has to be named";
            return (Platform::WITH_POLICY_TEXT.to_vec(), vec![evidence.to_owned()]);
        }
        if moc == 0 {
            return (Platform::ALL.to_vec(), vec!["nothing tells the platform".to_owned()]);
        }
        (
            Platform::WITH_POLICY_TEXT.to_vec(),
            vec![format!(
                "{} of AKS Arc (providerID {})",
                if moc == 1 {
                    "1 node is a virtual machine".to_owned()
                } else {
                    format!("{moc} nodes are virtual machines")
                },
                self.data.products.provider_id_prefix
            )],
        )
    }

    pub(super) fn day(&self) -> Date {
        self.params.now.to_zoned(TimeZone::UTC).date()
    }

    pub(super) fn answers(&self) -> Answers<'_> {
        Answers::new(&self.params.attestations, self.data, self.params.now)
    }

    pub(super) fn comparison(&self) -> Option<Comparison<'_>> {
        self.params.baseline.as_ref().map(|then| Comparison { then, now: &self.recorder })
    }

    pub(super) fn context(&self, rule: &Rule, platform: Platform) -> Context<'_> {
        Context {
            data: self.data,
            versions: &self.tables,
            platform,
            release: self.params.release.as_deref(),
            baseline: self.comparison(),
            manifests: self.manifests,
            answers: self.answers(),
            unread: self.unread(rule),
            now: self.params.now,
            as_of: self.day(),
        }
    }
}

impl Check<'_> {
    /// The reason why a rule that rests on managedFields is not decided, if so.
    pub(super) fn unwritten(&self, rule: &Rule) -> Option<String> {
        let missed: usize = self.unwritten.iter().filter_map(|list| list.missed.get(&rule.code)).sum();
        if missed == 0 {
            return None;
        }
        let (objects, come) = if missed == 1 { ("object", "comes") } else { ("objects", "come") };
        Some(format!(
            "{missed} {objects} that it looks at {come} without managedFields, where it would stand who wrote what: record \
             them with `kubectl get --show-managed-fields`"
        ))
    }

    /// The number of objects without the managedFields that a rule asked for.
    pub(super) fn without_managed_fields(&self) -> usize {
        self.unwritten.iter().map(|list| list.objects).sum()
    }
}
