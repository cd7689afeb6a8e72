//! The effect of a changed field on a managed component: the component is replaced, customised, or only restarted.

use crate::data::Component;
use crate::finding::{Clause, Consequence, Draft};

/// The effect of a changed field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Something else runs, answers or may act in the component's place, or nothing does.
    Replaces,
    /// The component is the same, but runs or is set up differently.
    Customises,
    /// Its pods are started again.
    Restarts,
}

impl Effect {
    /// The effect of a field of a component's object, from its path and its known values.
    pub(crate) fn of(kind: &str, component: &Component, path: &str, values: [Option<&str>; 2]) -> Self {
        if is_restart(path, values) {
            return Effect::Restarts;
        }
        let replaces = match kind {
            // The data of these ConfigMaps sets up the name service and the network; other components keep their
            // records or their command line in them.
            "ConfigMap" => component.part.is_none(),
            "Role" | "RoleBinding" | "Secret" => true,
            "Service" => REROUTING.iter().any(|field| is_below(path, field)),
            _ => {
                let [_, after] = values;
                (path == "spec.replicas" && after == Some("0")) || PODS.iter().any(|pod| is_replaced(path, pod))
            }
        };
        if replaces { Effect::Replaces } else { Effect::Customises }
    }

    /// The draft with the weight of this effect, and with the sentence of the policy texts about it.
    pub(crate) fn weigh(self, draft: Draft, component: &Component) -> Draft {
        match self {
            // Software of an extension is no managed feature of AKS Arc: AA306 reports such changes, at risk.
            Effect::Replaces if component.extension => draft.lighter(Consequence::AtRisk),
            Effect::Replaces => draft,
            Effect::Restarts => draft.lighter(Consequence::Info),
            Effect::Customises => {
                let mut draft = draft.lighter(Consequence::AtRisk);
                if component.part.is_some() {
                    draft.message.push_str(BOTH_SENTENCES);
                    draft = draft.clauses(const { &[Clause::new("C05"), Clause::new("C14")] });
                } else {
                    draft.message.push_str("; it is customised, not replaced");
                }
                draft
            }
        }
    }
}

/// Whether a field of the pod template only restarts the pods: kubectl, Headlamp, k9s and Lens write
/// `kubectl.kubernetes.io/restartedAt`, Rancher `cattle.io/timestamp` (rancher/dashboard), and others keys of their
/// own. All of them hold a time stamp, or are named after what they do.
pub(crate) fn is_restart(path: &str, values: [Option<&str>; 2]) -> bool {
    let Some(key) = path.strip_prefix(TEMPLATE_ANNOTATION).and_then(|rest| rest.strip_suffix(']')) else {
        return false;
    };
    let name = key.rsplit('/').next().unwrap_or(key).to_ascii_lowercase();
    let named = name.contains("restart") || name.contains("redeploy") || name == "timestamp";
    named || values.iter().any(Option::is_some) && values.into_iter().flatten().all(is_time)
}

/// Whether a text is a moment: in the form of RFC 3339, or in seconds or milliseconds since 1970.
fn is_time(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if matches!(text.len(), 10 | 13) && digits(text) {
        return true;
    }
    let date = text.split(['T', ' ']).next().unwrap_or_default();
    text.len() > date.len() && date.parse::<jiff::civil::Date>().is_ok()
}

/// Whether a path leads to a field of the pod specification that makes up the component's identity.
fn is_replaced(path: &str, pod: &str) -> bool {
    let Some(field) = path.strip_prefix(pod) else { return false };
    if ["volumes", "serviceAccount", "serviceAccountName"].iter().any(|own| is_below(field, own)) {
        return true;
    }
    let Some(rest) = ["containers", "initContainers"].iter().find_map(|list| field.strip_prefix(list)) else {
        return false;
    };
    // In `containers[name=coredns].image`, the rest is the field; without a rest the path is the container itself.
    let Some((_, rest)) = rest.split_once(']') else { return !rest.starts_with(char::is_alphabetic) };
    let inner = rest.strip_prefix('.').unwrap_or(rest);
    inner.is_empty()
        || ["args", "command", "image", "volumeDevices", "volumeMounts"].iter().any(|own| is_below(inner, own))
}

/// Whether a path is `field` or leads into it.
fn is_below(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The prefixes of the pod specification, by kind.
const PODS: [&str; 3] = ["spec.jobTemplate.spec.template.spec.", "spec.template.spec.", "spec."];

const TEMPLATE_ANNOTATION: &str = "spec.template.metadata.annotations[";

/// The fields of a Service that decide which pods answer for it.
const REROUTING: [&str; 7] = [
    "spec.clusterIP",
    "spec.clusterIPs",
    "spec.externalIPs",
    "spec.externalName",
    "spec.ports",
    "spec.selector",
    "spec.type",
];

/// The two policy sentences that bear on customising a component.
const BOTH_SENTENCES: &str = "; the texts for Windows Server and 22H2 forbid altering managed components (C05), and every text \
    counts questions about customising control plane components such as CoreDNS among what is supported (C14)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    fn effect(kind: &str, name: &str, path: &str, after: Option<&str>) -> Effect {
        let component = embedded().component(kind, "kube-system", name).unwrap();
        Effect::of(kind, component, path, [None, after])
    }

    #[test]
    fn only_fields_of_identity_replace_a_component_and_all_others_customise_it() {
        let pod = |rest: &str| effect("Deployment", "coredns", &format!("spec.template.spec.{rest}"), None);
        for path in [
            "containers[name=coredns].image",
            "containers[name=coredns].args",
            "containers[name=coredns].command",
            "containers[name=coredns].volumeMounts[mountPath=/own]",
            "containers[name=sidecar]",
            "containers",
            "initContainers[name=own]",
            "volumes[name=own]",
            "serviceAccount",
            "serviceAccountName",
        ] {
            assert_eq!(pod(path), Effect::Replaces, "{path}");
        }
        for path in [
            "affinity.podAntiAffinity",
            "containers[name=coredns].env[name=GOGC].value",
            "containers[name=coredns].imagePullPolicy",
            "containers[name=coredns].resources.limits.memory",
            "ephemeralContainers[name=debugger]",
            "nodeSelector[example.com/dns]",
            "tolerations",
            "topologySpreadConstraints",
        ] {
            assert_eq!(pod(path), Effect::Customises, "{path}");
        }
        let scaled = |to: &str| effect("Deployment", "coredns", "spec.replicas", Some(to));
        assert_eq!(
            (scaled("0"), scaled("1"), scaled("10")),
            (Effect::Replaces, Effect::Customises, Effect::Customises)
        );
        assert_eq!(effect("ConfigMap", "coredns", "data.Corefile", None), Effect::Customises);
        assert_eq!(effect("ConfigMap", "kube-proxy", "data[config.conf]", None), Effect::Replaces);
        assert_eq!(effect("Service", "kube-dns", "spec.selector.k8s-app", None), Effect::Replaces);
        assert_eq!(effect("Service", "kube-dns", "spec.internalTrafficPolicy", None), Effect::Customises);
        assert_eq!(effect("DaemonSet", "kube-proxy", "spec.template.spec.tolerations", None), Effect::Customises);
    }

    #[test]
    fn a_restart_annotation_of_any_tool_is_a_restart() {
        let annotation = |key: &str, before, after| {
            is_restart(&format!("spec.template.metadata.annotations[{key}]"), [before, after])
        };
        let (now, then) = (Some("2026-11-27T20:00:00Z"), Some("2026-10-01T08:00:00.123"));
        assert!(annotation("kubectl.kubernetes.io/restartedAt", None, now));
        assert!(annotation("kubectl.kubernetes.io/restartedAt", None, None));
        assert!(annotation("cattle.io/timestamp", then, now));
        assert!(annotation("example.com/rolled-at", None, now) && annotation("rolled", now, None));
        assert!(annotation("date", Some("1764273600"), Some("1764273600123")));
        assert!(!annotation("prometheus.io/scrape", None, Some("true")));
        assert!(!annotation("example.com/since", None, Some("2026-11-27")) && !annotation("example.com/x", None, None));
        assert!(!annotation("example.com/mode", Some("edge"), now));
        assert!(!is_restart("spec.template.metadata.labels[x]", [None, now]));
    }
}
