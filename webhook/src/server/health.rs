//! Whether the guard is alive and ready, for probes that are answered by another thread than the reviews.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::Limits;

/// What probes are told.
#[derive(Debug)]
pub(crate) struct Health {
    stopping: AtomicBool,
    start: Instant,
    /// When the reviews' runtime last had its turn, in milliseconds since the start.
    beat: AtomicU64,
    stalled: Duration,
    dead: Duration,
}

impl Health {
    pub(super) fn new(limits: &Limits) -> Self {
        let Limits { stalled, dead, .. } = *limits;
        Health { stopping: AtomicBool::new(false), start: Instant::now(), beat: AtomicU64::new(0), stalled, dead }
    }

    /// Shows again and again that the current runtime gets its turn.
    pub(super) async fn keep_beating(self: Arc<Self>) {
        let mut beats = interval((self.stalled / 4).min(BEAT));
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.beat.store(now, Ordering::Relaxed);
        }
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether a restart would help: why it would.
    pub(crate) fn live(&self) -> Result<(), String> {
        self.served_within(self.dead)
    }

    /// Whether reviews should come here: why they should not.
    pub(crate) fn ready(&self) -> Result<(), String> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err("stopping".to_owned());
        }
        self.served_within(self.stalled)
    }

    fn served_within(&self, limit: Duration) -> Result<(), String> {
        let silent = self.start.elapsed().saturating_sub(Duration::from_millis(self.beat.load(Ordering::Relaxed)));
        if silent <= limit {
            return Ok(());
        }
        Err(format!("no review could be served for {} s", silent.as_secs()))
    }
}

/// Rarely enough to cost nothing, often enough to tell a stall of a second.
const BEAT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_whose_reviews_do_not_get_their_turn_is_neither_ready_nor_alive() {
        let start = Instant::now().checked_sub(Duration::from_mins(1)).unwrap();
        let health = |limits: Limits| Health { start, ..Health::new(&limits) };
        let stalled = health(Limits { dead: Duration::from_mins(2), ..Limits::default() });
        assert_eq!(stalled.live(), Ok(()));
        assert_eq!(stalled.ready(), Err("no review could be served for 60 s".to_owned()));
        assert_eq!(health(Limits::default()).live(), Err("no review could be served for 60 s".to_owned()));
        stalled.beat.store(60_000, Ordering::Relaxed);
        assert_eq!(stalled.ready(), Ok(()));
        stalled.stop();
        assert_eq!((stalled.ready(), stalled.live()), (Err("stopping".to_owned()), Ok(())));
    }
}
