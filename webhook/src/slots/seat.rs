//! The state of one connection that decides about its eviction.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionState {
    /// Shaking hands.
    Handshake,
    /// Waiting for a request, or for the rest of its header.
    Idle,
    /// Sending the body of a request.
    Receiving,
    /// Waiting for our answer.
    Answering,
}

impl ConnectionState {
    pub(crate) const ALL: [ConnectionState; 4] =
        [ConnectionState::Handshake, ConnectionState::Idle, ConnectionState::Receiving, ConnectionState::Answering];

    /// The word for the state in metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            ConnectionState::Handshake => "handshake",
            ConnectionState::Idle => "idle",
            ConnectionState::Receiving => "receiving",
            ConnectionState::Answering => "answering",
        }
    }

    pub(super) fn is_idle(self) -> bool {
        matches!(self, ConnectionState::Handshake | ConnectionState::Idle)
    }
}

/// The state of one connection that its listener looks at. Times are microseconds since the listener's start.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) source: IpAddr,
    pub(super) accepted: u64,
    /// The state in the lowest bits, and since when above them. It is one word, so that a request takes no lock.
    activity: AtomicU64,
    /// The connection has carried a valid review.
    proven: AtomicBool,
    evicted: Notify,
}

impl Seat {
    pub(super) fn new(source: IpAddr, now: u64) -> Self {
        Seat {
            source,
            accepted: now,
            activity: AtomicU64::new(activity(ConnectionState::Handshake, now)),
            proven: AtomicBool::new(false),
            evicted: Notify::new(),
        }
    }

    /// Notes what the connection does from `now` on, and returns what it did before.
    pub(super) fn enter(&self, state: ConnectionState, now: u64) -> ConnectionState {
        let before = self.state();
        // Without a request, a connection is idle since it was accepted.
        let since = if before == ConnectionState::Handshake { self.accepted } else { now };
        self.activity.store(activity(state, since), Ordering::Relaxed);
        before
    }

    pub(super) fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    /// Tells the connection to end.
    pub(super) fn evict(&self) {
        self.evicted.notify_one();
    }

    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    pub(super) fn state(&self) -> ConnectionState {
        match self.activity.load(Ordering::Relaxed) & STATE {
            0 => ConnectionState::Handshake,
            1 => ConnectionState::Idle,
            2 => ConnectionState::Receiving,
            _ => ConnectionState::Answering,
        }
    }

    pub(super) fn since(&self) -> u64 {
        self.activity.load(Ordering::Relaxed) >> STATE_BITS
    }

    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }
}

fn activity(state: ConnectionState, since: u64) -> u64 {
    since << STATE_BITS | state as u64
}

const STATE_BITS: u32 = 2;
const STATE: u64 = (1 << STATE_BITS) - 1;
