//! API groups by owner, and the aggregated servers known to honour `dryRun=All`.

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;

/// API groups by owner, and the aggregated servers known to honour `dryRun=All`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiGroups {
    /// The groups of Kubernetes itself, by source.
    pub builtin: Vec<BuiltinGroups>,
    /// Groups served through an APIService whose servers store nothing of a dry run.
    pub keep_to_dry_run: Vec<DryRunGroup>,
}

/// Kubernetes' own groups, as listed by one source. The core group has an empty name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuiltinGroups {
    /// The groups.
    pub groups: Vec<String>,
    /// The source of the list.
    pub source: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// The day on which the list was last compared with the source.
    pub checked: Date,
}

/// A group whose server stores nothing of a dry run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DryRunGroup {
    /// The group.
    pub group: String,
    /// The source code that was read.
    pub source: String,
    /// How well it is known.
    pub confidence: Confidence,
    /// The day on which it was read.
    pub checked: Date,
}

impl ApiGroups {
    /// Whether the group is Kubernetes' own. The core group has an empty name.
    pub fn is_builtin(&self, group: &str) -> bool {
        self.builtin.iter().flat_map(|row| &row.groups).any(|own| own == group)
    }

    /// Whether a version of a group is an alpha version of Kubernetes itself.
    pub fn is_builtin_alpha(&self, group: &str, version: &str) -> bool {
        version.contains("alpha") && self.is_builtin(group)
    }

    /// Whether the server of a group, not one of Kubernetes' own, is known to store nothing of a dry run.
    pub fn keeps_to_dry_run(&self, group: &str) -> bool {
        self.keep_to_dry_run.iter().any(|row| row.group == group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    #[test]
    fn groups_of_kubernetes_are_told_from_those_of_others_with_the_same_ending() {
        let groups = &embedded().api_groups;
        for own in ["", "apps", "policy", "networking.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io"] {
            assert!(groups.is_builtin(own), "{own}");
        }
        for other in ["extensions", "gateway.networking.k8s.io", "metrics.k8s.io", "example.com"] {
            assert!(!groups.is_builtin(other), "{other}");
        }
        assert!(groups.is_builtin_alpha("resource.k8s.io", "v1alpha3") && !groups.is_builtin_alpha("apps", "v1"));
    }

    #[test]
    fn a_group_whose_writes_are_let_through_is_known_by_its_servers_code() {
        let groups = &embedded().api_groups;
        assert!(groups.keeps_to_dry_run("projectcalico.org") && !groups.keeps_to_dry_run("crd.projectcalico.org"));
        for row in &groups.keep_to_dry_run {
            assert_eq!(row.confidence, Confidence::Doc, "{row:?}");
            assert!(row.source.contains('/') && !groups.is_builtin(&row.group), "{row:?}");
        }
    }
}
