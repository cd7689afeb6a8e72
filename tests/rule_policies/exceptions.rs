//! What the guard refuses by a rule that the policies stand in for, and they do not.

use aksarc_shared::data::{Confidence, Place, embedded};
use serde_json::Value;

use crate::rule_policies::edits::{Edit, FOREIGN, Verb, certain};

/// A way in which the policies refuse less than the guard.
pub(crate) struct Exception {
    pub(crate) reason: &'static str,
    holds: fn(&str, &Edit) -> bool,
}

/// The reason why only the guard refuses a change by this rule, if there is one.
pub(crate) fn excepted(code: &str, edit: &Edit) -> Option<&'static str> {
    EXCEPTIONS.iter().find(|exception| (exception.holds)(code, edit)).map(|exception| exception.reason)
}

pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        reason: "keys that the tables know by a prefix, or that only the node's own list or its managedFields make the system's",
        holds: |code, edit| match code {
            "AA201" => !key_of(edit, "labels").is_some_and(|key| certain(Place::Label).contains(&*key)),
            "AA202" => !key_of(edit, "annotations").is_some_and(|key| certain(Place::Annotation).contains(&*key)),
            _ => false,
        },
    },
    Exception {
        reason: "a value in other letters than the right one's, or of a pool that is a part of the machine's name",
        holds: |code, edit| {
            let Some(key) = key_of(edit, "labels").filter(|_| code == "AA201") else { return false };
            let after = edit.body["metadata"]["labels"][&key].as_str();
            let before = edit.before["metadata"]["labels"][&key].as_str();
            let respelt = before.zip(after).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other));
            respelt || (key == "msft.microsoft/nodepool-name" && after == Some(""))
        },
    },
    Exception {
        reason: "an image of Microsoft's in the place of another: an upgrade brings those too",
        holds: |code, edit| code == "AA301" && edit.verb == Verb::Strategic && !edit.body.to_string().contains(FOREIGN),
    },
    Exception {
        reason: "components whose names no document gives to the platform",
        holds: |code, edit| {
            let kind = edit.path.split('/').nth(6).unwrap_or_default().trim_end_matches('s');
            let of = |path: &str| edit.before.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (namespace, name) = (of("/metadata/namespace"), of("/metadata/name"));
            let is = |row: &&aksarc_shared::data::Component| {
                row.kinds.iter().any(|own| own.eq_ignore_ascii_case(kind))
                    && row.exact().is_some_and(|own| own == name)
                    && (row.any_namespace || row.namespaces.contains(&namespace))
            };
            let row = embedded().components.iter().find(is);
            matches!(code, "AA301" | "AA302") && row.is_some_and(|row| row.confidence != Confidence::Doc)
        },
    },
    Exception {
        reason: "workloads made under a name that a table has",
        holds: |code, edit| code == "AA303" && edit.body.pointer("/metadata/name").is_some_and(|name| name != "own"),
    },
    Exception {
        reason: "components made by hand, in the place of those that are missing",
        holds: |code, edit| code == "AA301" && edit.verb == Verb::Create,
    },
];

/// The key that an edit of a node's metadata is about.
fn key_of(edit: &Edit, side: &str) -> Option<String> {
    let keys = edit.body.pointer(&format!("/metadata/{side}"))?.as_object()?;
    keys.keys().next().cloned()
}
