//! Policies that refuse, without the guard, a part of what the guard refuses, as ValidatingAdmissionPolicies (Kubernetes
//! 1.30 or newer). They come from the same tables as the rules, and never refuse more than the rules do: where CEL cannot
//! tell what a rule can, a policy lets the change pass.

mod policy;

use std::collections::BTreeSet;

use aksarc_shared::data::own::{NAMESPACE, OPEN};
use aksarc_shared::data::{AddOns, Component, Confidence, Data, Mark, Place, SystemNamespace};
use aksarc_shared::k8s::kinds::{self, Kind};
use aksarc_shared::verdict::guard::Guard;

use super::conditions::{PersonTerms, programs, tools};
use super::protection::sealed;
use super::template::{fill, list};
use policy::{PolicyRefusal, RulePolicy, asked};
use serde::Serialize;

/// The policy for nodes, and its binding.
pub const NODES: &str = "nodes.rules.guard.aksarc.dev";
/// The policy for system namespaces, and its binding.
pub const NAMESPACES: &str = "namespaces.rules.guard.aksarc.dev";
/// The policy for managed components, and its binding.
pub const COMPONENTS: &str = "components.rules.guard.aksarc.dev";
/// The policy for workloads in namespaces whose add-ons are managed, and its binding.
pub const WORKLOADS: &str = "workloads.rules.guard.aksarc.dev";

/// The manifest as YAML, for a guard with this configuration. A rule that denies nothing there has no part in it.
pub fn render(guard: &Guard) -> String {
    let own = [("namespace", NAMESPACE), ("open", OPEN)];
    let head = fill(include_str!("../../manifest/rules-head.yaml"), &own);
    let person = PersonTerms::of(guard);
    let policies = policies(guard.data(), &NamedObjects::of(guard.data()));
    sealed(&(head + &policies.iter().map(|policy| policy.render(guard, &person)).collect::<String>()))
}

/// The policies, in order.
pub(super) fn policies(data: &Data, named: &NamedObjects) -> [RulePolicy; 4] {
    [nodes(data), namespaces(data), components(data, named), workloads(data, named)]
}

/// Names in the policies that depend on the platform and on a configuration. Those of managed components are
/// `resource/namespace/name`, the known workloads' `resource/name`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NamedObjects {
    pub(super) managed: BTreeSet<String>,
    pub(super) managed_prefixes: BTreeSet<String>,
    pub(super) known: BTreeSet<String>,
    pub(super) known_prefixes: BTreeSet<String>,
}

impl NamedObjects {
    pub(super) fn of(data: &Data) -> Self {
        let managed =
            |name: fn(&Component) -> Option<&str>| documented(data).filter_map(|row| key(row, name)).collect();
        let (mut known, mut known_prefixes) = (BTreeSet::new(), BTreeSet::new());
        for kind in RUN {
            let key = |name: &str| format!("{}/{name}", kind.resource);
            let components = data.components.iter().filter(|row| row.kinds.iter().any(|own| own == kind.kind));
            let lawful = data.lawful.objects.iter().filter(|row| row.kind == kind.kind);
            let components = components.map(|row| (row.exact(), row.prefixed()));
            for (name, prefix) in components.chain(lawful.map(|row| (row.name.as_deref(), row.prefix.as_deref()))) {
                known.extend(name.map(key));
                known_prefixes.extend(prefix.filter(|_| name.is_none()).map(key));
            }
        }
        NamedObjects {
            managed: managed(Component::exact),
            managed_prefixes: managed(Component::prefixed),
            known,
            known_prefixes,
        }
    }
}

/// The expression that is true for an object whose key is among these, or begins with one of the prefixes.
fn is_named(keys: &BTreeSet<String>, prefixes: &BTreeSet<String>) -> String {
    let [keys, prefixes] = [keys, prefixes].map(|texts| list(texts.iter().map(|text| &**text)));
    format!("variables.key in {keys} ||\n{prefixes}.exists(prefix, variables.key.startsWith(prefix))")
}

/// AA201, AA202 and AA401. A key counts only where no people's tool is among its writers.
fn nodes(data: &Data) -> RulePolicy {
    let keys = |place| list(data.node_keys.certain(place));
    let changed = |place, side: &str| {
        format!(
            "request.operation == \"CREATE\" ? [] :\n{}.filter(key, key in variables.{side}Before &&\n  \
             !(key in variables.{side}After && variables.{side}After[key] == variables.{side}Before[key]) &&\n  \
             !variables.people.exists(entry, (\"f:\" + key) in \
             entry.?fieldsV1[?\"f:metadata\"][?\"f:{side}\"].orValue({{}}))",
            keys(place)
        )
    };
    let side = |object: &str, side: &str| {
        format!("request.operation == \"CREATE\" ? {{}} : {object}.metadata.?{side}.orValue({{}})")
    };
    RulePolicy {
        name: NODES,
        about: "AA201, AA202 and AA401: labels and annotations of the system's on nodes, and nodes made by hand.",
        namespaces: None,
        requests: vec![
            asked(&[&kinds::NODE], &[""], &["CREATE", "UPDATE"]),
            asked(&[&kinds::NODE], &["status"], &["UPDATE"]),
        ],
        variables: vec![
            ("people", people(data)),
            ("labelsBefore", side("oldObject", "labels")),
            ("labelsAfter", side("object", "labels")),
            ("annotationsBefore", side("oldObject", "annotations")),
            ("annotationsAfter", side("object", "annotations")),
            ("info", "dyn(oldObject).?status.?nodeInfo.orValue({})".to_owned()),
            ("labels", format!("{} &&\n  {NOT_RIGHT})", changed(Place::Label, "labels"))),
            ("annotations", format!("{})", changed(Place::Annotation, "annotations"))),
        ],
        validations: vec![
            PolicyRefusal {
                code: "AA201",
                when: "variables.labels.size() > 0".to_owned(),
                says: "\"node \" + oldObject.metadata.name + \": system label \" + variables.labels.join(\", \") + \" \
                       would change or be removed\"",
            },
            PolicyRefusal {
                code: "AA202",
                when: "variables.annotations.size() > 0".to_owned(),
                says: "\"node \" + oldObject.metadata.name + \": system annotation \" + variables.annotations.join(\", \") \
                       + \" would change or be removed\"",
            },
            PolicyRefusal {
                code: "AA401",
                when: "request.operation == \"CREATE\"".to_owned(),
                says: "\"node \" + object.metadata.name + \" would be created by hand\"",
            },
        ],
    }
}

/// True for a label whose new value is not the one that the node itself tells: setting that is the cure, in any case of
/// the letters. A pool and a build of Windows are told as a part of a longer text.
const NOT_RIGHT: &str = r#"!(key in variables.labelsAfter && [variables.labelsAfter[key].lowerAscii()].exists(after,
    (key == "kubernetes.io/hostname" && after == oldObject.metadata.name.lowerAscii()) ||
    (key in ["kubernetes.io/arch", "beta.kubernetes.io/arch"] &&
     after == variables.info.?architecture.orValue("").lowerAscii()) ||
    (key in ["kubernetes.io/os", "beta.kubernetes.io/os"] &&
     after == variables.info.?operatingSystem.orValue("").lowerAscii()) ||
    (key == "node.kubernetes.io/windows-build" &&
     variables.info.?kernelVersion.orValue("").lowerAscii().contains(after)) ||
    (key == "msft.microsoft/nodepool-name" &&
     oldObject.?spec.?providerID.orValue("").lowerAscii().contains(after))))"#;

/// AA307. Kubernetes' own namespaces are the system's whoever wrote to them. Another is where it belongs to a release of the
/// platform's, or where no person shows in it.
fn namespaces(data: &Data) -> RulePolicy {
    let names = |which: &dyn Fn(&SystemNamespace) -> bool| {
        let rows = data.namespaces.namespaces.iter().filter(|row| data.namespaces.protected(&row.name).is_some());
        list(rows.filter(|row| which(row)).map(|row| &*row.name))
    };
    let marks = &data.provenance.person_marks;
    let marked = |side: &str, marks: &[Mark]| {
        let keys = list(marks.iter().map(|mark| &*mark.key));
        format!("{keys}.exists(key, key in oldObject.metadata.?{side}.orValue({{}}))")
    };
    RulePolicy {
        name: NAMESPACES,
        about: "AA307: deletion of system namespaces.",
        namespaces: None,
        requests: vec![asked(&[&kinds::NAMESPACE], &[""], &["DELETE"])],
        variables: vec![
            ("people", people(data)),
            (
                "released",
                format!(
                    "oldObject.metadata.?annotations[\"meta.helm.sh/release-name\"].orValue(\"\") in {} ||\n\
                     (oldObject.metadata.name in {} && variables.people.exists(entry,\n  \
                     entry.manager.lowerAscii().matches({})))",
                    list(data.provenance.helm_releases.iter().map(|release| &**release)),
                    names(&|row| row.keeps_release),
                    programs(data.provenance.helm_managers.iter().map(|manager| &**manager)),
                ),
            ),
            (
                "marked",
                format!("{} ||\n{}", marked("labels", &marks.labels), marked("annotations", &marks.annotations)),
            ),
        ],
        validations: vec![PolicyRefusal {
            code: "AA307",
            when: format!(
                "oldObject.metadata.name in {} ||\n(oldObject.metadata.name in {} && (variables.released ||\n \
                 (variables.people.size() == 0 && !variables.marked)))",
                names(&SystemNamespace::is_kubernetes),
                names(&|row| !row.is_kubernetes() && row.confidence == Confidence::Doc),
            ),
            says: "\"system namespace \" + oldObject.metadata.name + \" would be deleted with everything in it\"",
        }],
    }
}

/// AA301 and AA302. Only documented components count, and of changes only those that put another program in their place,
/// or none.
fn components(data: &Data, named: &NamedObjects) -> RulePolicy {
    let namespaces: BTreeSet<String> = documented(data).map(|(_, namespace, _)| namespace.to_owned()).collect();
    let registries = list(data.provenance.image_registries.iter().map(|registry| &**registry));
    let containers = |object: &str| {
        let of = |field: &str| format!("dyn({object}).?spec.?template.?spec.?{field}.orValue([])");
        format!("{} + {}", of("containers"), of("initContainers"))
    };
    RulePolicy {
        name: COMPONENTS,
        about: "AA301 and AA302: documented managed components that are deleted, scaled to 0 or given another program.",
        namespaces: Some(namespaces),
        requests: vec![
            asked(DELETED, &[""], &["DELETE"]),
            asked(&[&kinds::DAEMON_SET], &[""], &["UPDATE"]),
            asked(&[&kinds::DEPLOYMENT], &["", "scale"], &["UPDATE"]),
        ],
        variables: vec![
            (
                "key",
                "request.resource.resource + \"/\" + oldObject.metadata.namespace + \"/\" + oldObject.metadata.name"
                    .to_owned(),
            ),
            ("managed", is_named(&named.managed, &named.managed_prefixes)),
            (
                "stopped",
                "request.operation == \"UPDATE\" && request.resource.resource == \"deployments\" &&\n\
                 dyn(oldObject).?spec.?replicas.orValue(0) != 0 && dyn(object).?spec.?replicas.orValue(0) == 0"
                    .to_owned(),
            ),
            ("before", containers("oldObject")),
            (
                "foreign",
                format!(
                    "request.operation != \"UPDATE\" || request.?subResource.orValue(\"\") != \"\" ? [] :\n({}).filter(own, \
                     !variables.before.exists(old, old.name == own.name && old.?image == own.?image) &&\n  \
                     !{registries}.exists(registry, own.?image.orValue(\"\").startsWith(registry)))",
                    containers("object")
                ),
            ),
        ],
        validations: vec![
            PolicyRefusal {
                code: "AA302",
                when: "request.operation == \"DELETE\" && variables.managed".to_owned(),
                says: "request.kind.kind + \" \" + oldObject.metadata.name + \" of the platform would be deleted\"",
            },
            PolicyRefusal {
                code: "AA301",
                when: "variables.managed && (variables.stopped || variables.foreign.size() > 0)".to_owned(),
                says: "variables.key + \" of the platform would \" + (variables.stopped ? \"be scaled to 0\" : \"run another \
                       image\")",
            },
        ],
    }
}

/// AA303. A workload counts only where no table has its name, whatever the table says of it.
fn workloads(data: &Data, named: &NamedObjects) -> RulePolicy {
    let managed = data.namespaces.namespaces.iter().filter(|row| data.namespaces.add_ons(&row.name) == AddOns::Voids);
    let namespaces: BTreeSet<String> = managed.map(|row| row.name.clone()).collect();
    let deeds: BTreeSet<&str> = data.lawful.deeds.iter().map(|deed| &*deed.kind).collect();
    let lawful = RUN.iter().filter(|kind| deeds.contains(kind.kind)).map(|kind| kind.resource);
    let modules = list(data.lawful.deeds.iter().map(|deed| &*deed.forbids_module));
    RulePolicy {
        name: WORKLOADS,
        about: "AA303: workloads of people's own where only managed ones belong.",
        namespaces: Some(namespaces),
        requests: vec![asked(RUN, &[""], &["CREATE"])],
        variables: vec![
            ("key", "request.resource.resource + \"/\" + object.metadata.?name.orValue(\"\")".to_owned()),
            ("known", is_named(&named.known, &named.known_prefixes)),
            // What a document tells people to do to nodes is told by the commands.
            (
                "lawful",
                format!(
                    "request.resource.resource in {} &&\n(dyn(object).?spec.?template.?spec.?containers.orValue([]) +\n\
                     dyn(object).?spec.?template.?spec.?initContainers.orValue([])).exists(own,\n  \
                     (own.?command.orValue([]) + own.?args.orValue([])).exists(word,\n  \
                     {modules}.exists(module, word.contains(module))))",
                    list(lawful)
                ),
            ),
        ],
        validations: vec![PolicyRefusal {
            code: "AA303",
            when: "!variables.known && !variables.lawful".to_owned(),
            says: "request.kind.kind + \" \" + object.metadata.?name.orValue(\"\") + \" does not belong in \" + \
                   request.namespace",
        }],
    }
}

/// The entries of managedFields whose writer is a people's tool.
fn people(data: &Data) -> String {
    format!(
        "request.operation == \"CREATE\" ? [] :\ndyn(oldObject).metadata.?managedFields.orValue([]).filter(entry,\n  \
         entry.?manager.orValue(\"\").lowerAscii().matches({}))",
        tools(data)
    )
}

/// The documented components of AKS Arc itself, with each of their namespaces and kinds that a deletion is judged of.
/// Arc agents and the software of extensions are left out: rules of their own judge these, and never deny.
fn documented(data: &Data) -> impl Iterator<Item = (&Component, &str, &'static Kind)> {
    let rows = data.components.iter().filter(|row| row.confidence == Confidence::Doc && !row.extension);
    rows.flat_map(move |row| {
        let namespaces = row.namespaces.iter().filter(|namespace| !data.namespaces.is_arc(namespace));
        namespaces.flat_map(move |namespace| {
            let kinds = DELETED.iter().copied().filter(|kind| row.kinds.iter().any(|own| own == kind.kind));
            kinds.map(move |kind| (row, &**namespace, kind))
        })
    })
    .filter(|(row, namespace, kind)| {
        // The first row that matches a name is the one that rules go by.
        let first = |name: &str| data.component(kind.kind, namespace, name);
        row.exact().is_none_or(|name| first(name).is_some_and(|own| std::ptr::eq(own, *row)))
    })
}

fn key(
    (row, namespace, kind): (&Component, &str, &'static Kind),
    name: impl Fn(&Component) -> Option<&str>,
) -> Option<String> {
    Some(format!("{}/{namespace}/{}", kind.resource, name(row)?))
}

/// The kinds of components whose deletion AA302 judges.
const DELETED: &[&Kind] = &[
    &kinds::CONFIG_MAP,
    &kinds::CRON_JOB,
    &kinds::DAEMON_SET,
    &kinds::DEPLOYMENT,
    &kinds::JOB,
    &kinds::REPLICA_SET,
    &kinds::ROLE,
    &kinds::ROLE_BINDING,
    &kinds::SERVICE,
    &kinds::SERVICE_ACCOUNT,
    &kinds::STATEFUL_SET,
];

/// The kinds that run.
pub(super) const RUN: &[&Kind] = &[
    &kinds::CRON_JOB,
    &kinds::DAEMON_SET,
    &kinds::DEPLOYMENT,
    &kinds::JOB,
    &kinds::POD,
    &kinds::REPLICA_SET,
    &kinds::REPLICATION_CONTROLLER,
    &kinds::STATEFUL_SET,
];
