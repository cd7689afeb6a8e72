//! What a dry run is told.

use std::time::Duration;

use aksarc_shared::finding::Consequence;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::user::User;
use aksarc_shared::verdict::guard::Settings;
use aksarc_shared::verdict::report::ToolVersion;

use crate::dry_run::manifest::Manifest;
use crate::dry_run::report::ClusterNote;
use crate::dry_run::request::Verb;
use crate::dry_run::target::Choice;

/// Everything a dry run is told.
#[derive(Clone, Debug)]
pub struct Task {
    /// What to rehearse.
    pub verb: Verb,
    /// The arguments that name objects.
    pub words: Vec<String>,
    /// How else objects are chosen.
    pub choice: Choice,
    /// Objects from files.
    pub manifests: Vec<Manifest>,
    /// The namespace in force.
    pub namespace: String,
    /// Where it is from, or whether it counts at all.
    pub scope: Scope,
    /// Whether objects that are not there are passed over.
    pub ignore_not_found: bool,
    /// The guard's settings, waivers and platform included.
    pub settings: Settings,
    /// Whether the settings are those of a real guard.
    pub guard_config: bool,
    /// The moment judged.
    pub now: Timestamp,
    /// Findings this heavy, or heavier, fail with exit code 4 when nothing fails heavier.
    pub fail_on: Consequence,
    /// Who we are, if the server does not tell.
    pub fallback: User,
    /// Which cluster is asked.
    pub cluster: ClusterNote,
    /// What makes the report.
    pub tool: ToolVersion,
    /// For how long what was read of APIServices is believed: [`crate::dry_run::gate::FRESH`].
    pub fresh: Duration,
}

/// Which namespace is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them, for lists.
    All,
    /// The context's.
    Context,
    /// The one given on the command line.
    Given,
}
