//! Fields of a platform's object that somebody else wrote, by its managedFields.

use std::collections::HashMap;

use serde_json::Value;

use crate::data::{Component, Data};
use crate::facts::origin::{self, FieldRank, FirstWriters, Paths, Step};
use crate::finding::{Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::Kind;
use crate::k8s::object::{ManagedEntry, Object};
use crate::rules::parts::differences::{is_private, scalar};
use crate::rules::parts::effect::is_restart;
use crate::rules::parts::rank::{rank, rank_in};

/// A draft for each field of a platform's object that a person's tool took over from its first writer, for the ones that
/// matter most below each top-level field.
pub(crate) fn hands(object: &Object<'_>, kind: &'static Kind, product: &str, data: &Data) -> Vec<Draft> {
    hands_by(object, kind, product, data, |path| rank(path, false))
}

/// As [`hands`], of an object of a component: what replaces the component matters most.
pub(crate) fn hands_in(object: &Object<'_>, kind: &'static Kind, component: &Component, data: &Data) -> Vec<Draft> {
    hands_by(object, kind, &component.product, data, |path| rank_in(component, kind, path, false))
}

fn hands_by(
    object: &Object<'_>,
    kind: &'static Kind,
    product: &str,
    data: &Data,
    rank: impl Fn(&[Step<'_>]) -> FieldRank,
) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let mut values: HashMap<String, Option<Value>> = HashMap::new();
    let subject = format!("{} {}", kind.kind, object.meta.name);
    each_hand(object, data, |entry, kept| {
        for path in origin::heaviest_taken(entry, kept, MAX_PATHS, &rank) {
            let Some(root) = root(&path) else { continue };
            let leaf = origin::spell(&path);
            let value = values.entry(root.to_owned()).or_insert_with(|| object.field(root));
            let now = value.as_ref().and_then(|value| value_at(value, &leaf));
            let draft = Draft::at(ObjectRef::of(object, kind), &*leaf)
                .values(None, now.as_deref())
                .says(format!("{subject} of {product} was changed by {}", &*entry.manager))
                .with(Evidence::managed(entry));
            let restart = is_restart(&leaf, [None, value.as_ref().and_then(|value| annotation(value, &path))]);
            drafts.push(if restart {
                let says = format!("{subject} of {product}: pods were restarted by {}", &*entry.manager);
                draft.says(says).lighter(Consequence::Info)
            } else {
                draft
            });
        }
    });
    drafts
}

/// The value of the pod template annotation at a path.
pub(crate) fn annotation<'v>(spec: &'v Value, path: &[Step<'_>]) -> Option<&'v str> {
    let [Step::Field(_), Step::Field(template), Step::Field(meta), Step::Field(annotations), Step::Field(key)] = path
    else {
        return None;
    };
    spec.get(&**template)?.get(&**meta)?.get(&**annotations)?.get(&**key)?.as_str()
}

/// The fields that people's tools took over, as a set of paths.
pub(crate) fn taken<'a>(object: &Object<'a>, data: &Data) -> Paths<'a> {
    let mut taken = Paths::default();
    each_hand(object, data, |entry, kept| {
        taken.insert_taken(entry, kept, |step| root(std::slice::from_ref(step)).is_some());
    });
    taken
}

/// Calls `each` with every entry of a person who overwrote the platform's fields on an object, and the paths that are
/// still the platform's.
pub(crate) fn each_hand<'a>(object: &Object<'a>, data: &Data, each: impl FnMut(&ManagedEntry<'a>, &Paths<'a>)) {
    each_second(object, data, |entry| origin::is_hand(entry, object, data), each);
}

/// Calls `each` with every entry that `is_asked_for` and that overwrote another writer's fields, and the paths that
/// others still own.
pub(crate) fn each_second<'a>(
    object: &Object<'a>,
    data: &Data,
    is_asked_for: impl Fn(&ManagedEntry<'a>) -> bool,
    mut each: impl FnMut(&ManagedEntry<'a>, &Paths<'a>),
) {
    // The platform is the first writer whenever it wrote last, and so is Helm on an object of a release of the
    // platform's.
    let installer = |other: &ManagedEntry<'_>| {
        let release = data.managers.person(&other.manager).is_some() && !origin::is_hand(other, object, data);
        release || data.managers.platform(&other.manager).is_some()
    };
    let first_writers = FirstWriters::of(object, &object.managed().iter(), installer);
    let entries = || object.managed().iter().filter(|entry| &*entry.subresource != "status");
    let mut kept = Paths::default();
    let mut gathered = false;
    for entry in entries().filter(|entry| is_asked_for(entry) && first_writers.overwrote_another_writer(entry, object))
    {
        if !gathered {
            entries().filter(|other| !is_asked_for(other)).for_each(|other| kept.insert_owned(other));
            gathered = true;
        }
        each(entry, &kept);
    }
}

/// The top-level field of a path, if users decide on it.
pub(crate) fn root<'p>(path: &'p [Step<'_>]) -> Option<&'p str> {
    match path.first() {
        Some(Step::Field(name)) if !matches!(&**name, "metadata" | "status") => Some(name),
        _ => None,
    }
}

/// The value at a plain path below a top-level field, for evidence; lists and private data are not followed.
pub(crate) fn value_at(root: &Value, path: &str) -> Option<String> {
    if is_private(path) || path.contains('[') {
        return None;
    }
    let (_, rest) = path.split_once('.')?;
    let found = rest.split('.').try_fold(root, |value, step| value.get(step))?;
    (!found.is_object() && !found.is_array()).then(|| scalar(found))
}

/// The most fields reported below one field of one writer.
pub(crate) const MAX_PATHS: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::data::embedded;
    use crate::k8s::kinds;
    use crate::k8s::read::json;

    #[test]
    fn an_image_that_a_person_took_over_is_found_behind_many_fields_that_only_customise() {
        let many: Map<String, Value> = (0..20).map(|at| (format!("f:a{at}"), json!({}))).collect();
        let image = json!({"k:{\"name\":\"coredns\"}": {"f:image": {}}});
        let pod = json!({"f:affinity": many, "f:containers": image});
        let entry = |manager: &str, time: &str, fields: &Value| json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields});
        let object = json!({"metadata": {
            "name": "coredns", "namespace": "kube-system", "creationTimestamp": "2026-03-02T08:00:00Z",
            "managedFields": [
                entry("kubeadm", "2026-03-02T08:00:00Z", &json!({"f:spec": {"f:replicas": {}}})),
                entry("kubectl-edit", "2026-05-18T09:14:00Z", &json!({"f:spec": {"f:template": {"f:spec": pod}}}))]}})
        .to_string();
        let object = json::object(object.as_bytes()).unwrap();
        let component = embedded().component("Deployment", "kube-system", "coredns").unwrap();
        let drafts = hands_in(&object, &kinds::DEPLOYMENT, component, embedded());
        let paths: Vec<&str> = drafts.iter().map(|draft| &*draft.path).collect();
        assert_eq!(paths.len(), MAX_PATHS);
        assert!(paths.contains(&"spec.template.spec.containers[name=coredns].image"), "{paths:?}");
    }
}
