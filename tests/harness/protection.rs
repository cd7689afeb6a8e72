//! The policy that protects webhook configurations, from the point of view of a refused user.

use std::time::Duration;

use aksarc_webhook::manifest;

use crate::control_plane::ControlPlane;
use crate::identity::Identity;
use crate::kubectl::Finished;
use crate::wait;

/// Whether the refusal is the policy's: RBAC refuses with 403 too.
pub fn refused(tried: &Finished) -> bool {
    let words = "is forbidden: ValidatingAdmissionPolicy 'protection.guard.aksarc.dev'";
    tried.code != Some(0) && tried.stderr.contains(words)
}

/// Waits until the policy protects the guard's webhook configuration, which has to be there; a policy takes a moment to
/// count after it was applied.
///
/// # Errors
/// It did not in time.
pub fn await_in_force(cluster: &ControlPlane) -> anyhow::Result<()> {
    wait::until("the policy to count", LIMIT, || {
        let tried = attempt(cluster)?;
        if refused(&tried) { Ok(()) } else { Err(format!("{}{}", tried.stdout, tried.stderr)) }
    })
}

/// Waits until the policy protects the guard's webhook configuration no more, which has to be there; a policy goes on
/// counting for a moment after it was deleted.
///
/// # Errors
/// It did in the end too.
pub fn await_out_of_force(cluster: &ControlPlane) -> anyhow::Result<()> {
    wait::until("the policy to count no more", LIMIT, || {
        let tried = attempt(cluster)?;
        tried.succeeded().map(|_| ()).map_err(|error| format!("{error:#}"))
    })
}

/// Tries a request that the policy refuses, as a dry run.
fn attempt(cluster: &ControlPlane) -> Result<Finished, String> {
    let label = ["label", "validatingwebhookconfiguration", manifest::CONFIGURATION, "a=b", "--dry-run=server"];
    cluster.kubectl(&Identity::Admin, label).map_err(|error| format!("{error:#}"))
}

const LIMIT: Duration = Duration::from_mins(1);
