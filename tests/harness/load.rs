//! Changes without a pause, each with the answer that the guard owes it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Answer, Http, PatchKind};
use crate::control_plane::ControlPlane;
use crate::identity::Identity;

/// The answer that the guard owes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    /// It is allowed.
    Allowed,
    /// It is denied by the rule of this code.
    Denied(&'static str),
    /// It is denied by the rule of this code or allowed with a warning of it: two configurations take turns.
    DeniedOrWarned(&'static str),
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It got the answer that it was owed.
    Right,
    /// It went through without a word of the guard, and should not have.
    Through,
    /// It was refused, and not by what had to refuse it.
    Failed,
}

/// Writers that try changes, all of them dry runs, until they are told to stop.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<()>>,
    begun: Instant,
}

#[derive(Debug, Default)]
struct Shared {
    over: AtomicBool,
    allowed: AtomicU64,
    denied: AtomicU64,
    warned: AtomicU64,
    slowest: AtomicU64,
    through: Mutex<Vec<String>>,
    last: Mutex<Option<Instant>>,
    failed: Mutex<Vec<String>>,
    /// Held by a writer during one request, and by whoever needs that none is on its way.
    gate: RwLock<()>,
}

/// A change that a writer tries again and again.
#[derive(Clone, Debug)]
struct Trial {
    path: String,
    change: TrialChange,
    owed: Owed,
}

#[derive(Clone, Debug)]
enum TrialChange {
    Create(Value),
    Merge(Value),
}

/// What a load has done.
#[derive(Clone, Copy, Debug)]
pub struct LoadFigures {
    /// Changes that were allowed, as they had to be.
    pub allowed: u64,
    /// Changes that were denied, as they had to be.
    pub denied: u64,
    /// Changes that were warned of, as they had to be.
    pub warned: u64,
    /// How long it went on.
    pub time: Duration,
    /// The longest wait for an answer.
    pub slowest: Duration,
}

impl LoadFigures {
    /// Changes in a second that were judged.
    pub fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let judged = (self.allowed + self.denied + self.warned) as f64;
        judged / self.time.as_secs_f64().max(0.001)
    }
}

impl fmt::Display for LoadFigures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LoadFigures { allowed, denied, warned, time, slowest } = self;
        write!(
            out,
            "{denied} changes denied, {allowed} allowed and {warned} warned of in {:.0} s, ",
            time.as_secs_f64()
        )?;
        write!(out, "{:.0} a second, the slowest after {slowest:.1?}", self.rate())
    }
}

impl Load {
    /// Begins to change `node`: of four changes three are denied and one is allowed.
    ///
    /// # Errors
    /// There are no credentials.
    pub fn begin(cluster: &ControlPlane, node: &str, webhooks: &[String]) -> anyhow::Result<Self> {
        let foreign = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "foreign"}});
        let foreign = || Trial {
            path: "/api/v1/nodes?dryRun=All&fieldManager=kubectl-create".to_owned(),
            change: TrialChange::Create(foreign.clone()),
            owed: Owed::Denied("AA401"),
        };
        let trials = [
            foreign(),
            relabel(node, Owed::Denied("AA201")),
            foreign(),
            label(node, "contoso.example/site", Owed::Allowed),
        ];
        Self::of(cluster, &trials, webhooks)
    }

    /// Begins to relabel `node`, which is owed one answer.
    ///
    /// # Errors
    /// As [`Load::begin`].
    pub fn relabelling(cluster: &ControlPlane, node: &str, webhooks: &[String], owed: Owed) -> anyhow::Result<Self> {
        Self::of(cluster, &[relabel(node, owed)], webhooks)
    }

    fn of(cluster: &ControlPlane, trials: &[Trial], webhooks: &[String]) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut writers = Vec::new();
        for first in 0..WRITERS {
            // With a connection of its own.
            let person = cluster.http(&Identity::Person)?;
            let (shared, webhooks, trials) = (Arc::clone(&shared), webhooks.to_vec(), trials.to_vec());
            writers.push(thread::spawn(move || shared.write(&person, &trials, first, &webhooks)));
        }
        Ok(Load { shared, writers, begun: Instant::now() })
    }

    /// Does something while no request is on its way.
    pub fn meanwhile<T>(&self, act: impl FnOnce() -> T) -> T {
        let _gate = self.shared.gate.write().unwrap_or_else(PoisonError::into_inner);
        act()
    }

    /// How many changes got the answer that they were owed.
    pub fn right(&self) -> u64 {
        let Shared { allowed, denied, warned, .. } = &*self.shared;
        [allowed, denied, warned].iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Takes out the changes that went through so far without a word of the guard.
    pub fn take_through(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.shared.through))
    }

    /// When the last one went through without a word of the guard.
    pub fn last_through(&self) -> Option<Instant> {
        *locked(&self.shared.last)
    }

    /// How many went through so far and were not taken out.
    pub fn through(&self) -> usize {
        locked(&self.shared.through).len()
    }

    /// Takes out the changes that failed so far for a reason that is not the guard's, or got no answer.
    pub fn take_failed(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.shared.failed))
    }

    /// What it has done so far.
    pub fn figures(&self) -> LoadFigures {
        let Shared { allowed, denied, warned, slowest, .. } = &*self.shared;
        let [allowed, denied, warned, slowest] =
            [allowed, denied, warned, slowest].map(|count| count.load(Ordering::Relaxed));
        LoadFigures { allowed, denied, warned, time: self.begun.elapsed(), slowest: Duration::from_micros(slowest) }
    }

    /// The same load, whose figures begin now.
    #[must_use]
    pub fn anew(mut self) -> Self {
        let Shared { allowed, denied, warned, slowest, .. } = &*self.shared;
        for count in [allowed, denied, warned, slowest] {
            count.store(0, Ordering::Relaxed);
        }
        self.begun = Instant::now();
        self
    }

    /// Ends it, with the last request.
    pub fn end(self) -> LoadFigures {
        let figures = self.figures();
        self.shared.over.store(true, Ordering::Relaxed);
        for writer in self.writers {
            // One that panicked has said so.
            let _ = writer.join();
        }
        figures
    }
}

impl Shared {
    fn write(&self, person: &Http, trials: &[Trial], first: usize, webhooks: &[String]) {
        for Trial { path, change, owed } in trials.iter().cycle().skip(first) {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
            let begun = Instant::now();
            let answer = match change {
                TrialChange::Create(object) => person.post(path, object),
                TrialChange::Merge(change) => person.patch(path, PatchKind::Merge, change),
            };
            let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.slowest.fetch_max(took, Ordering::Relaxed);
            match answer {
                Ok(answer) => self.note(&answer, *owed, webhooks),
                Err(error) => locked(&self.failed).push(format!("{error:#}")),
            }
            drop(gate);
            // Whoever waits for the gate comes first.
            thread::yield_now();
        }
    }

    fn note(&self, answer: &Answer, owed: Owed, webhooks: &[String]) {
        let outcome = match owed {
            Owed::Allowed if answer.is_success() => count(&self.allowed),
            Owed::Denied(code) | Owed::DeniedOrWarned(code) if is_denied(answer, code, webhooks) => count(&self.denied),
            Owed::DeniedOrWarned(code) if answer.warnings.iter().any(|warning| warning.contains(code)) => {
                count(&self.warned)
            }
            Owed::Denied(_) | Owed::DeniedOrWarned(_) if answer.is_success() => Outcome::Through,
            Owed::Allowed | Owed::Denied(_) | Owed::DeniedOrWarned(_) => Outcome::Failed,
        };
        let shown = || format!("{} {}", answer.code, answer.body);
        match outcome {
            Outcome::Right => {}
            Outcome::Through => {
                *locked(&self.last) = Some(Instant::now());
                locked(&self.through).push(shown());
            }
            Outcome::Failed => locked(&self.failed).push(shown()),
        }
    }
}

fn count(counter: &AtomicU64) -> Outcome {
    counter.fetch_add(1, Ordering::Relaxed);
    Outcome::Right
}

/// Whether it was the guard that denied, by the rule that it has to.
fn is_denied(answer: &Answer, code: &str, webhooks: &[String]) -> bool {
    let refusal: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let text = |path: &str| refusal.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let ours = webhooks.iter().any(|name| text("/message").contains(&**name));
    answer.code == 403 && ours && text("/details/causes/0/reason") == code
}

fn relabel(node: &str, owed: Owed) -> Trial {
    label(node, "kubernetes.io/hostname", owed)
}

fn label(node: &str, key: &str, owed: Owed) -> Trial {
    let change = json!({"metadata": {"labels": {key: "edge-7"}}});
    let path = format!("/api/v1/nodes/{node}?dryRun=All&fieldManager=kubectl-label");
    Trial { path, change: TrialChange::Merge(change), owed }
}

fn locked<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As many as keep two cores busy.
pub const WRITERS: usize = 6;
