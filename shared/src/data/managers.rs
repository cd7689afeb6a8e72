//! Known field managers, by tool and component.

use serde::Deserialize;

use super::confidence::Confidence;
use super::pattern::{Pattern, PatternTable};

/// The field managers of known tools and components.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Managers {
    /// People's tools and their automation.
    pub people: PatternTable<Tool>,
    /// The platform's components.
    pub platform: PatternTable<PlatformManager>,
}

/// A tool that people use.
#[derive(Clone, Debug, Deserialize)]
pub struct Tool {
    /// The field managers it writes as.
    #[serde(flatten)]
    pub manager: Pattern,
    /// Its name.
    pub tool: String,
    /// Whether it acts on its own, like a GitOps controller.
    #[serde(default)]
    pub automation: bool,
    /// Whether it keeps metadata of its own on nodes and restores it on every new node.
    #[serde(default)]
    pub keeps_own_keys: bool,
}

/// A component of the platform.
#[derive(Clone, Debug, Deserialize)]
pub struct PlatformManager {
    /// The field managers it writes as.
    #[serde(flatten)]
    pub manager: Pattern,
    /// Its name.
    pub component: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    #[serde(default)]
    pub source: String,
}

impl AsRef<Pattern> for Tool {
    fn as_ref(&self) -> &Pattern {
        &self.manager
    }
}

impl AsRef<Pattern> for PlatformManager {
    fn as_ref(&self) -> &Pattern {
        &self.manager
    }
}

impl Managers {
    /// The people's tool that writes as a field manager.
    pub fn person(&self, manager: &str) -> Option<&Tool> {
        let program = program(manager);
        self.people.candidates(program).find(|tool| tool.manager.is_but_for_case(program))
    }

    /// Whether a field manager is not a people's tool, or is one that keeps metadata of its own on nodes.
    pub fn is_agent(&self, manager: &str) -> bool {
        self.person(manager).is_none_or(|tool| tool.keeps_own_keys)
    }

    /// The platform component that writes as a field manager.
    pub fn platform(&self, manager: &str) -> Option<&PlatformManager> {
        let program = program(manager);
        self.platform.candidates(program).find(|row| row.manager.is_but_for_case(program))
    }

    /// Whether a field manager belongs to an unknown client: neither to the platform nor to a known people's tool.
    pub fn is_stranger(&self, manager: &str) -> bool {
        !self.is_api_server(manager) && self.person(manager).is_none() && self.platform(manager).is_none()
    }

    /// Whether a field manager is a name that the API server itself uses for writers that it does not distinguish.
    pub fn is_api_server(&self, manager: &str) -> bool {
        NAMELESS.contains(&manager)
    }
}

/// Whether two field managers are the same program. On Windows the file of a program ends in `.exe`, and case is
/// ignored.
pub(super) fn is_same_program(one: &str, other: &str) -> bool {
    program(one).eq_ignore_ascii_case(program(other))
}

/// A field manager without the suffix of a Windows program.
fn program(manager: &str) -> &str {
    match manager.len().checked_sub(EXE.len()).and_then(|at| manager.split_at_checked(at)) {
        Some((stem, end)) if end.eq_ignore_ascii_case(EXE) => stem,
        _ => manager,
    }
}

const EXE: &str = ".exe";

/// The API server's names for the writer of fields from before the first server-side apply, and for entries that it
/// merges when there are many (kubernetes/apimachinery, `managedfields`).
const NAMELESS: [&str; 2] = ["ancient-changes", "before-first-apply"];

#[cfg(test)]
mod tests {
    use crate::data::embedded;

    #[test]
    fn a_client_on_windows_is_the_same_client() {
        let managers = &embedded().managers;
        for name in
            ["kubectl", "kubectl.exe", "Kubectl.EXE", "kubectl-edit", "HELM.exe", "k9s.exe", "argocd-controller"]
        {
            assert!(managers.person(name).is_some() && !managers.is_stranger(name), "{name}");
        }
        for name in ["kubelet.exe", "kubelet", "Kubelet.exe"] {
            assert!(managers.platform(name).is_some() && managers.person(name).is_none(), "{name}");
        }
        for name in ["node-fetch", "OpenAPI-Generator", "okhttp", "Go-http-client", "curl.exe", "python-requests"] {
            assert!(managers.is_stranger(name), "{name}");
        }
        for name in ["headlamp", "dashboard", "unknown", ".exe", "exe", "", "\u{e9}xe"] {
            assert!(managers.is_stranger(name), "{name}");
        }
        assert!(!managers.is_stranger("before-first-apply") && !managers.is_stranger("ancient-changes"));
    }

    #[test]
    fn no_platform_manager_is_a_tool_of_peoples() {
        let managers = &embedded().managers;
        for row in managers.platform.iter() {
            let name = row.manager.name.as_ref().or(row.manager.prefix.as_ref()).unwrap();
            assert!(managers.person(name).is_none(), "{name} is both");
        }
    }
}
