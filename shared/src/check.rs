//! Judging a state: lists go in page by page, a report comes out.
//!
//! ```text
//! plan_first -> segments -> complete ; plan_then -> segments -> complete ; finish -> Report
//! ```

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::attest::{self, Answer as Attested, Answers, Attestation};
use crate::baseline::{Baseline, Comparison, Recorder};
use crate::catalogue;
use crate::certificate;
use crate::change::Change;
use crate::data::{Data, Platform};
use crate::finding::{Consequence, Draft, Evidence, Finding, ObjectRef};
use crate::guard;
use crate::inventory::{Facts, Inventory, ReadKey, ReadState};
use crate::kinds::{self, Kind};
use crate::object::Object;
use crate::probe::{Probe, ProbeState};
use crate::read::json::{self, Page, ReadError};
use crate::report::{
    Clock, Cluster, Coverage, Outcome, Policy, Question, Report, RuleOutcome, Tool, VerdictWord, exit,
};
use crate::rule::{Context, Due, Notes, Rule, Scope, Seen, Verdict};
use crate::rules::aa904;
use crate::versions::Table;
use crate::waiver::{self, Waiver};
use crate::weigh::{finalize, lightest};

/// What the caller decides about a check.
#[derive(Clone, Debug)]
pub struct Params {
    /// The platform; `None` to tell it from the cluster.
    pub platform: Option<Platform>,
    /// The moment judged.
    pub now: Timestamp,
    /// The rules to run, in catalogue order.
    pub rules: Vec<&'static Rule>,
    /// Waivers.
    pub waivers: Vec<Waiver>,
    /// Answers of people to what Kubernetes cannot show.
    pub attestations: Vec<Attestation>,
    /// The release of the host below the cluster: `2019`, `22H2`, `2602`.
    pub release: Option<String>,
    /// What the system created at a known-good time.
    pub baseline: Option<Baseline>,
    /// Whether to record what the system created, for [`Check::recorded`].
    pub record: bool,
    /// Newer version tables than the built-in ones, by platform.
    pub versions: Vec<Table>,
    /// Findings this heavy, or heavier, fail with exit code 4 when nothing fails heavier.
    pub fail_on: Consequence,
    /// Exit 0 instead of 5; the verdict's word stays.
    pub allow_incomplete: bool,
}

impl Params {
    /// All rules at a moment, nothing waived.
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
        }
    }
}

/// Why a cluster is not judged at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotJudged {
    /// Another product, told by a node.
    #[error(
        "this is {product}, not AKS enabled by Azure Arc (node {node} says so): another policy applies, and nothing was checked"
    )]
    OtherProduct {
        /// The product.
        product: String,
        /// The node that tells.
        node: String,
    },
    /// The baseline is of another cluster.
    #[error(
        "the baseline of {captured_at} was recorded from another cluster ({context}): its namespace kube-system has another uid, and nothing was checked"
    )]
    OtherCluster {
        /// When it was recorded.
        captured_at: Timestamp,
        /// Where it was recorded from.
        context: String,
    },
}

/// A check under way.
#[derive(Debug)]
pub struct Check<'d> {
    data: &'d Data,
    params: Params,
    tables: Vec<Table>,
    inventory: Inventory,
    drafts: BTreeMap<&'static str, Vec<Draft>>,
    recorder: Recorder,
    objects: usize,
    requests: usize,
    manifests: bool,
}

/// What a rule comes to on one platform.
#[derive(Clone, Debug)]
struct Answer {
    platform: Platform,
    outcome: Outcome,
    reason: String,
    findings: Vec<Finding>,
}

impl Answer {
    /// Texts and commands differ by platform; what is found, and how heavy it is, decides whether two agree.
    fn agrees(&self, other: &Answer) -> bool {
        let weighs = |answer: &Answer| -> Vec<(String, Consequence)> {
            answer.findings.iter().map(|finding| (finding.fingerprint.clone(), finding.consequence)).collect()
        };
        self.outcome == other.outcome && weighs(self) == weighs(other)
    }

    fn finding(&self, fingerprint: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.fingerprint == fingerprint)
    }

    /// `windows-server at-risk`, `azure-local pass`.
    fn word(&self) -> String {
        let heaviest = self.findings.iter().map(|finding| finding.consequence).min();
        let word = match (self.outcome, heaviest) {
            (Outcome::Violated, Some(consequence)) => consequence.as_str(),
            (outcome, _) => outcome.as_str(),
        };
        format!("{} {word}", self.platform.as_str())
    }
}

/// One list under way. Pages of several lists can be read at the same time; a list that has to start over is dropped.
#[derive(Debug)]
pub struct Segment<'d> {
    key: ReadKey,
    data: &'d Data,
    rules: Vec<&'static Rule>,
    notes: Vec<Notes>,
    facts: Facts,
    recorder: Option<Recorder>,
    objects: usize,
}

impl<'d> Check<'d> {
    /// Begins a check.
    pub fn new(data: &'d Data, params: Params) -> Self {
        let mut tables = data.versions.clone();
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
            objects: 0,
            requests: 0,
            manifests: false,
        }
    }

    /// The lists to begin with: those of the whole cluster.
    pub fn plan_first(&self) -> Vec<ReadKey> {
        let mut keys = BTreeSet::new();
        for rule in &self.params.rules {
            for read in rule.reads.iter().filter(|read| read.scope == Scope::Cluster) {
                keys.insert(ReadKey { kind: read.kind, namespace: None });
            }
        }
        // What tells the platform, and which namespaces there are to look into.
        for kind in [&kinds::NODE, &kinds::NAMESPACE] {
            keys.insert(ReadKey { kind, namespace: None });
        }
        keys.into_iter().collect()
    }

    /// The lists to go on with, once those of [`Check::plan_first`] are done: one per kind and namespace that exists, where
    /// the list of the whole cluster is not there already.
    pub fn plan_then(&self) -> Vec<ReadKey> {
        let mut keys = BTreeSet::new();
        for rule in &self.params.rules {
            keys.extend(self.namespaced_keys(rule).into_iter().filter(|key| !self.has_all(key.kind)));
        }
        keys.into_iter().collect()
    }

    /// What to ask of the API server besides lists.
    pub fn probes(&self) -> BTreeSet<Probe> {
        self.params.rules.iter().flat_map(|rule| rule.probes).copied().collect()
    }

    /// Says what became of a probe.
    pub fn probe(&mut self, probe: Probe, state: ProbeState) {
        let kept = match state {
            ProbeState::Read(text) => ProbeState::Read(probe.keep(&text)),
            other => other,
        };
        self.inventory.probes.insert(probe, kept);
    }

    /// Begins to read one list.
    pub fn segment(&self, key: &ReadKey) -> Segment<'d> {
        let rules: Vec<_> = self
            .params
            .rules
            .iter()
            .copied()
            .filter(|rule| rule.state.each.is_some() && self.wants(rule, key))
            .collect();
        let notes = rules.iter().map(|_| Notes::default()).collect();
        let recorder = (self.params.record || self.params.baseline.is_some()).then(Recorder::default);
        Segment { key: key.clone(), data: self.data, rules, notes, facts: Facts::default(), recorder, objects: 0 }
    }

    /// Takes in a list that was read to its end.
    pub fn complete(&mut self, segment: Segment<'d>) {
        let state = ReadState::Complete { objects: segment.objects };
        self.merge(segment, state);
    }

    /// Takes in a list that was cut short: what it held counts, what it may have held does not.
    pub fn cut_short(&mut self, segment: Segment<'d>, why: String) {
        self.merge(segment, ReadState::Failed(why));
    }

    /// Says what became of a list of which nothing was read.
    pub fn not_read(&mut self, key: ReadKey, state: ReadState) {
        self.inventory.reads.insert(key, state);
    }

    /// The API server's version, as `/version` prints it.
    pub fn server_version(&mut self, git_version: &str) {
        self.inventory.server_version = Some(git_version.to_owned());
    }

    /// Counts requests made for this check.
    pub fn requests(&mut self, count: usize) {
        self.requests += count;
    }

    /// Judges an object that is about to be created, instead of a state: for manifests.
    pub fn manifest(&mut self, object: Object<'_>) {
        self.manifests = true;
        self.objects += 1;
        let Some(change) = Change::create_of(object) else { return };
        for rule in &self.params.rules {
            if let Some(judge) = rule.change {
                self.drafts.entry(rule.code.as_str()).or_default().extend(judge(&change, self.data));
            }
        }
    }

    /// The version tables in force: built in, or given by the user.
    pub fn version_tables(&self) -> &[Table] {
        &self.tables
    }

    /// The day judged, UTC.
    pub fn as_of(&self) -> Date {
        self.day()
    }

    /// What was read, reduced.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// What the system created, as it is now; of a check that records.
    pub fn recorded(&self) -> &Recorder {
        &self.recorder
    }

    /// The platforms the cluster may be on, and how we know.
    pub fn candidates(&self) -> (Vec<Platform>, Vec<String>) {
        if let Some(platform) = self.params.platform {
            return (vec![platform], vec!["given with --platform".to_owned()]);
        }
        let release = self.params.release.as_deref().and_then(|release| self.data.lifecycle.host(release));
        if let Some(host) = release {
            let evidence =
                format!("{}, given with --platform-release, is a release of {}", host.title, host.platform.as_str());
            return (vec![host.platform], vec![evidence]);
        }
        let moc = self.inventory.nodes.iter().filter(|node| node.is_moc(self.data)).count();
        if moc == 0 {
            return (Platform::ALL.to_vec(), vec!["nothing tells the platform".to_owned()]);
        }
        let vm_based = Platform::ALL.into_iter().filter(|platform| *platform != Platform::BareMetal).collect();
        (
            vm_based,
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

    /// Ends the check.
    ///
    /// # Errors
    /// [`NotJudged`] when this is no AKS Arc cluster.
    pub fn finish(self, tool: Tool, context: &str, server: &str) -> Result<Report, NotJudged> {
        if let Some((node, product)) =
            self.inventory.nodes.iter().find_map(|node| Some((&node.name, node.other_product.as_ref()?)))
            && !self.inventory.nodes.iter().any(|node| node.is_moc(self.data))
        {
            return Err(NotJudged::OtherProduct { product: product.clone(), node: node.clone() });
        }
        if let Some(baseline) = &self.params.baseline {
            let (then, now) = (&*baseline.cluster, self.recorder.cluster());
            if !then.is_empty() && !now.is_empty() && then != now {
                let (captured_at, context) = (baseline.captured_at, baseline.context.clone());
                return Err(NotJudged::OtherCluster { captured_at, context });
            }
        }
        let (candidates, evidence) = self.candidates();
        let mut rules = Vec::new();
        let mut findings = Vec::new();
        for rule in &self.params.rules {
            let (outcome, found) = self.judge(rule, &candidates);
            rules.push(outcome);
            findings.extend(found);
        }
        waiver::apply(&mut findings, &self.params.waivers, self.params.now);
        settle(&mut rules, &findings);
        if self.params.rules.iter().any(|rule| rule.code == aa904::RULE.code) {
            let audits = waiver::audit(&self.params.waivers, &findings, &rules, self.params.now);
            let platform = candidates.first().copied().unwrap_or(Platform::AzureLocal);
            let found = finalize(&aa904::RULE, platform, aa904::troubles(&audits));
            findings.extend(found);
        }
        findings.sort_by(|a, b| {
            let key = |f: &Finding| (f.waiver.is_some(), f.consequence, f.code);
            key(a).cmp(&key(b)).then_with(|| a.object.cmp(&b.object)).then_with(|| a.path.cmp(&b.path))
        });
        let verdict = self.verdict(&rules, &findings, &candidates);
        let day = self.day();
        let documents = candidates.iter().filter_map(|platform| self.data.document(*platform)).cloned().collect();
        let tables: BTreeSet<String> =
            self.tables.iter().filter(|t| candidates.contains(&t.platform)).map(|t| t.as_of.to_string()).collect();
        let reasons = |outcome: Outcome| {
            let of_outcome = rules.iter().filter(|rule| rule.outcome == outcome);
            of_outcome.map(|rule| format!("{} {}", rule.code, rule.reason)).collect::<Vec<_>>()
        };
        let coverage = Coverage {
            evaluated: rules.iter().filter(|rule| rule.outcome != Outcome::Unknown).count(),
            objects: self.objects,
            requests: self.requests,
            unknown: reasons(Outcome::Unknown),
            not_observable: reasons(Outcome::NotObservable),
            ..Coverage::default()
        };
        Ok(Report {
            api_version: "aksarc.dev/v1alpha1",
            kind: "SupportReport",
            tool,
            policy: Policy {
                platform: candidates.iter().map(|platform| platform.as_str()).collect::<Vec<_>>().join("|"),
                platform_evidence: evidence,
                documents,
                as_of: day.to_string(),
                version_table_as_of: tables.into_iter().collect::<Vec<_>>().join("|"),
            },
            cluster: Cluster {
                context: context.to_owned(),
                server: server.to_owned(),
                kubernetes_version: self.inventory.server_version.clone().unwrap_or_default(),
                nodes: self.inventory.nodes.len(),
            },
            verdict,
            exit_code: self.exit_code(verdict, &findings),
            summary: summary(&rules, &findings),
            clocks: self.clocks(day, &candidates),
            rules,
            findings,
            questions: self.questions(&candidates),
            coverage,
        })
    }

    fn merge(&mut self, segment: Segment<'d>, state: ReadState) {
        self.objects += segment.objects;
        segment.facts.into_inventory(&mut self.inventory);
        if let Some(recorder) = segment.recorder {
            self.recorder.merge(recorder);
        }
        for (rule, notes) in segment.rules.iter().zip(segment.notes) {
            self.drafts.entry(rule.code.as_str()).or_default().extend(notes.drafts);
            self.inventory.remarks.entry(rule.code.as_str()).or_default().extend(notes.remarks);
            self.inventory.suspects.entry(rule.code.as_str()).or_default().extend(notes.suspects);
        }
        self.inventory.reads.insert(segment.key, state);
    }

    fn day(&self) -> Date {
        self.params.now.to_zoned(TimeZone::UTC).date()
    }

    fn namespaced_keys(&self, rule: &Rule) -> Vec<ReadKey> {
        // When the namespaces could not be listed, all that the data knows are tried.
        let listed = matches!(self.inventory.read(&kinds::NAMESPACE), Some(ReadState::Complete { .. }));
        let exists = |name: &str| !listed || self.inventory.namespaces.iter().any(|own| own == name);
        let rows = || self.data.namespaces.namespaces.iter().filter(|row| row.condition.is_none());
        let system = || rows().map(|row| &*row.name).chain([guard::NAMESPACE]).filter(|name| exists(name));
        let mut keys = Vec::new();
        for read in rule.reads {
            let wanted = |name: &str| match read.scope {
                Scope::Cluster => false,
                Scope::AddOnNamespaces => self.data.namespaces.is_add_on(name),
                Scope::ArcNamespaces => self.data.namespaces.is_arc(name),
                Scope::ComponentNamespaces => holds_components(self.data, read.kind, name),
                Scope::KubeSystem => name == certificate::NAMESPACE,
                Scope::Own => name == guard::NAMESPACE,
            };
            let names = system().filter(|name| wanted(name));
            keys.extend(names.map(|name| ReadKey { kind: read.kind, namespace: Some(name.to_owned()) }));
        }
        keys
    }

    /// Whether the list of a kind over the whole cluster is there, so that none of a namespace is needed.
    fn has_all(&self, kind: &'static Kind) -> bool {
        matches!(self.inventory.read(kind), Some(ReadState::Complete { .. }))
    }

    /// Whether a rule looks at what a list holds. One over the whole cluster serves the rules that need some namespaces of it
    /// too: they look at the namespace.
    pub fn wants(&self, rule: &Rule, key: &ReadKey) -> bool {
        match &key.namespace {
            None => rule.reads.iter().any(|read| read.kind == key.kind),
            Some(_) => self.namespaced_keys(rule).contains(key),
        }
    }

    /// The lists a rule rests on that were not read to the end, and why.
    fn unread(&self, rule: &Rule) -> Vec<(&'static Kind, String)> {
        let cluster = rule.reads.iter().filter(|read| read.scope == Scope::Cluster);
        let mut keys: Vec<ReadKey> = cluster.map(|read| ReadKey { kind: read.kind, namespace: None }).collect();
        keys.extend(self.namespaced_keys(rule).into_iter().filter(|key| !self.has_all(key.kind)));
        let mut gaps = Vec::new();
        for key in keys {
            match self.inventory.reads.get(&key) {
                Some(state) => gaps.extend(state.gap(&key).map(|why| (key.kind, why))),
                None => gaps.push((key.kind, format!("{key} was not read"))),
            }
        }
        gaps
    }

    /// All that a rule rests on and that says nothing.
    fn gaps(&self, rule: &Rule) -> Vec<String> {
        let mut gaps: Vec<String> = self.unread(rule).into_iter().map(|(_, why)| why).collect();
        gaps.extend(rule.probes.iter().filter_map(|probe| self.inventory.probe(*probe).err()));
        gaps
    }

    fn judge(&self, rule: &'static Rule, candidates: &[Platform]) -> (RuleOutcome, Vec<Finding>) {
        let done = |outcome, reason: String, findings| {
            (RuleOutcome { code: rule.code.as_str(), slug: rule.slug, outcome, reason }, findings)
        };
        if self.manifests {
            let drafts = self.drafts.get(rule.code.as_str()).cloned().unwrap_or_default();
            if rule.change.is_none() {
                return done(Outcome::NotApplicable, "needs a cluster; these are manifests".to_owned(), Vec::new());
            }
            let platform = lightest(rule, candidates);
            let findings = finalize(rule, platform, drafts);
            let outcome = if findings.iter().all(|f| f.consequence == Consequence::Info) {
                Outcome::Pass
            } else {
                Outcome::Violated
            };
            return done(outcome, String::new(), findings);
        }
        let answers: Vec<Answer> = candidates.iter().map(|platform| self.judge_on(rule, *platform)).collect();
        let Some(first) = answers.first().cloned() else {
            return done(Outcome::Unknown, "no platform is possible".to_owned(), Vec::new());
        };
        if answers.iter().all(|answer| answer.agrees(&first)) {
            return done(first.outcome, first.reason, first.findings);
        }
        // What all of them find is a finding all the same, as heavy as the platform that takes it lightest.
        let mut shared = Vec::new();
        for finding in first.findings {
            let twins = answers.iter().map(|answer| answer.finding(&finding.fingerprint));
            if let Some(consequences) = twins.map(|twin| twin.map(|twin| twin.consequence)).collect::<Option<Vec<_>>>()
            {
                let consequence = consequences.into_iter().max().unwrap_or(finding.consequence);
                shared.push(Finding { consequence, ..finding });
            }
        }
        let says: Vec<String> = answers.iter().map(Answer::word).collect();
        done(Outcome::Unknown, format!("depends on the platform ({}): give --platform", says.join(", ")), shared)
    }

    fn judge_on(&self, rule: &'static Rule, platform: Platform) -> Answer {
        let answer = |outcome, reason: String, findings| Answer { platform, outcome, reason, findings };
        if !rule.platforms.contains(&platform) {
            return answer(Outcome::NotApplicable, format!("does not apply on {}", platform.as_str()), Vec::new());
        }
        let mut drafts = self.drafts.get(rule.code.as_str()).cloned().unwrap_or_default();
        drafts.extend(self.admitted(rule, platform));
        let mut open = self.gaps(rule);
        if let Some(whole) = rule.state.whole {
            match whole(&self.inventory, &self.context(rule, platform)) {
                Verdict::Found(found) => drafts.extend(found),
                Verdict::FoundPartly(found, why) => {
                    drafts.extend(found);
                    open.push(why);
                }
                Verdict::Unknown(why) => open.push(why),
                Verdict::NotObservable(why) if drafts.is_empty() && open.is_empty() => {
                    let (outcome, reason) = self.unseen(rule, platform, why);
                    return answer(outcome, reason, Vec::new());
                }
                Verdict::NotObservable(_) => {}
            }
        } else if rule.state.each.is_none() {
            let why = "leaves no trace in a state; the guard and the dry run judge the change";
            return answer(Outcome::NotObservable, why.to_owned(), Vec::new());
        }
        if let Some(baseline) = self.comparison() {
            drafts.retain(|draft| !baseline.settles(rule, draft));
        }
        let findings = finalize(rule, platform, drafts);
        // A probe that says nothing is a gap, and the rule may say so too.
        open.dedup();
        let reason = shorten(&open);
        // Settled later, when waivers are known: here a finding is a violation.
        let outcome = if findings.iter().any(|finding| finding.consequence != Consequence::Info) {
            Outcome::Violated
        } else if open.is_empty() {
            Outcome::Pass
        } else {
            Outcome::Unknown
        };
        answer(outcome, reason, findings)
    }

    /// What becomes of a rule that Kubernetes shows nothing of: people's word, where it is complete.
    fn unseen(&self, rule: &Rule, platform: Platform, why: String) -> (Outcome, String) {
        let settled = self.answers().of_rule(rule.clauses, platform);
        if settled.is_fulfilled() {
            return (Outcome::Pass, settled.says());
        }
        if settled.answered.is_empty() {
            return (Outcome::NotObservable, why);
        }
        (Outcome::NotObservable, format!("{why}; {}, not {}", settled.says(), settled.open.join(", ")))
    }

    /// What people answered to be otherwise than a clause asks. Of the rules on that clause the heaviest speaks, and of
    /// several the first: one answer is one finding.
    fn admitted(&self, rule: &Rule, platform: Platform) -> Vec<Draft> {
        let settled = self.answers().of_rule(rule.clauses, platform);
        let mut drafts = Vec::new();
        for answer in settled.answered.into_iter().filter(|answer| answer.answer == Attested::NotFulfilled) {
            let on_it = self.params.rules.iter().filter(|other| {
                let applies = other.platforms.contains(&platform);
                applies && self.answers().of_rule(other.clauses, platform).answered.contains(&answer)
            });
            let speaker = on_it.min_by_key(|other| (other.consequence_on(platform), other.code));
            if speaker.is_some_and(|speaker| speaker.code == rule.code) {
                let by = answer.by.trim();
                let evidence =
                    Evidence { time: answer.on.0.to_string(), ..Evidence::seen("attestation", &*answer.note) };
                drafts.push(
                    Draft::at(ObjectRef::cluster(), format!("attestation[{}]", answer.clause))
                        .says(format!("{by} answered on {} that this is not fulfilled", attest::day(answer.on.0)))
                        .with(Evidence { manager: by.to_owned(), ..evidence }),
                );
            }
        }
        drafts
    }

    fn answers(&self) -> Answers<'_> {
        Answers::new(&self.params.attestations, self.data, self.params.now)
    }

    fn questions(&self, candidates: &[Platform]) -> Vec<Question> {
        if self.manifests {
            return Vec::new();
        }
        attest::questions(&attest::Asked {
            data: self.data,
            candidates,
            rules: &self.params.rules,
            release: self.params.release.as_deref(),
            attestations: &self.params.attestations,
            now: self.params.now,
        })
    }

    fn comparison(&self) -> Option<Comparison<'_>> {
        self.params.baseline.as_ref().map(|then| Comparison { then, now: &self.recorder })
    }

    fn context(&self, rule: &Rule, platform: Platform) -> Context<'_> {
        Context {
            data: self.data,
            versions: &self.tables,
            platform,
            release: self.params.release.as_deref(),
            baseline: self.comparison(),
            unread: self.unread(rule),
            now: self.params.now,
            as_of: self.day(),
        }
    }

    fn verdict(&self, rules: &[RuleOutcome], findings: &[Finding], candidates: &[Platform]) -> VerdictWord {
        if findings.iter().any(|finding| finding.consequence == Consequence::Voids && finding.waiver.is_none()) {
            return VerdictWord::Outside;
        }
        let could_void = |outcome: &RuleOutcome| {
            // A rule with findings can be open as well: its reason says what it did not see.
            let open = outcome.outcome == Outcome::Unknown
                || (matches!(outcome.outcome, Outcome::Violated | Outcome::Waived) && !outcome.reason.is_empty());
            let rule = self.params.rules.iter().find(|rule| rule.code.as_str() == outcome.code);
            open && rule.is_some_and(|rule| rule.heaviest(candidates) == Consequence::Voids)
        };
        if rules.iter().any(could_void) { VerdictWord::Inconclusive } else { VerdictWord::Within }
    }

    fn exit_code(&self, verdict: VerdictWord, findings: &[Finding]) -> u8 {
        let fails = |finding: &Finding| finding.waiver.is_none() && finding.consequence <= self.params.fail_on;
        match verdict {
            VerdictWord::Outside => exit::OUTSIDE,
            VerdictWord::Inconclusive if !self.params.allow_incomplete => exit::INCONCLUSIVE,
            _ if findings.iter().any(fails) => exit::FAIL_ON,
            _ => exit::WITHIN,
        }
    }

    fn clocks(&self, day: Date, candidates: &[Platform]) -> Vec<Clock> {
        let clock = |due: Date, code: &str, what: String| Clock {
            due: due.to_string(),
            days_left: (due - day).get_days().into(),
            code: code.to_owned(),
            what,
        };
        let mut clocks = Vec::new();
        for rule in &self.params.rules {
            let Some(of_rule) = rule.state.clocks else { continue };
            // Where the platform is not known, only what all candidates agree on is due.
            let mut dues = candidates.iter().map(|platform| {
                let applies = rule.platforms.contains(platform);
                if applies { of_rule(&self.inventory, &self.context(rule, *platform)) } else { Vec::new() }
            });
            let first = dues.next().unwrap_or_default();
            let others: Vec<Vec<Due>> = dues.collect();
            let common = first.into_iter().filter(|due| others.iter().all(|other| other.contains(due)));
            clocks.extend(common.map(|due| clock(due.on, rule.code.as_str(), due.what)));
        }
        for waiver in waiver::in_force(&self.params.waivers, self.params.now) {
            let what = format!("waiver {} ({} {})", waiver.name, waiver.rules.join(" "), waiver.matches.word());
            clocks.push(clock(
                waiver.expires.to_zoned(TimeZone::UTC).date(),
                waiver.rules.first().map_or("", String::as_str),
                what,
            ));
        }
        for (answer, ends) in self.answers().ends() {
            let on_it = self.params.rules.iter().find(|rule| rule.clauses.contains(&&*answer.clause));
            let what = format!("answer of {} to {} ends", answer.by.trim(), answer.clause);
            clocks.push(clock(attest::day(ends), on_it.map_or("", |rule| rule.code.as_str()), what));
        }
        clocks.sort();
        clocks
    }
}

impl Segment<'_> {
    /// Reads one page of the list; its objects are judged at once and not kept.
    ///
    /// # Errors
    /// [`ReadError`] when the bytes are no list. Drop the segment then, or hand it to [`Check::cut_short`].
    pub fn page(&mut self, bytes: &[u8]) -> Result<Page, ReadError> {
        let kind = self.key.kind;
        json::page(bytes, |object| self.see(&object, kind))
    }

    /// Judges one object of the list.
    pub fn object(&mut self, object: &Object<'_>) {
        self.see(object, self.key.kind);
    }

    /// How many objects were read.
    pub fn objects(&self) -> usize {
        self.objects
    }

    fn see(&mut self, object: &Object<'_>, kind: &'static Kind) {
        self.objects += 1;
        self.facts.add(object, kind, self.data);
        if let Some(recorder) = &mut self.recorder {
            recorder.add(object, kind, self.data);
        }
        let seen = Seen::new(object, kind, self.data);
        for (rule, notes) in self.rules.iter().zip(&mut self.notes) {
            if let Some(each) = rule.state.each {
                each(&seen, notes);
            }
        }
    }
}

/// A rule whose every finding is waived is waived.
fn settle(rules: &mut [RuleOutcome], findings: &[Finding]) {
    for rule in rules.iter_mut().filter(|rule| rule.outcome == Outcome::Violated) {
        let mut heavy = findings.iter().filter(|f| f.code == rule.code && f.consequence != Consequence::Info);
        if heavy.all(|finding| finding.waiver.is_some()) {
            rule.outcome = Outcome::Waived;
        }
    }
}

fn summary(rules: &[RuleOutcome], findings: &[Finding]) -> BTreeMap<&'static str, usize> {
    let mut summary = BTreeMap::new();
    for consequence in Consequence::ALL {
        let own = findings.iter().filter(|f| f.consequence == consequence && f.waiver.is_none());
        summary.insert(consequence.as_str(), own.count());
    }
    summary.insert("waived", findings.iter().filter(|f| f.waiver.is_some()).count());
    for outcome in [Outcome::Unknown, Outcome::NotObservable] {
        summary.insert(outcome.as_str(), rules.iter().filter(|rule| rule.outcome == outcome).count());
    }
    summary
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

fn shorten(reasons: &[String]) -> String {
    match reasons {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one}; {two}"),
        [one, rest @ ..] => format!("{one}; and {} more", rest.len()),
    }
}
