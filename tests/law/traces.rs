//! What a state cannot show of a change, and what it shows that nobody can be asked about: each with its reason, and each as
//! narrow as it can be said. The law prints how often each was needed: one that never is has outlived its cause.

use aksarc_shared::catalogue;
use aksarc_shared::change::Operation;
use aksarc_shared::data::embedded;
use aksarc_shared::finding::Finding;
use aksarc_shared::kinds;
use aksarc_shared::rule::Rule;
use serde_json::Value;

use crate::law::edits::Edit;
use crate::law::world::{BORN, CHANGED};

/// An exception from the law, and whether it is the one for a finding.
pub(crate) struct Exception {
    pub(crate) reason: &'static str,
    pub(crate) holds: fn(&Finding, &Edit) -> bool,
}

/// Why a finding about a change need not show in the state after it.
pub(crate) fn excepted(finding: &Finding, edit: &Edit) -> Option<&'static str> {
    EXCEPTIONS.iter().find(|exception| (exception.holds)(finding, edit)).map(|exception| exception.reason)
}

/// Why something new in the state need not have been foreseen.
pub(crate) fn unasked(finding: &Finding, edit: &Edit) -> Option<&'static str> {
    UNASKED.iter().find(|exception| (exception.holds)(finding, edit)).map(|exception| exception.reason)
}

/// Why a cure is denied all the same.
pub(crate) fn denied(finding: &Finding, edit: &Edit) -> Option<&'static str> {
    CURES.iter().find(|exception| (exception.holds)(finding, edit)).map(|exception| exception.reason)
}

/// What does not show in the state after a change.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        reason: "the rule has no state check: no state shows that something is gone or was given an owner",
        holds: |finding, _| {
            let state = rule(finding).state;
            state.each.is_none() && state.whole.is_none()
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
        reason: "an owner is lawful in itself: no state tells that it was not always there",
        holds: |finding, _| {
            finding.path == "metadata.ownerReferences" && matches!(finding.code, "AA208" | "AA306" | "AA308")
        },
    },
    Exception {
        reason: "what is deleted shows nowhere; only a node's machine is left behind",
        holds: |finding, edit| edit.asked.2 == Operation::Delete && finding.code != "AA208",
    },
    Exception {
        reason: "nobody owns what is removed; the node itself, its peers and its machine tell only of what must be there",
        holds: |finding, edit| edit.asked.2 == Operation::Update && finding.after.is_none() && !must_be_there(finding),
    },
    Exception {
        reason: "a component looks the same whoever creates it",
        holds: |finding, edit| finding.code == "AA301" && edit.asked.2 == Operation::Create,
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
            matches!(finding.code, "AA303" | "AA502") && is_platform_release(edit.stored.after.as_ref())
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
            matches!(finding.code, "AA201" | "AA202" | "AA207") && finding.path.contains("[vendor.example/")
        },
    },
    Exception {
        reason: "who only takes away, or changes nothing, owns nothing of it",
        holds: |finding, edit| {
            let entries = of(edit.stored.after.as_ref(), "/metadata/managedFields").and_then(Value::as_array);
            let wrote = entries.is_some_and(|entries| entries.iter().any(|entry| entry["time"] == CHANGED));
            finding.code == "AA702" && edit.asked.2 == Operation::Update && entries.is_some() && !wrote
        },
    },
    Exception {
        reason: "where whoever made an object has written it again since, nothing tells who came second",
        holds: |finding, edit| {
            matches!(finding.code, "AA301" | "AA306" | "AA308")
                && edit.asked.2 == Operation::Update
                && no_first_hand(edit.stored.after.as_ref())
        },
    },
    Exception {
        reason: "what is taken back leaves nobody's hand but the platform's",
        holds: |finding, edit| {
            let platform = |manager: &str| embedded().managers.platform(manager).is_some();
            finding.code == "AA303" && edit.undoes && managers(edit.stored.after.as_ref()).all(platform)
        },
    },
    Exception {
        reason: "a node without a providerID is spoken of as a whole, not for what people wrote on it",
        holds: |finding, edit| {
            matches!(finding.code, "AA204" | "AA205") && of(edit.stored.after.as_ref(), "/spec/providerID").is_none()
        },
    },
    Exception {
        reason: "of an object recorded without managedFields the API server keeps none",
        holds: |_, edit| {
            edit.asked.2 == Operation::Update
                && of(edit.stored.after.as_ref(), "/metadata/managedFields").is_none_or(is_empty)
        },
    },
    Exception {
        reason: "on an object of a release of the platform's Helm is no hand: the agents update themselves with it",
        holds: |finding, edit| {
            matches!(finding.code, "AA301" | "AA306" | "AA308")
                && edit.who.manager == "helm"
                && is_platform_release(edit.stored.after.as_ref())
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
        holds: |finding, edit| matches!(finding.code, "AA201" | "AA202") && edit.undoes,
    },
];

/// What is new in a state and was not foreseen by the same rule.
pub(crate) const UNASKED: &[Exception] = &[
    Exception {
        reason: "a rule without a check of changes watches what nobody is asked about",
        holds: |finding, _| rule(finding).change.is_none(),
    },
    Exception {
        reason: "a node made by hand is spoken of as a whole, as a foreign one",
        holds: |finding, edit| {
            let made = *edit.asked.0 == kinds::NODE && edit.asked.2 == Operation::Create;
            made && matches!(finding.code, "AA201" | "AA206")
        },
    },
    Exception {
        reason: "whose pool a node is of follows from its providerID, and its change was foreseen as such",
        holds: |finding, edit| {
            let id = |side: &Option<Value>| of(side.as_ref(), "/spec/providerID").cloned();
            *edit.asked.0 == kinds::NODE && finding.code == "AA201" && id(&edit.stored.before) != id(&edit.stored.after)
        },
    },
    Exception {
        reason: "a key that no table knows is a person's own once they have written it; the guard spoke of it as the system's",
        holds: |finding, _| finding.code == "AA205" && finding.path.contains("[vendor.example/"),
    },
    Exception {
        reason: "a Scale bears no marks: what it scales is known by the catalogue alone",
        holds: |finding, edit| finding.code == "AA306" && edit.asked.1 == "scale",
    },
    // Not settled yet: these are disagreements of the product, each as narrow as it was found.
    Exception {
        reason: "open: whoever made an object and writes it again counts as having changed all they made",
        holds: |finding, edit| finding.code == "AA209" && no_first_hand(edit.stored.after.as_ref()),
    },
    Exception {
        reason: "open: what loses its owner is judged for itself again",
        holds: |finding, edit| {
            let owned = |side: &Option<Value>| of(side.as_ref(), "/metadata/ownerReferences").is_some();
            finding.code == "AA303" && owned(&edit.stored.before) && !owned(&edit.stored.after)
        },
    },
];

/// What is denied although it takes back what a person did.
pub(crate) const CURES: &[Exception] = &[Exception {
    reason: "an unknown client overwrote it, and of two machines of AKS Arc nothing tells which is the node's own",
    holds: |finding, _| {
        let machine = |value: &Option<String>| value.as_ref().is_some_and(|value| value.starts_with("moc://"));
        finding.code == "AA206" && machine(&finding.before) && machine(&finding.after)
    },
}];

fn rule(finding: &Finding) -> &'static Rule {
    catalogue::find(finding.code).expect("a rule of the catalogue")
}

/// Whether a state tells that something is missing.
fn must_be_there(finding: &Finding) -> bool {
    let label = |key: &str| finding.path == format!("metadata.labels[{key}]");
    match finding.code {
        "AA201" => ["kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os", "msft.microsoft/nodepool-name"]
            .into_iter()
            .any(label),
        "AA203" => true,
        "AA206" => finding.path == "spec.providerID",
        "AA207" => finding.path == "spec.finalizers[kubernetes]",
        _ => false,
    }
}

fn of<'v>(object: Option<&'v Value>, path: &str) -> Option<&'v Value> {
    object?.pointer(path)
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_none_or(Vec::is_empty)
}

fn managers(object: Option<&Value>) -> impl Iterator<Item = &str> {
    let entries = of(object, "/metadata/managedFields").and_then(Value::as_array);
    entries.into_iter().flatten().filter_map(|entry| entry["manager"].as_str())
}

fn is_platform_release(object: Option<&Value>) -> bool {
    of(object, "/metadata/annotations/meta.helm.sh~1release-name").is_some_and(|release| release == "azure-arc")
}

/// Whether all that is recorded of who wrote an object was written after it was made.
fn no_first_hand(object: Option<&Value>) -> bool {
    let entries = of(object, "/metadata/managedFields").and_then(Value::as_array);
    entries.is_some_and(|entries| entries.iter().all(|entry| entry["time"] != BORN))
}
