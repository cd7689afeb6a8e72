//! AA901: a user's webhook blocks requests that a cluster needs to live and to be upgraded.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::data::{Platform, own};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::facts::origin::{self, Provenance};
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::k8s::selector::Selector;
use crate::rules::parts::installed::{self, EXTENSIONS, FromRelease, Installed};
use crate::rules::rule::{
    Context, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA901"),
    slug: "blocking-webhook",
    summary: "an admission webhook can block requests that the cluster needs to run and to be upgraded",
    consequence: Weight::Always(Consequence::AtRisk),
    basis: Grounds::Always(Basis::Operational),
    clauses: &[Clause::new("C04")],
    platforms: &Platform::ALL,
    reads: &[
        all(&kinds::ENDPOINT_SLICE),
        all(&kinds::MUTATING_WEBHOOKS),
        all(&kinds::NAMESPACE),
        all(&kinds::SERVICE),
        all(&kinds::VALIDATING_WEBHOOKS),
        EXTENSIONS,
    ],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "exclude system namespaces and nodes",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: None };

const fn all(kind: &'static Kind) -> Read {
    Read { kind, scope: Scope::Cluster }
}

/// The labels of a namespace.
type NamespaceLabels = BTreeMap<String, String>;

/// A system namespace that exists.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct System {
    namespace: String,
    labels: NamespaceLabels,
}

/// A Service, as `namespace/name`, with an endpoint.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Backed(String);

/// A webhook, and the Helm release with which an Arc extension may have brought it.
#[derive(Debug)]
struct OfRelease {
    release: FromRelease,
    webhook: ForeignWebhook,
}

/// The fields of a webhook that decide about which requests it is called.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct ForeignWebhook {
    name: String,
    failure_policy: Option<String>,
    side_effects: Option<String>,
    client_config: ForeignClient,
    rules: Option<Vec<Rules>>,
    namespace_selector: Option<Selector>,
    object_selector: Option<Selector>,
    match_conditions: Option<Vec<serde_json::Value>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct ForeignClient {
    service: Option<Backend>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Backend {
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Rules {
    api_groups: Option<Vec<String>>,
    operations: Option<Vec<String>>,
    resources: Option<Vec<String>>,
    scope: Option<String>,
}

impl Rules {
    fn covers(&self, target: &WebhookTarget) -> bool {
        let group = self.api_groups.iter().flatten().any(|group| group == "*" || group == target.group);
        let scope = match self.scope.as_deref() {
            Some("Cluster") => target.place == Where::Cluster,
            Some("Namespaced") => target.place != Where::Cluster,
            _ => true,
        };
        let (kind, sub) = target.resource.split_once('/').unwrap_or((target.resource, ""));
        let resource = self.resources.iter().flatten().any(|own| match own.split_once('/') {
            None => sub.is_empty() && (own == "*" || own == kind),
            Some((first, last)) => (first == "*" || first == kind) && (last == "*" || last == sub),
        });
        group && scope && resource && self.is_of_writes()
    }

    /// Whether its rules match every resource of every group.
    fn is_wild(&self) -> bool {
        let any = |list: &Option<Vec<String>>| list.iter().flatten().any(|own| own == "*" || own == "*/*");
        any(&self.api_groups) && any(&self.resources) && self.is_of_writes()
    }

    /// Whether it is called for writes; CONNECT writes nothing.
    fn is_of_writes(&self) -> bool {
        self.operations.as_ref().is_none_or(|own| own.iter().any(|operation| operation != "CONNECT"))
    }
}

/// An object that a cluster must be able to write.
struct WebhookTarget {
    group: &'static str,
    resource: &'static str,
    place: Where,
}

/// Where a cluster must be able to write a kind of object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    /// The kind has no namespaces.
    Cluster,
    /// In some namespace, whichever it is.
    AnyNamespace,
    /// In the system's namespaces.
    SystemNamespaces,
}

const fn target(group: &'static str, resource: &'static str, place: Where) -> WebhookTarget {
    WebhookTarget { group, resource, place }
}

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let (object, meta) = (seen.object, &seen.object.meta);
    if installed::note(seen, notes) {
        return;
    }
    if *seen.kind == kinds::NAMESPACE {
        if seen.data.namespaces.protected(&meta.name).is_some() {
            let labels = meta.labels.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            notes.remark(System { namespace: meta.name.to_string(), labels });
        }
    } else if *seen.kind == kinds::SERVICE {
        if object.raw("spec").is_some_and(|spec| spec.contains("ExternalName")) {
            notes.remark(Backed(format!("{}/{}", meta.namespace, meta.name)));
        }
    } else if *seen.kind == kinds::ENDPOINT_SLICE {
        if let Some(service) = meta.labels.get("kubernetes.io/service-name")
            && is_ready(object)
        {
            notes.remark(Backed(format!("{}/{service}", meta.namespace)));
        }
    } else if !matches!(origin::of_object(object, seen.data), Provenance::Platform(_)) {
        let webhooks: Vec<ForeignWebhook> = object.field("webhooks").unwrap_or_default();
        let release = FromRelease::of(object);
        for webhook in webhooks {
            let draft = Draft::at(ObjectRef::of(object, seen.kind), format!("webhooks[{}]", webhook.name));
            notes.undecided(draft, OfRelease { release: release.clone(), webhook });
        }
    }
}

/// Whether a slice has a ready endpoint; an endpoint that does not tell counts as ready.
fn is_ready(slice: &Object<'_>) -> bool {
    #[derive(Deserialize)]
    struct Endpoint {
        #[serde(default)]
        conditions: Option<Conditions>,
    }
    #[derive(Deserialize)]
    struct Conditions {
        #[serde(default)]
        ready: Option<bool>,
    }
    let endpoints: Vec<Endpoint> = slice.field("endpoints").unwrap_or_default();
    let ready =
        |endpoint: &Endpoint| endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true);
    endpoints.iter().any(ready)
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let extensions = Installed::of(inventory, RULE.code, context.data);
    let counted = context.unread(&[&kinds::ENDPOINT_SLICE, &kinds::SERVICE]).is_none();
    let system: BTreeMap<&str, &NamespaceLabels> =
        inventory.remarks::<System>(RULE.code).map(|remark| (&*remark.namespace, &remark.labels)).collect();
    let answered: BTreeSet<&str> = inventory.remarks::<Backed>(RULE.code).map(|remark| &*remark.0).collect();
    let mut drafts = Vec::new();
    for suspect in inventory.undecided(RULE.code) {
        let OfRelease { release, webhook } = &suspect.depends_on;
        let backend = webhook.client_config.service.as_ref();
        let platforms = backend.is_some_and(|backend| {
            context.data.namespaces.protected(&backend.namespace).is_some()
                || extensions.brought(&FromRelease::in_namespace(&backend.namespace))
        }) || extensions.brought(release);
        if !platforms {
            drafts.extend(judge(suspect.draft.clone(), webhook, &system, counted.then_some(&answered)));
        }
    }
    Verdict::Found(drafts)
}

/// A draft on a webhook that matches a target. `backed` holds the Services with an endpoint, if they could be read.
fn judge(
    draft: Draft,
    webhook: &ForeignWebhook,
    system: &BTreeMap<&str, &NamespaceLabels>,
    backed: Option<&BTreeSet<&str>>,
) -> Option<Draft> {
    let name = &webhook.name;
    let closed = webhook.failure_policy.as_deref() != Some("Ignore");
    let nothing = NamespaceLabels::new();
    let opted = |selector: &Option<Selector>, labels: &NamespaceLabels| {
        selector.as_ref().is_none_or(|own| own.matches(|key| labels.get(key).map(String::as_str)))
    };
    // Objects of the system have no labels that anybody chose, so a webhook that selects by one is not called for them.
    let objects = opted(&webhook.object_selector, &nothing);
    let within: Vec<&str> = system
        .iter()
        .filter(|(_, labels)| opted(&webhook.namespace_selector, labels))
        .map(|(namespace, _)| *namespace)
        .collect();
    let rules = || webhook.rules.iter().flatten();
    let hit: Vec<&str> = TARGETS
        .iter()
        .filter(|target| objects && (target.place != Where::SystemNamespaces || !within.is_empty()))
        .filter(|target| rules().any(|rule| rule.covers(target)))
        .map(|target| target.resource)
        .collect();
    let dead = webhook.client_config.service.as_ref().is_some_and(|backend| {
        let name = format!("{}/{}", backend.namespace, backend.name);
        backend.namespace != own::NAMESPACE && backed.is_some_and(|backed| !backed.contains(&*name))
    });
    let starts_pods = rules().any(|rule| rule.covers(&target("", "pods", Where::AnyNamespace)));
    let wild = rules().any(Rules::is_wild);
    let undecided = webhook.match_conditions.as_ref().is_some_and(|own| !own.is_empty());
    let shown = hit.iter().take(MAX_TARGETS).copied().collect::<Vec<_>>().join(", ");
    let evidence = format!(
        "failurePolicy {}; covers {shown}; system namespaces not excluded: {}",
        if closed { "Fail" } else { "Ignore" },
        if within.is_empty() { "none".to_owned() } else { within.join(", ") }
    );
    let draft = draft.with(Evidence::seen("rules", evidence));
    if closed && dead {
        let draft =
            draft.says(format!("webhook {name} blocks every request it covers: no endpoint of its Service is ready"));
        return Some(if hit.is_empty() && !starts_pods { draft.lighter(Consequence::Info) } else { draft });
    }
    if closed && !hit.is_empty() {
        let draft = draft.says(format!("webhook {name} can block the cluster's own requests when it fails: {shown}"));
        return Some(if undecided {
            let says = "whether its match conditions exclude these is unknown";
            draft.with(Evidence::seen("matchConditions", says)).lighter(Consequence::Info)
        } else {
            draft
        });
    }
    if wild && !hit.is_empty() {
        let draft = draft.says(format!("webhook {name} covers every request, the cluster's own included: {shown}"));
        return Some(draft.lighter(if undecided { Consequence::Info } else { Consequence::NotCovered }));
    }
    let blind = !matches!(webhook.side_effects.as_deref(), None | Some("None" | "NoneOnDryRun"));
    blind.then(|| {
        draft
            .says(format!("webhook {name} does not support dry run: dry-run requests that reach it are refused"))
            .lighter(Consequence::Info)
    })
}

/// The objects that the control plane, kubelets and upgrades write (kubernetes.io, admission webhook good practices).
static TARGETS: [WebhookTarget; 17] = [
    target("", "nodes", Where::Cluster),
    target("", "nodes/status", Where::Cluster),
    target("certificates.k8s.io", "certificatesigningrequests", Where::Cluster),
    target("certificates.k8s.io", "certificatesigningrequests/approval", Where::Cluster),
    target("authentication.k8s.io", "tokenreviews", Where::Cluster),
    target("authorization.k8s.io", "subjectaccessreviews", Where::Cluster),
    target("apiregistration.k8s.io", "apiservices", Where::Cluster),
    target("rbac.authorization.k8s.io", "clusterroles", Where::Cluster),
    target("rbac.authorization.k8s.io", "clusterrolebindings", Where::Cluster),
    target("storage.k8s.io", "volumeattachments", Where::Cluster),
    // A drain evicts pods of all namespaces.
    target("", "pods/eviction", Where::AnyNamespace),
    target("", "pods", Where::SystemNamespaces),
    target("apps", "daemonsets", Where::SystemNamespaces),
    target("apps", "deployments", Where::SystemNamespaces),
    target("coordination.k8s.io", "leases", Where::SystemNamespaces),
    target("discovery.k8s.io", "endpointslices", Where::SystemNamespaces),
    target("", "configmaps", Where::SystemNamespaces),
];

const MAX_TARGETS: usize = 6;
