//! Components that were put to rest: scaled to nothing, or bound to no node.

use serde_json::Value;

use crate::command::Command;
use crate::data::{Component, Confidence};
use crate::facts::origin::Step;
use crate::finding::{Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::object::Object;

/// A draft: a component is scaled to nothing, or a DaemonSet selects no node, by a label that is not Kubernetes' own.
pub(crate) fn idle(object: &Object<'_>, kind: &'static kinds::Kind, component: &Component) -> Option<Draft> {
    let name = &object.meta.name;
    let at = |path: &str| Draft::at(ObjectRef::of(object, kind), path).broken();
    Some(match Rest::of(object, kind, component)? {
        Rest::Scaled => {
            let kind_name = kind.kind.to_lowercase();
            at("spec.replicas")
                .values(None, Some("0"))
                .says(format!("{} {name} of {} is scaled to 0", kind.kind, component.product))
                .with(Evidence::seen("spec", "spec.replicas is 0"))
                .fix(
                    Command::kubectl_in(&object.meta.namespace, ["scale", &kind_name])
                        .name(name)
                        .word("--replicas=2")
                        .caution("the number before is unknown")
                        .only("starts it again; a replica count of your own stays at risk"),
                )
        }
        Rest::Nowhere(key, value) => at(&format!("spec.template.spec.nodeSelector[{key}]"))
            .values(None, value.as_deref())
            .says(format!("DaemonSet {name} of {} runs on no node: its nodeSelector matches none", component.product))
            .with(Evidence::seen("status", "desiredNumberScheduled is 0")),
    })
}

/// The way a component was put to rest.
pub(crate) enum Rest {
    /// Scaled to nothing.
    Scaled,
    /// By this key of its nodeSelector, and its value.
    Nowhere(String, Option<String>),
}

impl Rest {
    pub(crate) fn of(object: &Object<'_>, kind: &kinds::Kind, component: &Component) -> Option<Self> {
        if component.extension || component.confidence != Confidence::Doc {
            return None;
        }
        let spec: Value = object.field("spec")?;
        if matches!(kind.kind, "Deployment" | "StatefulSet") && spec.get("replicas").and_then(Value::as_u64) == Some(0)
        {
            return Some(Rest::Scaled);
        }
        let selector = spec.pointer("/template/spec/nodeSelector").and_then(Value::as_object)?;
        let (key, value) = selector.iter().find(|(key, _)| !key.contains("kubernetes.io/"))?;
        let scheduled = object.field::<Value>("status")?.get("desiredNumberScheduled").and_then(Value::as_u64)?;
        let nowhere = kind.kind == "DaemonSet" && scheduled == 0;
        nowhere.then(|| Rest::Nowhere(key.clone(), value.as_str().map(str::to_owned)))
    }

    pub(crate) fn path(self) -> Vec<Step<'static>> {
        let fields = |names: &[&'static str]| names.iter().map(|name| Step::Field((*name).into())).collect();
        match self {
            Rest::Scaled => fields(&["spec", "replicas"]),
            Rest::Nowhere(key, _) => {
                let mut path: Vec<_> = fields(&["spec", "template", "spec", "nodeSelector"]);
                path.push(Step::Field(key.into()));
                path
            }
        }
    }
}
