//! Whether the guard is alive and ready. Another thread than that of the reviews answers the probes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::presented::PresentedCertificate;

/// The state that probes ask for.
#[derive(Debug)]
pub(crate) struct Health {
    stopping: AtomicBool,
    start: Instant,
    /// When the reviews' runtime last ran, in milliseconds since the start.
    beat: AtomicU64,
    stalled: Duration,
    dead: Duration,
    certificate: Arc<PresentedCertificate>,
}

impl Health {
    /// The guard counts as not ready when no review could be served for longer than `stalled`, and as dead when for
    /// longer than `dead`.
    pub(crate) fn new(stalled: Duration, dead: Duration, certificate: Arc<PresentedCertificate>) -> Self {
        let (stopping, beat) = (AtomicBool::new(false), AtomicU64::new(0));
        Health { stopping, start: Instant::now(), beat, stalled, dead, certificate }
    }

    /// Notes at short intervals that the current runtime runs.
    pub(crate) async fn keep_beating(self: Arc<Self>) {
        let mut beats = interval((self.stalled / 4).min(BEAT));
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.beat.store(now, Ordering::Relaxed);
        }
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the guard is alive; the error says why a restart would help.
    pub(crate) fn live(&self) -> Result<(), String> {
        self.live_after(self.start.elapsed())
    }

    /// Whether reviews should come here; the error says why not.
    pub(crate) fn ready(&self) -> Result<(), String> {
        self.ready_after(self.start.elapsed())
    }

    fn live_after(&self, elapsed: Duration) -> Result<(), String> {
        self.served_within(self.dead, elapsed)
    }

    fn ready_after(&self, elapsed: Duration) -> Result<(), String> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err("stopping".to_owned());
        }
        self.served_within(self.stalled, elapsed)?;
        self.certificate.ready()
    }

    /// Whether the reviews' runtime ran within `limit`, when `elapsed` has passed since the start.
    fn served_within(&self, limit: Duration, elapsed: Duration) -> Result<(), String> {
        let silent = elapsed.saturating_sub(Duration::from_millis(self.beat.load(Ordering::Relaxed)));
        if silent <= limit {
            return Ok(());
        }
        Err(format!("no review could be served for {} s", silent.as_secs()))
    }
}

/// Between two notes: rarely enough to cost nothing, often enough to notice a stall of a second.
const BEAT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_whose_runtime_does_not_run_is_neither_ready_nor_alive() {
        let health = |dead: u64| Health::new(Duration::from_secs(3), Duration::from_secs(dead), Arc::default());
        let (stalled, minute) = (health(120), Duration::from_mins(1));
        assert_eq!(stalled.live_after(minute), Ok(()));
        assert_eq!(stalled.ready_after(minute), Err("no review could be served for 60 s".to_owned()));
        assert_eq!(health(30).live_after(minute), Err("no review could be served for 60 s".to_owned()));
        stalled.beat.store(58_000, Ordering::Relaxed);
        assert_eq!(stalled.ready_after(minute), Ok(()));
        stalled.stop();
        assert_eq!(stalled.ready_after(minute), Err("stopping".to_owned()));
        assert_eq!(stalled.live_after(minute), Ok(()));
    }
}
