//! A rehearsal as a command line describes it, and the values that the kubeconfig adds.

use std::time::Duration;

use aksarc_shared::finding::Consequence;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::user::User;
use aksarc_shared::verdict::guard::Settings;

use crate::dry_run::plan::{ClusterNote, GuardSource};
use crate::dry_run::request::Verb;
use crate::dry_run::target::Choice;
use crate::input::manifests::Manifest;

/// A rehearsal, as a command line describes it.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// The verb with its arguments.
    pub verb: Verb,
    /// The objects to act on.
    pub targets: Targets,
    /// Their namespace.
    pub namespace: NamespaceChoice,
    /// Whether missing objects are skipped.
    pub ignore_not_found: bool,
    /// The guard's settings, waivers and platform included.
    pub settings: Settings,
    /// The source of the settings.
    pub source: GuardSource,
    /// The moment as of which the change is judged.
    pub now: Timestamp,
    /// The lightest findings that lead to exit code 4 when nothing leads to another code.
    pub fail_on: Consequence,
    /// The time for which the list of APIServices is trusted: [`crate::dry_run::gate::FRESH`].
    pub fresh: Duration,
}

/// The objects to act on, as the command line gives them.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// By type and names, or by type and a choice.
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
        /// The given namespace.
        given: Option<String>,
    },
    /// The namespace of the context.
    Context,
    /// The given namespace.
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

/// The values of the kubeconfig: cluster, namespace and user.
#[derive(Clone, Debug, Default)]
pub struct KubeContext {
    /// The cluster.
    pub cluster: ClusterNote,
    /// The context's namespace.
    pub namespace: String,
    /// The user, for servers that do not name it.
    pub user: User,
}
