//! The changes that a state cannot show, and the findings that nobody can be asked about: each with its reason, and
//! each as narrow as it can be said. The law prints how often each was needed: one that never is has outlived its
//! cause.

use aksarc_shared::data::{Place, embedded};
use aksarc_shared::facts::change::Operation;
use aksarc_shared::finding::Finding;
use aksarc_shared::k8s::kinds;
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::Rule;
use serde_json::Value;

use crate::law::edits::Edit;
use crate::law::world::{BORN, CHANGED};

/// An exception from the law, and whether it is the one for a finding.
pub(crate) struct Exception {
    pub(crate) reason: &'static str,
    pub(crate) holds: fn(&Finding, &Edit) -> bool,
}

/// A reason why a finding about a change need not show in the state after it.
pub(crate) fn excepted(finding: &Finding, edit: &Edit) -> Option<&'static str> {
    EXCEPTIONS.iter().find(|exception| (exception.holds)(finding, edit)).map(|exception| exception.reason)
}

/// A reason why something new in the state need not have been foreseen.
pub(crate) fn unasked(finding: &Finding, edit: &Edit) -> Option<&'static str> {
    UNASKED.iter().find(|exception| (exception.holds)(finding, edit)).map(|exception| exception.reason)
}

/// A reason why a cure is denied all the same.
pub(crate) fn denied(finding: &Finding, edit: &Edit) -> Option<&'static str> {
    CURES.iter().find(|exception| (exception.holds)(finding, edit)).map(|exception| exception.reason)
}

/// The findings that do not show in the state after a change.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        reason: "the rule has no state check: no state shows that something is gone or was given an owner",
        holds: |finding, _| {
            let state = rule(finding).state();
            state.per_object.is_none() && state.per_cluster.is_none()
        },
    },
    Exception {
        reason: "the state check reads no pods, what workloads make, or accounts of managed components: they come and go",
        holds: |finding, edit| {
            let kind = edit.asked.0;
            let passing = ["CronJob", "Job", "Pod", "ReplicaSet", "ReplicationController", "ServiceAccount"];
            !rule(finding).reads.iter().any(|read| read.kind == kind) && passing.contains(&kind.kind)
        },
    },
    Exception {
        reason: "of ReplicaSets, which workloads make by the dozen, the state check reads those of kube-system alone",
        holds: |finding, edit| {
            finding.code == "AA303" && edit.asked.0.kind == "ReplicaSet" && finding.object.namespace != "kube-system"
        },
    },
    Exception {
        reason: "which pods a policy is on, and what other policies allow them, only the whole cluster shows",
        holds: |finding, _| finding.code == "AA605",
    },
    Exception {
        reason: "an owner is lawful in itself: no state tells that it was not always there",
        holds: |finding, _| {
            finding.path == "metadata.ownerReferences"
                && finding.after.is_some()
                && matches!(finding.code.as_str(), "AA208" | "AA306" | "AA308")
        },
    },
    Exception {
        reason: "what is deleted shows nowhere; only a node's machine is left behind",
        holds: |finding, edit| edit.asked.2 == Operation::Delete && finding.code != "AA208",
    },
    Exception {
        reason: "nobody owns what is removed; the node itself, its peers and its machine tell only of what must be there",
        holds: |finding, edit| {
            edit.asked.2 == Operation::Update && finding.after.is_none() && !must_be_there(finding, edit)
        },
    },
    Exception {
        reason: "a component looks the same whoever creates it",
        holds: |finding, edit| finding.code == "AA301" && edit.asked.2 == Operation::Create,
    },
    Exception {
        reason: "a Scale has none of the marks by which a workload under a name of upstream's is a user's own",
        holds: |finding, edit| {
            let release = of(edit.stored.after.as_ref(), "/metadata/annotations/meta.helm.sh~1release-name");
            finding.code == "AA301" && edit.asked.1 == "scale" && release.is_some()
        },
    },
    Exception {
        reason: "what claims an owner is judged with the owner",
        holds: |finding, edit| {
            finding.code == "AA303" && of(edit.stored.after.as_ref(), "/metadata/ownerReferences").is_some()
        },
    },
    Exception {
        reason: "what claims a release of the platform's counts as the platform's in a state",
        holds: |finding, edit| {
            matches!(finding.code.as_str(), "AA207" | "AA303" | "AA502")
                && is_platform_release(edit.stored.after.as_ref())
        },
    },
    Exception {
        reason: "one sign of the platform is enough not to call a node foreign",
        holds: |finding, edit| {
            let after = edit.stored.after.as_ref();
            let name = of(after, "/metadata/name").and_then(Value::as_str).unwrap_or_default();
            let signs = of(after, "/spec/providerID").is_some()
                || of(after, "/metadata/labels/msft.microsoft~1nodepool-name").is_some();
            finding.code == "AA401" && (signs || name.starts_with("moc-"))
        },
    },
    Exception {
        reason: "the system itself sets and removes its taints all the time; only a lost one of the control plane is told",
        holds: |finding, edit| {
            let control_plane = "/metadata/labels/node-role.kubernetes.io~1control-plane";
            let lost = finding.path.contains("node-role.kubernetes.io/control-plane") && finding.after.is_none();
            finding.code == "AA203" && !(lost && of(edit.stored.after.as_ref(), control_plane).is_some())
        },
    },
    Exception {
        reason: "a key that no table knows was the system's by its owner's name alone, which the change has replaced",
        holds: |finding, _| {
            let by_owner = |detail: &str| detail.starts_with("written by ") || detail == "under a reserved prefix";
            let told = finding.evidence.iter().any(|evidence| evidence.what == "origin" && by_owner(&evidence.detail));
            // Of namespaces the owner is named for the keys of the table too.
            let unlisted = finding.code != "AA207" || finding.path.contains("[vendor.example/");
            matches!(finding.code.as_str(), "AA201" | "AA202" | "AA207") && told && unlisted
        },
    },
    Exception {
        reason: "whether the system had put a key of its own on a node, the rest of the pool tells, which no change shows",
        holds: |finding, edit| finding.code == "AA204" && is_systems_name(finding, edit),
    },
    Exception {
        reason: "of a node that no machine puts into a pool, no peer shows that the system had put a key there: an addition, AA204",
        holds: |finding, edit| {
            let machine = of(edit.stored.after.as_ref(), "/spec/providerID").and_then(Value::as_str);
            let told = machine.is_some_and(|machine| machine.starts_with("moc://"));
            matches!(finding.code.as_str(), "AA201" | "AA202") && !told && finding.after.is_some()
        },
    },
    Exception {
        reason: "who only takes away, or changes nothing, owns nothing of it",
        holds: |finding, edit| {
            let entries = of(edit.stored.after.as_ref(), "/metadata/managedFields").and_then(Value::as_array);
            let wrote = entries.is_some_and(|entries| entries.iter().any(|entry| entry["time"] == CHANGED));
            let by_hand = matches!(finding.code.as_str(), "AA303" | "AA702");
            by_hand && edit.asked.2 == Operation::Update && entries.is_some() && !wrote
        },
    },
    Exception {
        reason: "who made an object and writes it again is no second hand, and where its maker cannot be told, nobody is",
        holds: |finding, edit| {
            matches!(finding.code.as_str(), "AA209" | "AA301" | "AA306" | "AA308")
                && edit.asked.2 == Operation::Update
                && !is_second_hand(edit)
        },
    },
    Exception {
        reason: "a node without a providerID is spoken of as a whole, not for what people wrote on it",
        holds: |finding, edit| {
            matches!(finding.code.as_str(), "AA204" | "AA205")
                && of(edit.stored.after.as_ref(), "/spec/providerID").is_none()
        },
    },
    Exception {
        reason: "of an object recorded without managedFields the API server keeps none",
        holds: |finding, edit| {
            let by_writers =
                ["AA209", "AA301", "AA303", "AA306", "AA308", "AA506", "AA702"].contains(&finding.code.as_str());
            by_writers
                && edit.asked.2 == Operation::Update
                && of(edit.stored.after.as_ref(), "/metadata/managedFields").is_none_or(is_empty)
        },
    },
    Exception {
        reason: "a name in capitals is right: Windows machines report theirs so",
        holds: |finding, _| {
            let after = finding.after.as_deref().unwrap_or_default();
            finding.path == "metadata.labels[kubernetes.io/hostname]"
                && after.eq_ignore_ascii_case(&finding.object.name)
        },
    },
    Exception {
        reason: "what the untouched peers say is right, whoever wrote it back",
        holds: |finding, edit| matches!(finding.code.as_str(), "AA201" | "AA202") && edit.undoes,
    },
];

/// The findings that are new in a state and were not foreseen by the same rule.
pub(crate) const UNASKED: &[Exception] = &[
    Exception {
        reason: "a rule without a check of changes watches what nobody is asked about",
        holds: |finding, _| rule(finding).change.is_none(),
    },
    Exception {
        reason: "a node made by hand is spoken of as a whole, as a foreign one",
        holds: |finding, edit| {
            let made = *edit.asked.0 == kinds::NODE && edit.asked.2 == Operation::Create;
            made && matches!(finding.code.as_str(), "AA201" | "AA206")
        },
    },
    Exception {
        reason: "whose a node is, and of which pool, follows from its providerID and its labels, whose change was foreseen",
        holds: |finding, edit| {
            let control_plane = "/metadata/labels/node-role.kubernetes.io~1control-plane";
            let pool = "/metadata/labels/msft.microsoft~1nodepool-name";
            let says = |side: &Option<Value>| {
                ["/spec/providerID", control_plane, pool].map(|path| of(side.as_ref(), path).cloned())
            };
            let (before, after) = (says(&edit.stored.before), says(&edit.stored.after));
            *edit.asked.0 == kinds::NODE
                && match finding.code.as_str() {
                    "AA201" | "AA205" => before != after,
                    // Nothing is said of what stands on a node that nobody has claimed.
                    "AA204" => before.first() != after.first(),
                    _ => false,
                }
        },
    },
    Exception {
        reason: "a key that no table knows is a person's own once they have written it; the guard spoke of it as the system's",
        holds: |finding, edit| {
            let (before, after) = (key(finding, edit.stored.before.as_ref()), key(finding, edit.stored.after.as_ref()));
            matches!(finding.code.as_str(), "AA204" | "AA205") && before.is_some() && before != after
        },
    },
    Exception {
        reason: "that the system had put a key of its own on a node, the rest of the pool tells; the guard spoke of an addition",
        holds: |finding, edit| matches!(finding.code.as_str(), "AA201" | "AA202") && is_systems_name(finding, edit),
    },
    Exception {
        reason: "an image that was from elsewhere before is told of once an owner or a missing mark makes the pod the platform's",
        holds: |finding, edit| {
            let (before, after) = (edit.stored.before.as_ref(), edit.stored.after.as_ref());
            let claimed = edit.asked.2 == Operation::Create && of(after, "/metadata/ownerReferences").is_some();
            let by_image = finding.evidence.iter().any(|evidence| evidence.what == "image");
            finding.code == "AA301" && by_image && (claimed || of(before, "/spec") == of(after, "/spec"))
        },
    },
    Exception {
        reason: "a Scale bears no marks: what it scales is known by the catalogue alone",
        holds: |finding, edit| finding.code == "AA306" && edit.asked.1 == "scale",
    },
    Exception {
        reason: "taints are one list, whose last writer is taken for the writer of all",
        holds: |finding, edit| {
            let taints = |side: &Option<Value>| {
                let key = finding.path.strip_prefix("spec.taints[").and_then(|path| path.strip_suffix(']'));
                let all = of(side.as_ref(), "/spec/taints").and_then(Value::as_array).cloned().unwrap_or_default();
                all.into_iter().filter(|taint| taint["key"].as_str() == key).collect::<Vec<_>>()
            };
            let same = taints(&edit.stored.before) == taints(&edit.stored.after);
            matches!(finding.code.as_str(), "AA204" | "AA205") && finding.path.starts_with("spec.taints[") && same
        },
    },
];

/// The changes that are denied although they take back a person's.
pub(crate) const CURES: &[Exception] = &[];

fn rule(finding: &Finding) -> &'static Rule {
    catalogue::find(finding.code.as_str()).expect("a rule of the catalogue")
}

/// Whether a state tells that something is missing.
fn must_be_there(finding: &Finding, edit: &Edit) -> bool {
    let label = |key: &str| finding.path == format!("metadata.labels[{key}]");
    // Until the cloud provider has claimed a node, its kubelet may still correct its labels.
    let machine = of(edit.stored.after.as_ref(), "/spec/providerID").and_then(Value::as_str);
    let claimed = machine.is_some_and(|machine| machine.starts_with("moc://"));
    match finding.code.as_str() {
        "AA201" => {
            let keys =
                ["kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os", "msft.microsoft/nodepool-name"];
            claimed && keys.into_iter().any(label)
        }
        "AA203" => true,
        "AA206" => finding.path == "spec.providerID",
        "AA207" => finding.path == "spec.finalizers[kubernetes]",
        _ => false,
    }
}

/// Whether a finding is about a name of the system's that stands on a node only after a change, or that a person wrote
/// before.
fn is_systems_name(finding: &Finding, edit: &Edit) -> bool {
    let place = [("metadata.labels[", Place::Label), ("metadata.annotations[", Place::Annotation)];
    let named =
        place.iter().find_map(|(prefix, place)| Some((place, finding.path.strip_prefix(prefix)?.strip_suffix(']')?)));
    let known = named.is_some_and(|(place, key)| embedded().node_keys.is_known(*place, key));
    let field = |entry: &Value| {
        let (map, key) = finding.path.strip_prefix("metadata.")?.strip_suffix(']')?.split_once('[')?;
        entry.pointer("/fieldsV1/f:metadata")?.get(format!("f:{map}"))?.get(format!("f:{key}")).map(|_| ())
    };
    let people =
        |entry: &&Value| entry["manager"].as_str().is_some_and(|own| embedded().managers.person(own).is_some());
    let entries = of(edit.stored.before.as_ref(), "/metadata/managedFields").and_then(Value::as_array);
    let by_person = entries.into_iter().flatten().filter(people).any(|entry| field(entry).is_some());
    known && (key(finding, edit.stored.before.as_ref()).is_none() || by_person)
}

/// The value of the label or annotation that a finding names.
fn key<'v>(finding: &Finding, object: Option<&'v Value>) -> Option<&'v str> {
    let (map, key) = finding.path.strip_prefix("metadata.")?.strip_suffix(']')?.split_once('[')?;
    object?.get("metadata")?.get(map)?.get(key)?.as_str()
}

fn of<'v>(object: Option<&'v Value>, path: &str) -> Option<&'v Value> {
    object?.pointer(path)
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_none_or(Vec::is_empty)
}

fn is_platform_release(object: Option<&Value>) -> bool {
    of(object, "/metadata/annotations/meta.helm.sh~1release-name").is_some_and(|release| release == "azure-arc")
}

/// Whether the state after a change tells that somebody else made the object than has changed it.
fn is_second_hand(edit: &Edit) -> bool {
    let entries = of(edit.stored.after.as_ref(), "/metadata/managedFields").and_then(Value::as_array);
    let entries = || entries.into_iter().flatten();
    let own = |entry: &Value| entry["manager"] == edit.who.manager;
    // Only the creation of a custom resource sets its specification as such.
    if let Some(maker) = entries().find(|entry| entry.pointer("/fieldsV1/f:spec/.").is_some()) {
        return !own(maker);
    }
    let first = || entries().filter(|entry| entry["time"] == BORN);
    first().next().is_some() && !first().any(own)
}
