//! One policy that stands in for rules, and its YAML.

use std::collections::BTreeSet;
use std::fmt::Write;

use aksarc_shared::data::own::{NAMESPACE, OPEN};
use aksarc_shared::k8s::kinds::Kind;
use aksarc_shared::k8s::object::MAX_ENTRIES;
use aksarc_shared::verdict::guard::Guard;

use crate::manifest::conditions::{PersonTerms, a_person};
use crate::manifest::namespace_selector;
use crate::manifest::template::{fill, indent, quoted};

/// A policy that stands in for some rules.
pub(in crate::manifest) struct RulePolicy {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// The namespaces that it is asked about; `None` for objects of the cluster.
    pub(super) namespaces: Option<BTreeSet<String>>,
    pub(super) requests: Vec<Requests>,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) validations: Vec<PolicyRefusal>,
}

/// Requests that a policy is asked about.
pub(super) struct Requests {
    kinds: Vec<&'static Kind>,
    /// The objects themselves (empty) and subresources.
    subresources: &'static [&'static str],
    operations: &'static [&'static str],
}

pub(super) fn asked(
    kinds: &[&'static Kind],
    subresources: &'static [&'static str],
    operations: &'static [&'static str],
) -> Requests {
    Requests { kinds: kinds.to_vec(), subresources, operations }
}

/// What a policy refuses for one rule.
pub(super) struct PolicyRefusal {
    pub(super) code: &'static str,
    /// The CEL expression that is true for a change to refuse.
    pub(super) when: String,
    /// The CEL expression of the message between the rule's code and the supported way.
    pub(super) says: &'static str,
}

impl RulePolicy {
    /// The rules that it stands in for, in the order of its validations.
    pub(in crate::manifest) fn codes(&self) -> impl Iterator<Item = &'static str> {
        self.validations.iter().map(|refusal| refusal.code)
    }

    /// The policy and its binding, for people as `person` tells them; nothing where `guard` denies nothing for its rules.
    pub(in crate::manifest) fn render(&self, guard: &Guard, person: &PersonTerms) -> String {
        let mut validations = String::new();
        for refusal in &self.validations {
            let Some((head, instead)) = guard.denial(refusal.code) else { continue };
            let way = format!(
                " - {instead}; or open it by kubectl annotate namespace {NAMESPACE} {OPEN}=\"REASON\", or delete \
                 ValidatingAdmissionPolicyBinding {}",
                self.name
            );
            // Writing to a string does not fail.
            let _ = write!(
                validations,
                "- expression: |-\n{}  reason: Forbidden\n  messageExpression: |-\n{}  message: {}\n",
                indent(&format!("variables.reason.trim() != \"\" ||\n!({})", refusal.when), 4),
                indent(&format!("{} + {} + {}", quoted(&head), refusal.says, quoted(&way)), 4),
                quoted(&format!("{head}the change voids support{way}")),
            );
        }
        if validations.is_empty() {
            return String::new();
        }
        let selector = self.namespaces.as_ref().map(|names| namespace_selector("In", names)).unwrap_or_default();
        let variables = self
            .variables
            .iter()
            .map(|(name, expression)| format!("- name: {name}\n  expression: |-\n{}", indent(expression, 4)));
        let resources = self.requests.iter().flat_map(|requests| {
            requests.kinds.iter().map(|kind| resource_rule(kind, requests.subresources, requests.operations))
        });
        fill(
            include_str!("../../../manifest/rules.yaml"),
            &[
                ("about", self.about),
                ("policy", self.name),
                ("namespace", NAMESPACE),
                ("open", OPEN),
                ("most", &MAX_ENTRIES.to_string()),
                ("selector", &indent(&selector, 4)),
                ("resources", &indent(&resources.collect::<String>(), 4)),
                ("person", &indent(&a_person(guard.data(), person), 6)),
                ("variables", &indent(&variables.collect::<String>(), 2)),
                ("validations", &indent(&validations, 2)),
            ],
        )
    }
}

fn resource_rule(kind: &Kind, subresources: &[&str], operations: &[&str]) -> String {
    let scope = if kind.namespaced { "Namespaced" } else { "Cluster" };
    let resources = subresources.iter().map(|of| match *of {
        "" => kind.resource.to_owned(),
        of => format!("{}/{of}", kind.resource),
    });
    let resources: Vec<String> = resources.collect();
    format!(
        "- apiGroups: [{}]\n  apiVersions: [{}]\n  operations: [{}]\n  resources: [{}]\n  scope: {scope}\n",
        quoted(kind.group),
        kind.version,
        operations.join(", "),
        resources.join(", "),
    )
}
