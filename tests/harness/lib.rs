//! Real Kubernetes control planes for tests: no containers, and no cluster from outside.
//!
//! ```no_run
//! use aksarc_tests::{ControlPlane, Identity, Kubernetes};
//!
//! # fn main() -> anyhow::Result<()> {
//! let cluster = ControlPlane::start(Kubernetes::NEWEST)?;
//! let answer = cluster.kubectl(&Identity::Person, ["create", "namespace", "shop"])?;
//! answer.succeeded()?;
//! # Ok(())
//! # }
//! ```
//!
//! Everything listens on loopback, lives in a temporary directory and ends with the value, also
//! when the test panics or its process is killed. Tests that don't disturb each other share one
//! ([`Shared`]), which ends with the process. Programs are built from the Go modules in
//! `controlplane/` the first time they are needed.

pub mod attack;
pub mod audit;
pub mod balancer;
pub mod binaries;
mod cache;
pub mod cert_manager;
pub mod chart;
pub mod chromium;
mod client;
mod control_plane;
pub mod extension;
pub mod figures;
pub mod generated;
pub mod go_module;
pub mod guard;
pub mod house;
mod identity;
pub mod image;
mod kubectl;
pub mod kubelet;
pub mod load;
pub mod npm;
pub mod open_reports;
mod pki;
mod pod_network;
mod process;
pub mod product;
pub mod proofs;
pub mod protection;
pub mod readme;
pub mod registry;
pub mod replicas;
pub mod reports;
pub mod reviews;
pub mod rights;
pub mod rule_files;
pub mod samples;
pub mod seen;
mod shared;
pub mod wait;

use std::path::{Path, PathBuf};

pub use audit::AuditEvent;
pub use binaries::Kubernetes;
pub use client::{Answer, Http, PatchKind};
pub use control_plane::{Builder, ControlPlane, PlayedKubelets};
pub use identity::Identity;
pub use kubectl::Finished;
pub use shared::{Lease, Shared};

/// The checkout that these tests belong to.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    /// `.ci/long` runs `long_*`, and `cargo test` all others: nothing may be in neither.
    #[test]
    fn a_test_is_left_out_of_cargo_test_exactly_if_it_is_called_long() {
        let manifest = include_str!("../Cargo.toml");
        let targets: Vec<&str> =
            manifest.split("[[test]]").skip(1).filter_map(|rest| rest.split("\n[").next()).collect();
        assert!(targets.iter().any(|target| target.contains("name = \"long_")), "no long test in {manifest}");
        for target in targets {
            assert_eq!(target.contains("test = false"), target.contains("name = \"long_"), "{target}");
        }
    }
}
