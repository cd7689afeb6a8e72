//! Who wrote a field, by its manager.

use serde::Deserialize;

use super::{Confidence, Pattern};

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
        self.people.iter().find(|tool| tool.manager.is(manager))
    }

    /// Whether a fieldManager is none of people's tools, or one that keeps metadata of its own on nodes.
    pub fn is_agent(&self, manager: &str) -> bool {
        self.person(manager).is_none_or(|tool| tool.keeps_own_keys)
    }

    /// The platform's component behind a fieldManager.
    pub fn platform(&self, manager: &str) -> Option<&PlatformManager> {
        self.platform.iter().find(|row| row.manager.is(manager))
    }
}

#[cfg(test)]
mod tests {
    use crate::data::embedded;

    #[test]
    fn no_platform_manager_is_a_tool_of_peoples() {
        let managers = &embedded().managers;
        for row in &managers.platform {
            let name = row.manager.name.as_ref().or(row.manager.prefix.as_ref()).unwrap();
            assert!(managers.person(name).is_none(), "{name} is both");
        }
    }
}
