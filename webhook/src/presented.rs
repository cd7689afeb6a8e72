//! The certificate that the next handshake presents. It is in memory and swapped as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aksarc_shared::jiff::Timestamp;
use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_rustls::rustls::ServerConfig;

/// The certificate that the next handshake presents.
#[derive(Debug, Default)]
pub(crate) struct PresentedCertificate {
    config: ArcSwapOption<ServerConfig>,
    looked_after: Option<LookedAfter>,
}

/// How a task keeps the certificate in order.
#[derive(Debug)]
struct LookedAfter {
    /// When the task last looked, in seconds by this machine's clock, which goes on while a machine is paused.
    looked: AtomicI64,
    /// How old a look may be.
    fresh: Duration,
    /// Counts the looks.
    looks: watch::Sender<u64>,
    /// Asks the task to look now.
    ask: Notify,
    /// Why no reviews should come here; empty where they should.
    unready: watch::Sender<String>,
}

impl PresentedCertificate {
    /// A certificate that whoever holds this value looks after.
    pub(crate) fn of(config: Arc<ServerConfig>) -> Self {
        PresentedCertificate { config: ArcSwapOption::new(Some(config)), looked_after: None }
    }

    /// No certificate yet. A task calls [`PresentedCertificate::looked`], more often than `fresh`.
    pub(crate) fn awaited(fresh: Duration) -> Self {
        let looked_after = LookedAfter {
            looked: AtomicI64::new(0),
            fresh,
            looks: watch::Sender::new(0),
            ask: Notify::new(),
            unready: watch::Sender::new("no certificate yet".to_owned()),
        };
        PresentedCertificate { config: ArcSwapOption::empty(), looked_after: Some(looked_after) }
    }

    /// Presents another certificate from the next handshake on.
    pub(crate) fn present(&self, config: Arc<ServerConfig>) {
        self.config.store(Some(config));
    }

    /// Notes that the certificate was looked after, and why no reviews should come here.
    pub(crate) fn looked(&self, ready: Result<(), String>) {
        let Some(task) = &self.looked_after else { return };
        task.looked.store(Timestamp::now().as_second(), Ordering::Relaxed);
        task.unready.send_replace(ready.err().unwrap_or_default());
        task.looks.send_modify(|looks| *looks += 1);
    }

    /// Waits until the task is asked to look at once.
    pub(crate) async fn asked(&self) {
        match &self.looked_after {
            Some(task) => task.ask.notified().await,
            None => std::future::pending().await,
        }
    }

    /// The TLS configuration for a handshake. On a machine that was paused the certificate may be out of date by now:
    /// the handshake then waits until it was looked after, and no longer than a moment.
    pub(crate) async fn config(&self) -> Option<Arc<ServerConfig>> {
        if let Some(task) = self.looked_after.as_ref().filter(|task| task.is_overdue()) {
            let mut looks = task.looks.subscribe();
            looks.borrow_and_update();
            task.ask.notify_one();
            // An error is the end of the time, or of the task: what there is has to do.
            let _ = timeout(MOMENT, looks.changed()).await;
        }
        self.config.load_full()
    }

    /// Whether there is a certificate to serve; the error says why not.
    pub(crate) fn ready(&self) -> Result<(), String> {
        let unready = self.looked_after.as_ref().map(|task| task.unready.borrow().clone()).unwrap_or_default();
        if unready.is_empty() { Ok(()) } else { Err(unready) }
    }
}

impl LookedAfter {
    fn is_overdue(&self) -> bool {
        let since = Timestamp::now().as_second().abs_diff(self.looked.load(Ordering::Relaxed));
        Duration::from_secs(since) > self.fresh
    }
}

/// API servers wait for three seconds, for the whole review.
const MOMENT: Duration = Duration::from_millis(1500);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_handshake_waits_for_a_look_that_is_overdue_and_for_no_more_than_a_moment() {
        let presented = Arc::new(PresentedCertificate::awaited(Duration::from_secs(30)));
        assert_eq!(presented.ready(), Err("no certificate yet".to_owned()));
        // Nobody looks: the handshake goes on without.
        assert!(presented.config().await.is_none());
        let task = Arc::clone(&presented);
        tokio::spawn(async move {
            task.asked().await;
            task.looked(Ok(()));
        });
        let start = tokio::time::Instant::now();
        presented.config().await;
        assert_eq!(presented.ready(), Ok(()));
        assert!(start.elapsed() < MOMENT);
        // The last look is a moment ago: nobody is asked.
        let start = tokio::time::Instant::now();
        presented.config().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
