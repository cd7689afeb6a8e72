//! The rehearsal that a command line asks for, and what the kubeconfig adds to it.

use std::time::Duration;

use aksarc_shared::finding::Consequence;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::user::User;
use aksarc_shared::verdict::guard::Settings;

use crate::dry_run::plan::{ClusterNote, GuardSource};
use crate::dry_run::request::Verb;
use crate::dry_run::target::Choice;
use crate::input::manifests::Manifest;

/// A rehearsal, as a command line asks for it.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The verb with its arguments.
    pub verb: Verb,
    /// The objects to act on.
    pub targets: Targets,
    /// Their namespace.
    pub namespace: NamespaceChoice,
    /// Whether objects that are not there are passed over.
    pub ignore_not_found: bool,
    /// The guard's settings, waivers and platform included.
    pub settings: Settings,
    /// Where the settings are from.
    pub source: GuardSource,
    /// The moment judged.
    pub now: Timestamp,
    /// Findings this heavy, or heavier, fail with exit code 4 when nothing fails heavier.
    pub fail_on: Consequence,
    /// For how long what was read of APIServices is believed: [`crate::dry_run::gate::FRESH`].
    pub fresh: Duration,
}

/// The objects to act on, as they are given.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// By type and name, or by type and what is chosen of it.
    Arguments {
        /// `TYPE NAME…` or `TYPE/NAME…`.
        words: Vec<String>,
        /// The choice, where no name is given.
        choice: Choice,
    },
    /// By manifests.
    Manifests(Vec<Manifest>),
}

/// The namespace that a command line chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceChoice {
    /// All namespaces, for lists; manifests without a namespace are in the given one, or else in the context's.
    All {
        /// The one given nevertheless.
        given: Option<String>,
    },
    /// The context's.
    Context,
    /// The given one.
    Given(String),
}

impl NamespaceChoice {
    /// The namespace of an object that names none.
    pub(super) fn or<'n>(&'n self, context: &'n str) -> &'n str {
        match self {
            NamespaceChoice::All { given: Some(name) } | NamespaceChoice::Given(name) => name,
            NamespaceChoice::All { given: None } | NamespaceChoice::Context => context,
        }
    }
}

/// What the kubeconfig says: which cluster is asked, in which namespace, and as whom.
#[derive(Clone, Debug, Default)]
pub struct KubeContext {
    /// The cluster.
    pub cluster: ClusterNote,
    /// The context's namespace.
    pub namespace: String,
    /// The user, where the server does not tell.
    pub user: User,
}
