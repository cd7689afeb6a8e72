//! Proves each rule on a real API server, by the files in `proofs/`: the findings of a state, the effect of the printed
//! fix, the guard's answer, and look-alikes without a finding.
//!
//! The format is explained in `proofs/README.md`.

mod case;
mod command;
mod file;
mod rows;
mod table;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aksarc_shared::rules::catalogue;
use anyhow::Context;
use serde_json::json;

use crate::binaries::Kubernetes;
use crate::control_plane::ControlPlane;
use crate::guard::Guard;
use crate::identity::Identity;
use crate::product;
use crate::samples::{self, Player};
use case::Stage;
use file::{Kind, Place, Profile, Proof};
use rows::Asking;
use table::Proved;

/// Plays the proofs whose sample wants `kubernetes`, and says by rule which claims were proved.
/// `AKSARC_PROOFS=AA203,AA301` plays those of some rules, for whoever writes one.
///
/// # Panics
/// A proof failed or is missing, or none can be played.
pub fn assert(kubernetes: Kubernetes) {
    let codes = env::var(RESTRICTION).unwrap_or_default();
    let only: Vec<_> =
        codes.split(',').map(|code| code.trim().to_uppercase()).filter(|code| !code.is_empty()).collect();
    assert!(only.is_empty() || env::var_os("CI").is_none(), "{RESTRICTION} leaves proofs out: not in CI");
    let Report { table, failures } = match run(kubernetes, &only) {
        Ok(report) => report,
        Err(error) => panic!("no proof was played: {error:#}"),
    };
    say(&format!("\n{table}"));
    if !only.is_empty() {
        say(&format!("!!!! ONLY {} PLAYED, BY {RESTRICTION}: THIS IS NOT A FULL RUN !!!!\n", only.join(", ")));
    }
    assert!(failures.is_empty(), "{} failed:\n\n{}\n", failures.len(), failures.join("\n\n"));
}

/// Printed past the test runner's capture: a full run takes minutes, and a failure is known long before its end.
fn say(text: &str) {
    // A closed stderr is no reason to fail a proof.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The outcome of the proofs of one Kubernetes version.
struct Report {
    /// By rule, the proved claims, or the reason why there is nothing to prove.
    table: String,
    /// The proofs that failed, and those that are missing.
    failures: Vec<String>,
}

fn run(kubernetes: Kubernetes, only: &[String]) -> anyhow::Result<Report> {
    let (proofs, mut failures) = file::all(only)?;
    let profiles = file::profiles()?;
    // Built before the clocks of the clusters start.
    let plugin = product::plugin()?;

    let mut places: BTreeMap<Place<'_>, Vec<&Proof>> = BTreeMap::new();
    for proof in &proofs {
        let own: BTreeSet<Place<'_>> = proof.cases.iter().map(|case| proof.place(case)).collect();
        for place in own.into_iter().chain([proof.home()]) {
            if samples::kubernetes(place.0)? != kubernetes {
                continue;
            }
            let here = places.entry(place).or_default();
            if here.last().is_none_or(|last| last.file != proof.file) {
                here.push(proof);
            }
        }
    }
    // What is not alpha every cluster can be asked about; the plain one is asked when it is there. All of that is served by
    // the newest Kubernetes, so no older one is asked again.
    let plain = places.keys().find(|place| **place == PLAIN).or(places.keys().next()).copied();
    let plain = plain.filter(|_| kubernetes == Kubernetes::NEWEST);
    let mut groups = Vec::new();
    for (place, proofs) in places {
        let asked = Asking { plain: plain == Some(place), alpha: place.1.is_some() };
        let rows = rows::wanted(asked, only);
        groups.push(Group {
            place,
            queue: Mutex::new(proofs.clone().into()),
            rows: Mutex::new(rows),
            proofs,
            plugin: &plugin,
            only,
        });
    }
    // Those with much to play first.
    groups.sort_by_key(|group| std::cmp::Reverse(group.proofs.len()));
    let shares = groups.iter().flat_map(|group| std::iter::repeat_n(group, group.planes()));
    let (queue, results) = (Mutex::new(shares.collect::<VecDeque<_>>()), Mutex::new((BTreeMap::new(), Vec::new())));
    let work = || {
        while let Some(group) = next(&queue) {
            let played = group.start(&profiles).and_then(|cluster| group.play(&cluster));
            let mut results = lock(&results);
            let (all, failed): &mut Played = &mut results;
            match played {
                Ok((proved, more)) => {
                    for (code, more) in proved {
                        all.entry(code).or_default().add(&more);
                    }
                    failed.extend(more);
                }
                Err(error) => failed.push(format!("cluster {:?}: {error:#}", group.place)),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let (proved, failed) = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.extend(failed);
    let (mut table, missing) = table::of(kubernetes, &proofs, &proved, only)?;
    failures.extend(missing);
    let home = |proof: &&Proof| samples::kubernetes(proof.home().0).is_ok_and(|own| own == kubernetes);
    let whole = |proof: &&Proof| !failures.iter().any(|failure| failure.starts_with(&proof.file));
    let count = proofs.iter().filter(home).filter(whole).count();
    // Writing to a string does not fail.
    let _ = writeln!(
        table,
        "{count} of {} rules are proved on Kubernetes {}",
        catalogue::ALL.len(),
        kubernetes.git_version()
    );
    Ok(Report { table, failures })
}

/// The proofs of one place, which several control planes share: each takes what no other has begun.
struct Group<'a> {
    place: Place<'a>,
    proofs: Vec<&'a Proof>,
    queue: Mutex<VecDeque<&'a Proof>>,
    rows: Mutex<VecDeque<rows::OfKind>>,
    plugin: &'a Path,
    only: &'a [String],
}

type Played = (BTreeMap<&'static str, Proved>, Vec<String>);

impl Group<'_> {
    /// The number of control planes that share it.
    fn planes(&self) -> usize {
        self.proofs.len().div_ceil(PROOFS_OF_A_PLANE).min(PLANES_OF_A_PLACE)
    }

    fn start(&self, profiles: &BTreeMap<String, Profile>) -> anyhow::Result<ControlPlane> {
        let (sample, profile) = self.place;
        let profile = match profile {
            Some(name) => profiles.get(name).cloned().with_context(|| format!("no profile {name}"))?,
            None => Profile::default(),
        };
        samples::start_with(sample, |builder| profile.add(builder))
    }

    fn play(&self, cluster: &ControlPlane) -> anyhow::Result<Played> {
        let player = Player::after(cluster, self.place.0)?;
        let mut stage = Stage { cluster, player, plugin: self.plugin.to_owned(), guard: None };
        // The time between the sample's steps and people's changes, so that the latter are later in managedFields.
        stage.player.later()?;
        let mut proved = BTreeMap::new();
        let mut failed = Vec::new();
        let mut taken = Vec::new();
        while let Some(proof) = next(&self.queue) {
            taken.push(proof);
            self.states(&mut stage, proof, proved.entry(proof.rule.code.as_str()).or_default(), &mut failed);
        }
        if self.cases().any(|(_, case)| case.asks()) || !lock(&self.rows).is_empty() {
            self.introduce(cluster)?;
            let observe = json!({"mode": "observe"});
            stage.guard = Some((Guard::install(cluster, &observe)?, observe.clone()));
            // Changes may be of kinds that the states have brought.
            for proof in taken {
                self.changes(&mut stage, proof, proved.entry(proof.rule.code.as_str()).or_default(), &mut failed);
            }
            stage.configure(&observe)?;
            let mut asked = rows::Asked::new()?;
            while let Some(kind) = next(&self.rows) {
                asked.ask(&mut stage, &kind, &mut failed)?;
            }
            asked.credit(self.only, &mut proved);
        }
        Ok((proved, failed))
    }

    /// The cases that are played here, each with its proof.
    fn cases(&self) -> impl Iterator<Item = (&Proof, &file::Case)> {
        let cases = self.proofs.iter().flat_map(|proof| proof.cases.iter().map(move |case| (*proof, case)));
        cases.filter(|(proof, case)| proof.place(case) == self.place)
    }

    /// The states of one rule, without the guard.
    fn states(&self, stage: &mut Stage<'_>, proof: &Proof, so_far: &mut Proved, failed: &mut Vec<String>) {
        let (began, failed_before) = (Instant::now(), failed.len());
        if case::sees(proof)
            && proof.home() == self.place
            && let Err(error) = stage.clean(proof)
        {
            failed.push(format!("{}: {error:#}", proof.file));
        }
        let mut left = None;
        let here = proof.cases.iter().filter(|case| proof.place(case) == self.place);
        for case in here.filter(|case| case.judges() && case::sees(proof)) {
            if let Some(earlier) = &left {
                failed.push(format!("{}: {}: not played: {earlier:?} left its state behind", proof.file, case.title()));
                continue;
            }
            match stage.state(proof, case) {
                Ok(shown) => {
                    so_far.state(case, &shown);
                    left = case.stays.is_some().then(|| case.title());
                }
                Err(error) => {
                    failed.push(format!("{}: {}: {error:#}", proof.file, case.title()));
                    left = stage.clean(proof).is_err().then(|| case.title());
                }
            }
        }
        so_far.seconds += began.elapsed().as_secs_f64();
        self.say(proof, "states", began, failed.get(failed_before..).unwrap_or_default());
    }

    /// The changes of one rule, past the guard.
    fn changes(&self, stage: &mut Stage<'_>, proof: &Proof, so_far: &mut Proved, failed: &mut Vec<String>) {
        let (began, failed_before) = (Instant::now(), failed.len());
        for case in proof.cases.iter().filter(|case| case.asks() && proof.place(case) == self.place) {
            match stage.change(proof, case) {
                Ok(()) if case.kind() == Kind::Change => so_far.changes += 1,
                Ok(()) => so_far.look_alikes += 1,
                Err(error) => failed.push(format!("{}: {}: {error:#}", proof.file, case.title())),
            }
        }
        so_far.seconds += began.elapsed().as_secs_f64();
        self.say(proof, "changes", began, failed.get(failed_before..).unwrap_or_default());
    }

    fn say(&self, proof: &Proof, what: &str, began: Instant, failed: &[String]) {
        let ((cluster, profile), seconds) = (self.place, began.elapsed().as_secs_f64());
        let place = profile.map_or_else(|| cluster.to_owned(), |profile| format!("{cluster} with {profile}"));
        let mut lines = format!("proofs: {} {what} on {place}: {seconds:.1} s\n", proof.rule.code);
        for failure in failed {
            lines = lines + "proofs: FAILED " + failure + "\n";
        }
        say(&lines);
    }

    /// Played before the guard is installed: the objects of identities are no changes to judge.
    fn introduce(&self, cluster: &ControlPlane) -> anyhow::Result<()> {
        cluster.kubeconfig(&Identity::Person)?;
        for (_, case) in self.cases().filter(|(_, case)| case.asks()) {
            let identity = samples::identity(&case.who)?;
            cluster.kubeconfig(&identity)?;
            if matches!(identity, Identity::ServiceAccount { .. } | Identity::User { .. }) {
                cluster.bind(&identity, "cluster-admin")?;
            }
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next<T>(queue: &Mutex<VecDeque<T>>) -> Option<T> {
    lock(queue).pop_front()
}

const RESTRICTION: &str = "AKSARC_PROOFS";

const PLAIN: Place<'static> = ("healthy-azure-local", None);

/// A proof waits for controllers most of the time, so that two cores carry more control planes than two.
const AT_ONCE: usize = 4;

/// Below this, starting another control plane takes longer than it saves.
const PROOFS_OF_A_PLANE: usize = 10;

/// One of [`AT_ONCE`] is left for the places with few proofs.
const PLANES_OF_A_PLACE: usize = 3;
