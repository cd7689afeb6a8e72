//! The tests that only read sample clusters, in one program, so that the clusters are shared.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod e2e_doctor;
mod e2e_dump;
mod e2e_samples;
mod e2e_support_check;

use aksarc_tests::{Shared, samples};

/// No test changes it. Each reads as an identity of its own where it looks at the audit log.
static HEALTHY: Shared = Shared::new(|| samples::start("healthy-azure-local").unwrap());

/// No test changes it.
static DRIFTED: Shared = Shared::new(|| samples::start("drifted").unwrap());
