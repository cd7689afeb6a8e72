//! Changes that the guard has to deny, without a pause.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use aksarc_tests::{Answer, Http, PatchKind};
use serde_json::{Value, json};

/// Writers that try to relabel a node until told to stop.
pub(crate) struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<()>>,
    begun: Instant,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    denied: AtomicU64,
    /// Changes that went through, and when.
    through: Mutex<Vec<(Instant, String)>>,
    /// Held by a writer during one request, and by whoever needs that none is on its way.
    gate: RwLock<()>,
}

impl Load {
    pub(crate) fn begin(person: &Http, node: &str, webhooks: &[String]) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = |_| {
            let (shared, person, webhooks) = (Arc::clone(&shared), person.clone(), webhooks.to_vec());
            let path = format!("/api/v1/nodes/{node}?dryRun=All&fieldManager=kubectl-label");
            thread::spawn(move || shared.write(&person, &path, &webhooks))
        };
        let writers = (0..WRITERS).map(writer).collect();
        Load { shared, writers, begun: Instant::now() }
    }

    /// Does something while no request is on its way.
    pub(crate) fn meanwhile<T>(&self, act: impl FnOnce() -> T) -> T {
        let _gate = self.shared.gate.write().unwrap();
        act()
    }

    /// How many changes were denied so far.
    pub(crate) fn denied(&self) -> u64 {
        self.shared.denied.load(Ordering::Relaxed)
    }

    /// Takes out the changes that went through so far.
    pub(crate) fn take_through(&self) -> Vec<(Instant, String)> {
        std::mem::take(&mut *self.shared.through.lock().unwrap())
    }

    /// How many went through so far and were not taken out.
    pub(crate) fn through(&self) -> usize {
        self.shared.through.lock().unwrap().len()
    }

    /// Ends it; what it did.
    pub(crate) fn end(self) -> String {
        self.shared.over.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.join().unwrap();
        }
        let (denied, time) = (self.shared.denied.load(Ordering::Relaxed), self.begun.elapsed());
        let rate = u128::from(denied) * 1000 / time.as_millis().max(1);
        format!("{denied} changes denied in {:.0} s, {rate} a second", time.as_secs_f64())
    }
}

impl Shared {
    fn write(&self, person: &Http, path: &str, webhooks: &[String]) {
        let relabel = json!({"metadata": {"labels": {"kubernetes.io/hostname": "edge-7"}}});
        while !self.over.load(Ordering::Relaxed) {
            let gate = self.gate.read().unwrap();
            let answer = person.patch(path, PatchKind::Merge, &relabel).unwrap();
            if is_denied(&answer, webhooks) {
                self.denied.fetch_add(1, Ordering::Relaxed);
            } else {
                self.through.lock().unwrap().push((Instant::now(), format!("{} {}", answer.code, answer.body)));
            }
            drop(gate);
            // Whoever waits for the gate comes first.
            thread::sleep(BREATH);
        }
    }
}

/// Whether it was the guard that denied, by the rule that it has to.
fn is_denied(answer: &Answer, webhooks: &[String]) -> bool {
    let refusal: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let message = refusal["message"].as_str().unwrap_or_default();
    let ours = webhooks.iter().any(|name| message.contains(&**name));
    answer.code == 403 && ours && refusal["details"]["causes"][0]["reason"] == "AA201"
}

/// As many as keep two cores busy.
pub(crate) const WRITERS: usize = 6;
const BREATH: Duration = Duration::from_millis(1);
