//! A real Kubernetes control plane for each test that wants one: no containers, no shared cluster.
//!
//! ```no_run
//! use aksarc_tests::{ControlPlane, Identity, Kubernetes};
//!
//! # fn main() -> anyhow::Result<()> {
//! let cluster = ControlPlane::start(Kubernetes::V1_33)?;
//! let answer = cluster.kubectl(&Identity::Person, ["create", "namespace", "shop"])?;
//! answer.succeeded()?;
//! # Ok(())
//! # }
//! ```
//!
//! Everything listens on loopback, lives in a temporary directory and ends with the value, also
//! when the test panics or its process is killed. Programs are built from the Go modules in
//! `controlplane/` the first time they are needed.

pub mod attack;
pub mod audit;
pub mod binaries;
mod client;
mod control_plane;
pub mod guard;
mod identity;
mod kubectl;
mod pki;
mod process;
pub mod product;
pub mod proofs;
pub mod protection;
pub mod readme;
pub mod samples;
pub mod wait;

pub use audit::AuditEvent;
pub use binaries::Kubernetes;
pub use client::{Answer, Http, PatchKind};
pub use control_plane::{Builder, ControlPlane};
pub use identity::Identity;
pub use kubectl::Finished;
