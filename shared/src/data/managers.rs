//! Who wrote a field, by its manager.

use serde::Deserialize;

use super::confidence::Confidence;
use super::pattern::Pattern;

/// What fieldManagers tell.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Managers {
    /// People's tools and their automation.
    pub people: Vec<Tool>,
    /// The platform's components.
    pub platform: Vec<PlatformManager>,
}

/// A tool of people's.
#[derive(Clone, Debug, Deserialize)]
pub struct Tool {
    /// FieldManagers it uses.
    #[serde(flatten)]
    pub manager: Pattern,
    /// Its name.
    pub tool: String,
    /// Whether it acts on its own, like a GitOps controller.
    #[serde(default)]
    pub automation: bool,
    /// Whether it keeps metadata of its own on nodes, and writes it again on every new one.
    #[serde(default)]
    pub keeps_own_keys: bool,
}

/// A component of the platform's.
#[derive(Clone, Debug, Deserialize)]
pub struct PlatformManager {
    /// FieldManagers it uses.
    #[serde(flatten)]
    pub manager: Pattern,
    /// Its name.
    pub component: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
}

impl Managers {
    /// The person's tool behind a fieldManager.
    pub fn person(&self, manager: &str) -> Option<&Tool> {
        let program = program(manager);
        self.people.iter().find(|tool| tool.manager.is_but_for_case(program))
    }

    /// Whether a fieldManager is none of people's tools, or one that keeps metadata of its own on nodes.
    pub fn is_agent(&self, manager: &str) -> bool {
        self.person(manager).is_none_or(|tool| tool.keeps_own_keys)
    }

    /// The platform's component behind a fieldManager.
    pub fn platform(&self, manager: &str) -> Option<&PlatformManager> {
        let program = program(manager);
        self.platform.iter().find(|row| row.manager.is_but_for_case(program))
    }

    /// Whether a fieldManager is a client's that no table knows: neither the platform's nor a tool that people are known to
    /// use.
    pub fn is_stranger(&self, manager: &str) -> bool {
        !self.is_api_server(manager) && self.person(manager).is_none() && self.platform(manager).is_none()
    }

    /// Whether a fieldManager is nobody's client, but the API server's own name for writers that it does not tell apart.
    pub fn is_api_server(&self, manager: &str) -> bool {
        NAMELESS.contains(&manager)
    }
}

/// Whether two fieldManagers are the same program: on Windows its file ends in `.exe`, and file names there have no case.
pub(super) fn is_same_program(one: &str, other: &str) -> bool {
    program(one).eq_ignore_ascii_case(program(other))
}

/// A fieldManager without the ending of a program's file on Windows.
fn program(manager: &str) -> &str {
    match manager.len().checked_sub(EXE.len()).and_then(|at| manager.split_at_checked(at)) {
        Some((stem, end)) if end.eq_ignore_ascii_case(EXE) => stem,
        _ => manager,
    }
}

const EXE: &str = ".exe";

/// What the API server calls the writer of fields that were there before the first server-side apply, and those whose entries it
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
        for row in &managers.platform {
            let name = row.manager.name.as_ref().or(row.manager.prefix.as_ref()).unwrap();
            assert!(managers.person(name).is_none(), "{name} is both");
        }
    }
}
