//! Requests in dry run that show what the guard does: some that it has to refuse, and some that have to pass.

use aksarc_shared::data::own;
use aksarc_shared::text;
use serde_json::{Value, json};

use super::installed::GuardSite;
use crate::cli::exit::Failure;
use crate::dry_run::discover::Resource;
use crate::dry_run::gate::Gate;
use crate::dry_run::refusal::{Refusal, Refuser};
use crate::dry_run::write::{Method, Write};

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// The request, for people.
    pub(super) what: String,
    pub(super) wanted: WantedAnswer,
    write: Write,
}

/// What has to come of a request under `enforce`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WantedAnswer {
    /// The guard refuses it by this rule.
    Denied(&'static str),
    /// It passes, with a warning or without.
    Passes,
    /// The policy of guard-protection.yaml refuses it, where that is installed.
    Protected,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SeenAnswer {
    /// The guard refused it: the webhook, and the rules.
    Denied(String, Vec<String>),
    /// It was not processed to the end, and why.
    NotTried(String),
    /// It passed.
    Passed,
    /// Our policy refused it.
    Protected,
    /// It passed, with a warning of the guard's by these rules.
    Warned(Vec<String>),
}

impl Attempt {
    /// The request that creates a workload in kube-system: it needs nothing that is there, and is refused on every
    /// platform.
    pub(super) fn workload() -> Self {
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME, "namespace": SYSTEM},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": NAME}}, "template": {
                "metadata": {"labels": {"app": NAME}},
                "spec": {"containers": [{"name": "none", "image": "example.invalid/none"}]}}}});
        let deployments = resource("apps", "v1", "Deployment", "deployments", true);
        Attempt {
            what: format!("create a Deployment in {SYSTEM}"),
            wanted: WantedAnswer::Denied("AA303"),
            write: Write::new(Method::Post, deployments.list_path(SYSTEM), body).with("fieldManager", "kubectl-create"),
        }
    }

    /// All requests. The name of a node is needed for some.
    pub(super) fn all(node: Option<&str>) -> Vec<Self> {
        let maps = resource("", "v1", "ConfigMap", "configmaps", true);
        let map = |namespace: &str| {
            let body =
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": namespace}});
            Attempt {
                what: format!("create a ConfigMap in {namespace}"),
                wanted: WantedAnswer::Passes,
                write: Write::new(Method::Post, maps.list_path(namespace), body).with("fieldManager", "kubectl-create"),
            }
        };
        let nodes = resource("", "v1", "Node", "nodes", false);
        let of_node = node.into_iter().flat_map(|node| {
            let patch = |what: &str, wanted, body: Value| Attempt {
                what: format!("{what} of node {}", text::line(node, 80)),
                wanted,
                write: Write::new(Method::PatchMerge, nodes.path("", node, ""), body)
                    .with("fieldManager", "kubectl-label"),
            };
            [
                patch(
                    "change the label kubernetes.io/hostname",
                    WantedAnswer::Denied("AA201"),
                    json!({"metadata": {"labels": {"kubernetes.io/hostname": NAME}}}),
                ),
                patch(
                    "add an annotation of one's own",
                    WantedAnswer::Passes,
                    json!({"metadata": {"annotations": {"example.com/aksarc-guard-test": "true"}}}),
                ),
            ]
        });
        let webhooks = resource(
            "admissionregistration.k8s.io",
            "v1",
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
            false,
        );
        let protection = Attempt {
            what: "delete the guard's webhook configuration".to_owned(),
            wanted: WantedAnswer::Protected,
            write: Write::new(Method::Delete, webhooks.path("", own::CONFIGURATION, ""), Value::Null),
        };
        [Attempt::workload()].into_iter().chain(of_node).chain([map(SYSTEM), map("default"), protection]).collect()
    }

    /// Sends it, in dry run.
    pub(super) async fn send(&self, site: &GuardSite, gate: &mut Gate<'_>) -> Result<SeenAnswer, Failure> {
        let cleared = match gate.clear(self.write.clone()).await {
            Ok(cleared) => cleared,
            Err(barred) => return Ok(SeenAnswer::NotTried(barred.to_string())),
        };
        let reply = site.session.rehearse(cleared).await?;
        if reply.status.is_success() {
            let mut rules: Vec<String> = reply.warnings().iter().filter_map(|warning| code(warning)).collect();
            rules.dedup();
            return Ok(if rules.is_empty() { SeenAnswer::Passed } else { SeenAnswer::Warned(rules) });
        }
        let refusal = Refusal::of(&reply);
        Ok(match &refusal.who {
            Refuser::Guard(webhook) => {
                let mut rules: Vec<String> = refusal.causes.iter().map(|cause| cause.reason.clone()).collect();
                rules.dedup();
                SeenAnswer::Denied(text::line(webhook, 80), rules)
            }
            Refuser::Policy(name) if name.ends_with(POLICY) => SeenAnswer::Protected,
            Refuser::Rbac => SeenAnswer::NotTried("you may not make this request".to_owned()),
            _ => SeenAnswer::NotTried(format!("{}: {}", refusal.headline(), text::line(&refusal.message, 160))),
        })
    }
}

/// The rule's code at the beginning of a warning of the guard's.
fn code(warning: &str) -> Option<String> {
    let word: String = warning.chars().take_while(char::is_ascii_alphanumeric).collect();
    aksarc_shared::rules::catalogue::find(&word)
        .filter(|_| warning.contains(" ("))
        .map(|rule| rule.code.as_str().to_owned())
}

fn resource(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Resource {
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced,
        ..Resource::default()
    }
}

/// The name of the objects that are never made.
const NAME: &str = "aksarc-guard-test";
const SYSTEM: &str = "kube-system";
/// The end of the names of our policies.
const POLICY: &str = "guard.aksarc.dev";
