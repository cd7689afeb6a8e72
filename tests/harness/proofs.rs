//! Proves each rule on a real API server, by the files in `proofs/`: what a state shows, what the printed fix does about
//! it, what the guard answers, and what only looks alike.
//!
//! The format is explained in `proofs/README.md`.

mod case;
mod command;
mod file;
mod rows;
mod table;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use serde_json::json;

use crate::control_plane::ControlPlane;
use crate::guard::Guard;
use crate::identity::Identity;
use crate::product;
use crate::samples::{self, Player};
use case::Stage;
use file::{Kind, Proof};
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

    let mut groups: BTreeMap<(&str, Option<&str>), Vec<&Proof>> = BTreeMap::new();
    for proof in &proofs {
        let key = (&*proof.header.cluster, proof.header.control_plane.as_deref());
        groups.entry(key).or_default().push(proof);
    }
    // Every cluster can be asked about every kind; the plain one is asked when it is there.
    let rows_on = groups.keys().find(|key| **key == ("healthy-azure-local", None)).or(groups.keys().next()).copied();
    let results = Mutex::new((BTreeMap::<&'static str, Proved>::new(), Vec::new()));
    let queue = Mutex::new(groups);
    let work = || {
        while let Some(((cluster, profile), proofs)) = lock(&queue).pop_first() {
            let group = Group { proofs: &proofs, plugin: &plugin, rows: rows_on == Some((cluster, profile)), only };
            let flags = profile.map_or(Ok(Vec::new()), |name| {
                profiles.get(name).map(|row| row.flags.clone()).with_context(|| format!("no profile {name}"))
            });
            let started = flags.and_then(|flags| samples::start_with(cluster, &flags));
            let played = started.and_then(|started| group.play(&started, cluster));
            let mut results = lock(&results);
            match played {
                Ok((proved, failed)) => {
                    for (code, more) in proved {
                        results.0.entry(code).or_default().add(&more);
                    }
                    results.1.extend(failed);
                }
                Err(error) => results.1.push(format!("cluster {cluster} {profile:?}: {error:#}")),
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
    let (table, missing) = table::of(&proofs, &proved, only);
    failures.extend(missing);
    Ok(Report { table, failures })
}

/// The proofs of one cluster.
struct Group<'a> {
    proofs: &'a [&'a Proof],
    plugin: &'a std::path::Path,
    /// Whether this cluster is asked about all kinds that rules guard.
    rows: bool,
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
        let asks = self.proofs.iter().flat_map(|proof| &proof.cases).any(file::Case::asks);
        if asks || self.rows {
            self.introduce(cluster)?;
            let observe = json!({"mode": "observe"});
            stage.guard = Some((Guard::install(cluster, &observe)?, observe.clone()));
            self.changes(&mut stage, &mut proved, &mut failed);
            stage.configure(&observe)?;
        }
        if self.rows {
            rows::ask(&mut stage, self.only, &mut proved, &mut failed)?;
        }
        Ok((proved, failed))
    }

    /// The states, without the guard.
    fn states(&self, stage: &mut Stage<'_>, proved: &mut BTreeMap<&'static str, Proved>, failed: &mut Vec<String>) {
        for proof in self.proofs {
            let so_far: &mut Proved = proved.entry(proof.rule.code.as_str()).or_default();
            let began = Instant::now();
            if case::sees(proof)
                && let Err(error) = stage.clean(proof)
            {
                failed.push(format!("{}: {error:#}", proof.file));
            }
            let mut left = None;
            for case in proof.cases.iter().filter(|case| case.judges() && case::sees(proof)) {
                if let Some(earlier) = &left {
                    failed.push(format!(
                        "{}: {}: not played: {earlier:?} left its state behind",
                        proof.file,
                        case.title()
                    ));
                    continue;
                }
                match stage.state(proof, case) {
                    Ok(shown) => so_far.state(case, &shown),
                    Err(error) => {
                        failed.push(format!("{}: {}: {error:#}", proof.file, case.title()));
                        left = stage.clean(proof).is_err().then(|| case.title());
                    }
                }
            }
            so_far.seconds += began.elapsed().as_secs_f64();
        }
    }

    fn changes(&self, stage: &mut Stage<'_>, proved: &mut BTreeMap<&'static str, Proved>, failed: &mut Vec<String>) {
        for proof in self.proofs {
            let so_far: &mut Proved = proved.entry(proof.rule.code.as_str()).or_default();
            let began = Instant::now();
            for case in proof.cases.iter().filter(|case| case.asks()) {
                match stage.change(proof, case) {
                    Ok(()) if case.kind() == Kind::Change => so_far.changes += 1,
                    Ok(()) => so_far.look_alikes += 1,
                    Err(error) => failed.push(format!("{}: {}: {error:#}", proof.file, case.title())),
                }
            }
            so_far.seconds += began.elapsed().as_secs_f64();
        }
    }

    /// Before the guard comes: an identity's own objects are no change to judge.
    fn introduce(&self, cluster: &ControlPlane) -> anyhow::Result<()> {
        cluster.kubeconfig(&Identity::Person)?;
        for case in self.proofs.iter().flat_map(|proof| &proof.cases).filter(|case| case.asks()) {
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
