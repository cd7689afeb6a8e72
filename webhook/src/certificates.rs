//! The guard's own certificates: a task in the background that makes them, renews them, and has the API server trust
//! them.
//!
//! All replicas share one record, a Secret in the guard's namespace, which is read and written through the API and not
//! through a volume. It holds an authority with its key. Each replica signs a certificate for itself and keeps it in
//! memory; so renewing a certificate writes nothing that others have to learn of. The resourceVersion of the record is
//! the lock: of two replicas that write it at a time one wins, and the other reads it again.
//!
//! Another authority takes the place of the first in three steps, since API servers have to trust it before anything
//! that it signed is served:
//!
//! ```text
//! steady   caBundle: 1      served: 1
//! trust    caBundle: 1, 2   served: 1    until caBundle was read back, and for a minute more
//! use      caBundle: 1, 2   served: 2    for a day, and until every replica reports that it serves 2
//! steady   caBundle: 2      served: 2
//! ```
//!
//! Where the record is gone or rubbish, a new authority is made. What API servers trust then stays trusted beside it,
//! and what the replica serves that writes the record, so that replicas can go on with what they have in memory until
//! the next step. The same holds for an installation with a certificate made by hand that changes over to this. The
//! rules by which this is decided stand at the top of `decide`.
//!
//! A replica reports what it serves in the record itself. It could be asked for its metrics, or its pod be looked up,
//! but then the guard would need the right to list pods, and a way to each of them.

pub mod authority;
mod configuration;
mod counters;
pub mod decide;
mod keeper;
mod outcome;
mod pem;
pub mod record;
pub mod sight;
pub mod times;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::api::Access;

pub(crate) use counters::CertificateCounters;
pub(crate) use keeper::run;
pub use times::CertificateTimes;

/// How the guard keeps its own certificates.
#[derive(Clone, Debug)]
pub struct CertificateOptions {
    /// How to reach the API server.
    pub access: Access,
    /// The name by which this replica reports.
    pub replica: String,
    /// How often to look.
    pub every: Duration,
    /// The times to go by.
    pub times: CertificateTimes,
}

impl CertificateOptions {
    /// A name for a replica that was given none. No two have the same one.
    pub fn made_up_name() -> String {
        format!("replica-{:016x}", RandomState::new().hash_one(0))
    }
}
