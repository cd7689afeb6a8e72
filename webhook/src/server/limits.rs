//! Limits on what a client may ask for, each with its reason.

use std::time::Duration;

use crate::slots::SlotLimits;

/// Limits on what a client may ask for. Each value has its reason at its constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// The pause after a failure to accept.
    pub accept_backoff: Duration,
    /// The time for a body to arrive.
    pub body: Duration,
    /// Bytes of one body.
    pub body_bytes: usize,
    /// Bytes of all large bodies that are being read or judged.
    pub body_budget: usize,
    /// Open connections for reviews.
    pub connections: usize,
    /// How long no review may be served before the guard counts as dead.
    pub dead: Duration,
    /// The time for requests in flight to end, once no more connections are accepted.
    pub drain: Duration,
    /// The time for the first request of a connection to begin.
    pub first_header: Duration,
    /// How long a connection is new, and evicted last when all slots are taken.
    pub grace: Duration,
    /// The time for a TLS handshake.
    pub handshake: Duration,
    /// Bytes of a request's header.
    pub header_bytes: usize,
    /// The time for the next request of a connection to begin.
    pub idle: Duration,
    /// How long a stopping server goes on accepting.
    pub linger: Duration,
    /// The time from a review's header to its answer.
    pub review: Duration,
    /// Connections of one address that have not carried a valid review yet; beyond these they are evicted first.
    pub share: usize,
    /// How long no review may be served before the guard counts as not ready.
    pub stalled: Duration,
    /// Large reviews that are judged at once.
    pub workers: usize,
}

impl ServerLimits {
    /// The limits on connections for reviews.
    pub(super) fn slots(&self) -> SlotLimits {
        SlotLimits { connections: self.connections, share: self.share, grace: self.grace }
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        ServerLimits {
            accept_backoff: ACCEPT_BACKOFF,
            body: BODY_TIMEOUT,
            body_bytes: MAX_BODY,
            body_budget: BODY_BUDGET,
            connections: MAX_CONNECTIONS,
            dead: DEAD,
            drain: DRAIN_TIMEOUT,
            first_header: FIRST_HEADER_TIMEOUT,
            grace: GRACE,
            handshake: HANDSHAKE_TIMEOUT,
            header_bytes: MAX_HEADER,
            idle: IDLE_TIMEOUT,
            linger: LINGER,
            review: REVIEW_TIMEOUT,
            share: SHARE,
            stalled: STALLED,
            workers: WORKERS,
        }
    }
}

/// Long enough not to spin, short enough that a descriptor that becomes free is used at once.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Below the three seconds after which the API server goes on without us, so that a slow body is answered and counted.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// A second below the API server's three, for connecting, for the way back, and for a machine that is busy.
const REVIEW_TIMEOUT: Duration = Duration::from_secs(2);

/// etcd takes objects of 1.5 MiB, an update carries the old and the new one, and the API server writes `<`, `>`, `&`
/// and control characters as six bytes each. Refusing a review that the API server can send would be a way past the
/// guard.
const MAX_BODY: usize = 20 << 20;

/// Large bodies are rare; two of the largest at once fit into the container's memory limit.
const BODY_BUDGET: usize = 2 * MAX_BODY + (1 << 20);

/// As many as can be in memory at their largest. More would take time from the small ones, which need no worker.
const WORKERS: usize = 2;

/// An API server has at most 200 writes in flight unless told otherwise, and few of them are asked about. Each
/// connection can take 96 KiB, a small body as it arrives, as it is decrypted and as it is judged, so that all of them
/// and the large bodies fit into the container's memory limit. With the other ports they stay below 1,024 descriptors,
/// which a process can have nearly everywhere.
const MAX_CONNECTIONS: usize = 512;

/// More than an API server opens at once in a burst, and an eighth of all.
const SHARE: usize = 64;

/// An API server connects and sends its review within milliseconds; this leaves room for one that is overloaded.
const GRACE: Duration = Duration::from_secs(1);

/// As long as an API server waits for an answer.
const STALLED: Duration = Duration::from_secs(3);

/// Nothing that the guard does takes that long: a restart is all that can help.
const DEAD: Duration = Duration::from_secs(30);

/// Below the pod's 30 seconds of grace, together with the linger.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// API servers send a request as soon as they are connected.
const FIRST_HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// A handshake takes milliseconds, and the API server waits three seconds for all of it.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The API server's headers have some hundred bytes. The limit also bounds how much of a body is buffered at a time.
const MAX_HEADER: usize = 32 << 10;

/// Go's clients keep idle connections for 90 s. Were ours shorter, we could close one just as a review is sent on it.
const IDLE_TIMEOUT: Duration = Duration::from_mins(2);

/// The time after which no API server opens new connections to a pod that is not ready any more.
const LINGER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_review_an_api_server_sends_fits_and_two_of_them_at_once() {
        let (etcd, escaped, sides) = (3 << 19, r"\u003c".len(), 2);
        let limits = ServerLimits::default();
        assert!(limits.body_bytes > etcd * escaped * sides && limits.body_budget > 2 * limits.body_bytes);
    }

    #[test]
    fn every_answer_is_due_before_the_api_server_goes_on_without_it() {
        let ServerLimits { body, review, .. } = ServerLimits::default();
        let webhook = include_str!("../../manifest/webhook.yaml");
        let seconds = webhook.lines().find_map(|line| line.trim().strip_prefix("timeoutSeconds: ")).unwrap();
        let timeout = Duration::from_secs(seconds.parse().unwrap());
        assert!(body <= review && review < timeout, "{body:?} {review:?} {timeout:?}");
    }
}
