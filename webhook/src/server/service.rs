//! The state that all connections for reviews share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;

use super::counters::ServerCounters;
use super::limits::ServerLimits;
use crate::review::Reviewer;

/// The state that all connections for reviews share.
#[derive(Debug)]
pub(super) struct ReviewService {
    pub(super) reviewer: Arc<Reviewer>,
    pub(super) counters: ServerCounters,
    pub(super) limits: ServerLimits,
    pub(super) closing: AtomicBool,
    /// Memory for bodies that are not small, in KiB.
    pub(super) large_bodies: Arc<Semaphore>,
    pub(super) workers: Arc<Semaphore>,
}
