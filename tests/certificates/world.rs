//! A cluster as far as certificates go: one record, one webhook configuration, one clock, two replicas.
//!
//! Each step of a replica is one request, so that others act between any two of them. Certificates are made-up texts:
//! what is decided does not depend on their content.

use std::collections::BTreeMap;
use std::time::Duration;

use aksarc_shared::jiff::{SignedDuration, Timestamp};
use aksarc_shared::k8s::certificate::Validity;
use aksarc_webhook::certificates::CertificateTimes;
use aksarc_webhook::certificates::authority::{Authority, TrustedCertificate};
use aksarc_webhook::certificates::decide::{HeldCertificate, NextAction, SeenTrust, Situation};
use aksarc_webhook::certificates::record::{CertificateRecord, TrustStep};
use aksarc_webhook::certificates::sight::StepSight;

/// What happens next.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A replica makes its next request.
    Step(usize),
    /// So many seconds go by.
    Seconds(i64),
    /// A replica ends and starts again, with nothing in memory.
    Crash(usize),
    /// Somebody else writes.
    Vandalism(Vandalism),
}

/// What somebody else writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Vandalism {
    BundleEmptied,
    BundleForeign,
    BundleExtended,
    BundleOfOneWebhookEmptied,
    /// As it was at some time, counted from the first.
    BundleOlder(usize),
    ConfigurationDeleted,
    ConfigurationRestored,
    RecordLost,
    /// As it was at some time, counted from the first.
    RecordOlder(usize),
}

/// An object with its version. `None` is an object that is not there, or one that cannot be read.
#[derive(Clone, Debug)]
struct Versioned<T> {
    version: u64,
    value: T,
}

pub(crate) struct World {
    now: Timestamp,
    times: CertificateTimes,
    versions: u64,
    /// `None`: no Secret, or rubbish in it, which is the same to a replica.
    record: Versioned<Option<CertificateRecord>>,
    /// `caBundle` of each webhook; `None`: no configuration.
    bundles: Versioned<Option<Vec<String>>>,
    replicas: [Replica; 2],
    /// Every record that a replica wrote, for somebody to put back.
    past: Vec<CertificateRecord>,
    /// Since when every webhook has been trusting an authority.
    trusted: BTreeMap<String, Timestamp>,
    /// Every certificate that was made.
    made: Vec<Authority>,
    /// Somebody destroyed trust, and it has not come back yet.
    destroyed: bool,
    /// When somebody did so last: API servers may be learning of it, and of its end, for a while.
    last_destroyed: Timestamp,
    /// What happened so far.
    trail: Vec<String>,
}

#[derive(Clone, Debug)]
struct Replica {
    name: &'static str,
    phase: Phase,
    held: Option<Authority>,
    sight: StepSight,
    /// When a look last came to its end, which is when it says whether it is ready.
    looked: Option<Timestamp>,
}

impl Replica {
    fn new(name: &'static str) -> Self {
        Replica { name, phase: Phase::Idle, held: None, sight: StepSight::default(), looked: None }
    }
}

/// What a replica has read so far in the present pass.
#[derive(Clone, Debug)]
enum Phase {
    Idle,
    Configuration(Versioned<Option<Vec<String>>>),
    Decided { action: NextAction, record: u64, bundles: Versioned<Option<Vec<String>>> },
}

impl World {
    pub(crate) fn new() -> Self {
        World {
            now: "2026-06-01T12:00:00Z".parse().unwrap(),
            times: CertificateTimes::default(),
            versions: 2,
            record: Versioned { version: 0, value: None },
            bundles: Versioned { version: 1, value: Some(vec![String::new(); 2]) },
            replicas: ["a", "b"].map(Replica::new),
            past: Vec::new(),
            trusted: BTreeMap::new(),
            made: Vec::new(),
            // Nothing is trusted before the first pass.
            destroyed: true,
            last_destroyed: Timestamp::MIN,
            trail: Vec::new(),
        }
    }

    pub(crate) fn happens(&mut self, event: &Event) {
        self.trail.push(format!("{event:?}"));
        match event {
            Event::Step(replica) => self.step(*replica),
            Event::Seconds(seconds) => self.passes(*seconds),
            Event::Crash(replica) => {
                let replica = &mut self.replicas[*replica];
                *replica = Replica::new(replica.name);
            }
            Event::Vandalism(vandalism) => self.vandalise(*vandalism),
        }
    }

    /// Time. In a world of long pauses certificates end, and so does trust in them, whoever looks after them.
    fn passes(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        let ended = |certificate: &TrustedCertificate| !certificate.is_valid(self.now);
        let recorded = self.record.value.iter().flat_map(|record| record.step.authorities());
        let mut in_use = recorded.chain(self.replicas.iter().filter_map(|replica| replica.held.as_ref()));
        let is_trusted = |certificate: &TrustedCertificate| {
            self.bundles.value.iter().flatten().any(|bundle| bundle.contains(&certificate.pem))
        };
        if in_use.any(|authority| ended(&authority.certificate))
            || self.known().any(|certificate| ended(&certificate) && is_trusted(&certificate))
        {
            self.destroyed = true;
        }
    }

    fn vandalise(&mut self, vandalism: Vandalism) {
        let foreign = || "[foreign]".to_owned();
        let bundles = self.bundles.value.clone();
        match vandalism {
            Vandalism::BundleEmptied => self.bundle(bundles.map(|_| vec![String::new(); 2]), true),
            Vandalism::BundleForeign => self.bundle(bundles.map(|_| vec![foreign(); 2]), true),
            Vandalism::BundleExtended => {
                let extended = bundles.map(|all| all.into_iter().map(|bundle| bundle + &foreign()).collect());
                self.bundle(extended, false);
            }
            Vandalism::BundleOfOneWebhookEmptied => {
                let emptied = bundles.map(|all| vec![String::new(), all[1].clone()]);
                self.bundle(emptied, true);
            }
            Vandalism::BundleOlder(at) => {
                let older = self.past.get(at % self.past.len().max(1)).map(|record| record.step.bundle());
                let older = older.unwrap_or_default();
                self.bundle(bundles.map(|_| vec![older; 2]), true);
            }
            Vandalism::ConfigurationDeleted => self.bundle(None, false),
            Vandalism::ConfigurationRestored => {
                if bundles.is_none() {
                    self.bundle(Some(vec![String::new(); 2]), true);
                }
            }
            Vandalism::RecordLost => self.store(None),
            Vandalism::RecordOlder(at) => {
                if let Some(older) = self.past.get(at % self.past.len().max(1)).cloned() {
                    self.store(Some(older));
                }
            }
        }
    }

    fn bundle(&mut self, bundles: Option<Vec<String>>, destroys: bool) {
        if destroys {
            (self.destroyed, self.last_destroyed) = (true, self.now);
        }
        self.versions += 1;
        self.bundles = Versioned { version: self.versions, value: bundles };
        let trusted = self.known().filter(|certificate| {
            self.bundles.value.iter().all(|bundles| bundles.iter().all(|bundle| bundle.contains(&certificate.pem)))
        });
        let since = |pem: String| (pem.clone(), self.trusted.get(&pem).copied().unwrap_or(self.now));
        self.trusted = trusted.map(|certificate| since(certificate.pem)).collect();
    }

    fn store(&mut self, record: Option<CertificateRecord>) {
        self.versions += 1;
        self.record = Versioned { version: self.versions, value: record };
    }

    /// One request of a replica, and what it does at once with the answer.
    fn step(&mut self, at: usize) {
        let phase = std::mem::replace(&mut self.replicas[at].phase, Phase::Idle);
        self.replicas[at].phase = match phase {
            Phase::Idle => Phase::Configuration(self.bundles.clone()),
            Phase::Configuration(bundles) => self.decide(at, bundles),
            Phase::Decided { action, record, bundles } => {
                match action {
                    NextAction::Write(new) if record == self.record.version => {
                        self.past.push((*new).clone());
                        self.store(Some(*new));
                    }
                    NextAction::Trust(bundle) if bundles.version == self.bundles.version => {
                        let count = bundles.value.unwrap().len();
                        self.bundle(Some(vec![bundle; count]), false);
                    }
                    // The API server refuses what was made for another version.
                    NextAction::Rest | NextAction::Write(_) | NextAction::Trust(_) => {}
                }
                Phase::Idle
            }
        };
    }

    /// The read of the record, the change of what is served, and the decision.
    fn decide(&mut self, at: usize, bundles: Versioned<Option<Vec<String>>>) -> Phase {
        let trust = self.seen(&bundles);
        let record = self.record.clone();
        let whole = self.replicas[at].sight.look(record.value.as_ref(), &trust, self.now);
        let replica = self.replicas[at].clone();
        let mut situation = Situation {
            record: record.value.as_ref(),
            trust: &trust,
            whole,
            held: replica.held.as_ref().map(|authority| HeldCertificate { authority, leaf: "leaf" }),
            replica: replica.name,
            now: self.now,
            times: &self.times,
        };
        let signer = situation.signer().cloned().or(replica.held.clone());
        situation.held = signer.as_ref().map(|authority| HeldCertificate { authority, leaf: "leaf" });
        let (now, life, count, mut made) = (self.now, self.times.authority, self.made.len(), None);
        let action = situation.next(|generation| {
            let authority = authority(generation, count, now, life);
            made = Some(authority.clone());
            Ok(authority)
        });
        self.made.extend(made);
        if let (Some(before), Some(after)) = (&replica.held, &signer)
            && before != after
            && self.is_trusted(before)
            && bundles.value.as_ref().is_some_and(|all| all.iter().all(|one| one.contains(&before.certificate.pem)))
            && !self.destroyed
            && self.last_destroyed.duration_until(self.now) > SignedDuration::try_from(self.times.dwell).unwrap()
        {
            let since = |authority: &Authority| self.trusted.get(&authority.certificate.pem).copied();
            let dwell = SignedDuration::try_from(self.times.dwell).unwrap();
            // An API server that has not learned of it yet trusts the other one no longer than this.
            let known = since(after).is_some_and(|new| Some(new) <= since(before) || self.now >= new + dwell);
            assert!(known, "{after:?} takes the place of {before:?} too soon, after\n{}", self.trail.join("\n"));
        }
        let action = action.unwrap();
        self.replicas[at].held = signer;
        if action == NextAction::Rest {
            self.replicas[at].looked = Some(self.now);
        }
        Phase::Decided { action, record: record.version, bundles }
    }

    fn seen(&self, Versioned { version, value }: &Versioned<Option<Vec<String>>>) -> SeenTrust {
        let Some(bundles) = value else { return SeenTrust::Absent };
        let mut certificates: Vec<TrustedCertificate> = Vec::new();
        for pem in bundles.iter().flat_map(|bundle| bundle.split_inclusive(']')) {
            let known = self.known().find(|certificate| certificate.pem == pem);
            // That of somebody else is valid, and of no guard.
            let certificate = known.unwrap_or_else(|| TrustedCertificate {
                pem: pem.to_owned(),
                validity: Validity { begin: None, end: Timestamp::MAX },
                generation: None,
            });
            if !certificates.contains(&certificate) {
                certificates.push(certificate);
            }
        }
        SeenTrust::Read { version: version.to_string(), bundles: bundles.clone(), certificates }
    }

    fn known(&self) -> impl Iterator<Item = TrustedCertificate> {
        let recorded = self.past.iter().flat_map(|record| record.step.trusted().into_iter().cloned());
        recorded.chain(self.made.iter().map(|authority| authority.certificate.clone()))
    }

    /// Whether a replica takes reviews: one whose certificate has ended, or that has not looked for too long, is not ready.
    fn serves(&self, replica: &Replica) -> bool {
        let blind = SignedDuration::try_from(self.times.keep / 2).unwrap();
        let valid = replica.held.as_ref().is_some_and(|held| held.certificate.is_valid(self.now));
        valid && replica.looked.is_some_and(|looked| self.now < looked + blind)
    }

    fn is_trusted(&self, authority: &Authority) -> bool {
        let trusts = |bundle: &String| bundle.contains(&authority.certificate.pem);
        let valid = authority.certificate.is_valid(self.now);
        self.bundles.value.as_ref().is_none_or(|bundles| valid && bundles.iter().all(trusts))
    }

    /// What must hold after every event.
    pub(crate) fn check(&mut self) {
        let serving: Vec<&Replica> = self.replicas.iter().filter(|replica| self.serves(replica)).collect();
        let untrusted: Vec<_> =
            serving.iter().filter(|replica| !self.is_trusted(replica.held.as_ref().unwrap())).collect();
        if untrusted.is_empty() {
            let steady = self.record.value.is_some();
            if steady && !serving.is_empty() && self.expected() == self.bundles.value {
                self.destroyed = false;
            }
            return;
        }
        assert!(
            self.destroyed,
            "{untrusted:?} serve what {:?} does not trust; the record is {:?}, after\n{}",
            self.bundles.value,
            self.record.value,
            self.trail.join("\n")
        );
    }

    /// The bundles by the record.
    fn expected(&self) -> Option<Vec<String>> {
        let record = self.record.value.as_ref()?;
        Some(vec![record.step.bundle(); 2])
    }

    /// A whole pass of one replica, which acts until nothing is left to do.
    pub(crate) fn pass(&mut self, at: usize) {
        self.replicas[at].phase = Phase::Idle;
        for _ in 0..12 {
            self.step(at);
            self.step(at);
            let rests = matches!(&self.replicas[at].phase, Phase::Decided { action: NextAction::Rest, .. });
            self.step(at);
            self.check();
            if rests {
                return;
            }
        }
        panic!("a pass that never ends, after\n{}", self.trail.join("\n"));
    }

    /// Left alone, replicas serve what is trusted within fifteen seconds, and a change of the authority ends.
    pub(crate) fn settles(&mut self) {
        if self.bundles.value.is_none() {
            self.vandalise(Vandalism::ConfigurationRestored);
        }
        for _ in 0..6 {
            self.pass(0);
            self.pass(1);
            self.happens(&Event::Seconds(3));
        }
        let told = || format!("{:?}, after\n{}", self.replicas, self.trail.join("\n"));
        for replica in &self.replicas {
            let held = replica.held.as_ref();
            assert!(held.is_some_and(|held| self.is_trusted(held)), "{}", told());
        }
        assert_eq!(self.bundles.value, self.expected(), "{}", told());
        // A change takes a day, and a renewal that is due begins after it.
        for _ in 0..6 {
            for seconds in [61, 25 * 3600] {
                self.happens(&Event::Seconds(seconds));
                self.pass(0);
                self.pass(1);
                self.pass(0);
            }
        }
        let step = &self.record.value.as_ref().unwrap().step;
        assert!(matches!(step, TrustStep::Steady { .. }), "{step:?}, after\n{}", self.trail.join("\n"));
        assert_eq!(self.bundles.value, self.expected());
        assert!(!self.destroyed);
    }

    pub(crate) fn all_serve(&self) -> bool {
        self.replicas.iter().all(|replica| replica.held.as_ref().is_some_and(|held| self.is_trusted(held)))
    }

    pub(crate) fn destroyed(&self) -> bool {
        self.destroyed
    }

    /// The number of the newest authority in the record.
    pub(crate) fn generation(&self) -> u64 {
        let record = self.record.value.as_ref().unwrap();
        record.step.authorities().last().unwrap().generation
    }
}

fn authority(generation: u64, count: usize, now: Timestamp, life: Duration) -> Authority {
    let hour = SignedDuration::from_hours(1);
    let validity = Validity { begin: Some(now - hour), end: now + SignedDuration::try_from(life).unwrap() };
    // No two are equal, as real ones are not.
    let pem = format!("[{generation}, made as number {count}]");
    Authority::of_parts(generation, TrustedCertificate { pem, validity, generation: Some(generation) }, String::new())
}
