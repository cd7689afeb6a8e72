//! Sample clusters, described in `samples/` as steps of identities and replayed through the API, so that field
//! managers, times and owners are real.
//!
//! The format is explained in `samples/README.md`.

mod fill;
mod kubelets;
mod player;
mod step;

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::binaries::Kubernetes;
use crate::control_plane::{Builder, ControlPlane};

pub use player::Player;
pub use step::identity;

use step::Header;

/// The samples there are.
pub const NAMES: [&str; 4] = ["healthy-azure-local", "healthy-windows-server", "lawful-oddities", "drifted"];

/// A control plane of the sample's version, with the sample in it.
///
/// # Errors
/// The control plane did not start, or the API server refused a step.
pub fn start(name: &str) -> anyhow::Result<ControlPlane> {
    start_with(name, |builder| builder)
}

/// Starts the sample as [`start`] does, with `more` for the control plane.
///
/// # Errors
/// As [`start`].
pub fn start_with(name: &str, more: impl FnOnce(Builder) -> Builder) -> anyhow::Result<ControlPlane> {
    let cluster = more(ControlPlane::builder(kubernetes(name)?).controller_manager()).start()?;
    load(&cluster, name)?;
    Ok(cluster)
}

/// The Kubernetes version that the sample wants.
///
/// # Errors
/// There is no such sample, or it wants a version that we do not build.
pub fn kubernetes(name: &str) -> anyhow::Result<Kubernetes> {
    let wanted = read(name)?.0.kubernetes;
    Kubernetes::of_minor(&wanted)
        .with_context(|| format!("samples/{name}.yaml wants Kubernetes {wanted}, which we do not build"))
}

/// Does what the sample says, and waits until its workloads run.
///
/// The cluster needs its controllers, and no kwok: what nodes say comes from the sample.
///
/// # Errors
/// The API server refused a step; the message names it.
pub fn load(cluster: &ControlPlane, name: &str) -> anyhow::Result<()> {
    Player::new(cluster).sample(name)
}

fn read(name: &str) -> anyhow::Result<(Header, Vec<Value>)> {
    let mut documents = documents(&Path::new(SAMPLES).join(format!("{name}.yaml")))?.into_iter();
    let header = documents.next().with_context(|| format!("the sample {name} is empty"))?;
    let header = serde_json::from_value(header).with_context(|| format!("the header of {name}"))?;
    Ok((header, documents.collect()))
}

fn documents(path: &Path) -> anyhow::Result<Vec<Value>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_saphyr::from_multiple(&text).with_context(|| format!("cannot parse {}", path.display()))
}

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples");
