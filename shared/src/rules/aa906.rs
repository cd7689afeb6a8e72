//! AA906: requests use an API that the next Kubernetes minor no longer serves.

use std::collections::BTreeSet;

use crate::command::Command;
use crate::data::Platform;
use crate::facts::inventory::Inventory;
use crate::facts::probe::Probe;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::read::metrics;
use crate::k8s::version::Version;
use crate::rules::rule::{Context, Grounds, ManifestUse, Mode, Reach, Rule, StateCheck, Verdict, Voiding, Weight};
use crate::text;

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA906"),
    slug: "removed-api-in-use",
    summary: "requests use an API that the next Kubernetes minor no longer serves",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Operational),
    clauses: &[Clause::new("C04")],
    platforms: &Platform::ALL,
    reads: &[],
    probes: &[Probe::Metrics],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "move the client to a version that stays, before upgrading",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck = StateCheck { per_object: None, per_cluster: Some(per_cluster), deadlines: None };

fn per_cluster(inventory: &Inventory, _: &Context<'_>) -> Verdict {
    let text = match inventory.probe(Probe::Metrics) {
        Ok(text) => text,
        Err(why) => return Verdict::Unknown(why),
    };
    let Some(version) = inventory.server() else {
        return Verdict::Unknown("the API server's version is not known".to_owned());
    };
    // The metric exists only once somebody used such an API; another one that always exists proves whose metrics these
    // are.
    if metrics::samples(text, "kubernetes_feature_enabled").next().is_none() {
        return Verdict::Unknown(
            "what was read as /metrics is not of an API server of Kubernetes 1.26 or newer".to_owned(),
        );
    }
    let next = Version { major: version.major, minor: version.minor + 1, patch: 0 };
    let mut apis: BTreeSet<(String, String)> = BTreeSet::new();
    for sample in metrics::samples(text, "apiserver_requested_deprecated_apis") {
        let removed = Version::parse(sample.label("removed_release"));
        if sample.value > 0.0 && removed.is_some_and(|removed| removed.same_minor(next)) {
            let group = sample.label("group");
            let api = if group.is_empty() { String::new() } else { format!("{group}/") };
            let api = text::line(&format!("{api}{}", sample.label("version")), 120);
            apis.insert((api, text::line(sample.label("resource"), 80)));
        }
    }
    let drafts = apis.into_iter().map(|(api, resource)| {
        let minor = next.minor_text();
        let message = format!(
            "{resource} were requested at {api}, which Kubernetes {minor} no longer serves; the metric does not name the \
             client, which may be the platform itself"
        );
        let seen = format!("apiserver_requested_deprecated_apis of {api} {resource} since the API server's start");
        Draft::at(ObjectRef::cluster(), format!("requestedApis[{api}/{resource}]"))
            .values(None, Some("requested"))
            .says(message)
            .with(Evidence::seen("metrics", seen))
            .fix(
                Command::kubectl(["get", "--raw", "/metrics"])
                    .only("shows the requests, in the lines apiserver_requested_deprecated_apis"),
            )
    });
    Verdict::Found(drafts.collect())
}
