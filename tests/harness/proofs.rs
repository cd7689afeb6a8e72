//! Proves each rule on a real API server, by the files in `proofs/`: what a state shows, what the printed fix does about
//! it, what the guard answers, and what only looks alike.
//!
//! The format is explained in `proofs/README.md`.

mod case;
mod command;
mod file;
mod rows;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aksarc_shared::catalogue;
use anyhow::Context;
use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::guard::Guard;
use crate::identity::Identity;
use crate::product;
use crate::samples::{self, Player};
use case::Stage;
use file::{Kind, Place, Profile, Proof};
use table::Proved;

/// What came of all proofs.
#[derive(Debug)]
pub struct Report {
    /// By rule, what was proved, or why there is nothing to prove.
    pub table: String,
    /// What failed, and what is missing.
    pub failures: Vec<String>,
}

/// Plays all proofs, or those of the rules in `only`.
///
/// # Errors
/// The proofs cannot be read at all, or the plugin does not build.
pub fn run(only: &[String]) -> anyhow::Result<Report> {
    let (proofs, mut failures) = file::all(only)?;
    let profiles = file::profiles()?;
    // Built before the clocks of the clusters start.
    let plugin = product::plugin()?;
    product::webhook()?;

    let mut groups: BTreeMap<Place<'_>, Vec<&Proof>> = BTreeMap::new();
    for proof in &proofs {
        let places: BTreeSet<Place<'_>> = proof.cases.iter().map(|case| proof.place(case)).collect();
        for place in places.into_iter().chain([proof.home()]) {
            let group = groups.entry(place).or_default();
            if group.last().is_none_or(|last| last.file != proof.file) {
                group.push(proof);
            }
        }
    }
    // What is not alpha every cluster can be asked about; the plain one is asked when it is there.
    let plain = groups.keys().find(|key| **key == ("healthy-azure-local", None)).or(groups.keys().next()).copied();
    let results = Mutex::new((BTreeMap::<&'static str, Proved>::new(), Vec::new()));
    let queue = Mutex::new(groups);
    let work = || {
        while let Some(((cluster, profile), proofs)) = lock(&queue).pop_first() {
            let place = (cluster, profile);
            let group = Group { place, proofs: &proofs, plugin: &plugin, plain: plain == Some(place), only };
            let profile = profile.map_or(Ok(Profile::default()), |name| {
                profiles.get(name).cloned().with_context(|| format!("no profile {name}"))
            });
            let started = profile.and_then(|profile| samples::start_with(cluster, |builder| profile.add(builder)));
            let played = started.and_then(|started| group.play(&started, cluster));
            let mut results = lock(&results);
            match played {
                Ok((proved, failed)) => {
                    for (code, more) in proved {
                        results.0.entry(code).or_default().add(&more);
                    }
                    results.1.extend(failed);
                }
                Err(error) => results.1.push(format!("cluster {place:?}: {error:#}")),
            }
        }
    };
    // Two: each is a control plane with its controllers.
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let (proved, failed) = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.extend(failed);
    let (mut table, missing) = table::of(&proofs, &proved, only);
    failures.extend(missing);
    let failing = proofs.iter().filter(|proof| failures.iter().any(|failure| failure.starts_with(&proof.file))).count();
    // Writing to a string does not fail.
    let _ = writeln!(table, "{} of {} rules are proved", proofs.len() - failing, catalogue::ALL.len());
    Ok(Report { table, failures })
}

/// The proofs of one cluster.
struct Group<'a> {
    place: Place<'a>,
    proofs: &'a [&'a Proof],
    plugin: &'a std::path::Path,
    /// Whether this cluster is asked about all kinds that rules guard and that are not alpha.
    plain: bool,
    only: &'a [String],
}

type Played = (BTreeMap<&'static str, Proved>, Vec<String>);

impl Group<'_> {
    fn play(&self, cluster: &ControlPlane, sample: &str) -> anyhow::Result<Played> {
        let player = Player::after(cluster, sample)?;
        let mut stage = Stage { cluster, player, plugin: self.plugin.to_owned(), guard: None };
        // What people do has to look later than what the sample did.
        stage.player.later()?;
        let mut proved = BTreeMap::new();
        let mut failed = Vec::new();
        self.states(&mut stage, &mut proved, &mut failed);
        let rows = rows::Wanted { plain: self.plain, alpha: self.place.1.is_some() };
        if self.cases().any(|(_, case)| case.asks()) || rows.plain || rows.alpha {
            self.introduce(cluster)?;
            let observe = json!({"mode": "observe"});
            stage.guard = Some((Guard::install(cluster, &observe)?, observe.clone()));
            self.changes(&mut stage, &mut proved, &mut failed);
            stage.configure(&observe)?;
            rows::ask(&mut stage, rows, self.only, &mut proved, &mut failed)?;
        }
        Ok((proved, failed))
    }

    /// What is played here, with whose it is.
    fn cases(&self) -> impl Iterator<Item = (&Proof, &file::Case)> {
        let cases = self.proofs.iter().flat_map(|proof| proof.cases.iter().map(move |case| (*proof, case)));
        cases.filter(|(proof, case)| proof.place(case) == self.place)
    }

    /// The states, without the guard.
    fn states(&self, stage: &mut Stage<'_>, proved: &mut BTreeMap<&'static str, Proved>, failed: &mut Vec<String>) {
        for proof in self.proofs {
            let so_far: &mut Proved = proved.entry(proof.rule.code.as_str()).or_default();
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
                    failed.push(format!(
                        "{}: {}: not played: {earlier:?} left its state behind",
                        proof.file,
                        case.title()
                    ));
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
    }

    fn changes(&self, stage: &mut Stage<'_>, proved: &mut BTreeMap<&'static str, Proved>, failed: &mut Vec<String>) {
        for proof in self.proofs {
            let so_far: &mut Proved = proved.entry(proof.rule.code.as_str()).or_default();
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
    }

    /// Past the test runner's capture: a full run takes minutes, and what fails is known long before its end.
    fn say(&self, proof: &Proof, what: &str, began: Instant, failed: &[String]) {
        let ((cluster, profile), seconds) = (self.place, began.elapsed().as_secs_f64());
        let place = profile.map_or_else(|| cluster.to_owned(), |profile| format!("{cluster} with {profile}"));
        let mut lines = format!("proofs: {} {what} on {place}: {seconds:.1} s\n", proof.rule.code);
        for failure in failed {
            lines = lines + "proofs: FAILED " + failure + "\n";
        }
        // A closed stderr is no reason to fail a proof.
        let _ = io::stderr().write_all(lines.as_bytes());
    }

    /// Before the guard comes: an identity's own objects are no change to judge.
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
