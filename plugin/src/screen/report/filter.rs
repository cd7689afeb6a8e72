//! Filters of the findings that a report shows.

use aksarc_shared::k8s::kinds;
use aksarc_shared::verdict::report::v1::{ConsequenceV1, FindingV1, ObjectV1};

/// A filter of the shown findings. It narrows the view alone: verdict, counts and exit code are those of all findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only findings on objects in this namespace.
    pub namespace: Option<String>,
    /// Only findings on these objects.
    pub objects: Vec<ObjectName>,
    /// Only findings of this weight or heavier.
    pub min_weight: Option<ConsequenceV1>,
}

/// An object as people name it: `coredns`, `deployment/coredns`, `deploy/coredns`, `kube-system/deployment/coredns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    namespace: Option<String>,
    kind: Option<String>,
    name: String,
}

impl ObjectName {
    /// Reads a name.
    ///
    /// # Errors
    /// A sentence that says which forms there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(format!("{text:?} is no object: {FORMS}"));
        }
        let owned = |part: &str| Some(part.to_owned());
        match *parts {
            [name] => Ok(ObjectName { namespace: None, kind: None, name: name.to_owned() }),
            [kind, name] => Ok(ObjectName { namespace: None, kind: owned(kind), name: name.to_owned() }),
            [namespace, kind, name] => {
                Ok(ObjectName { namespace: owned(namespace), kind: owned(kind), name: name.to_owned() })
            }
            _ => Err(format!("{text:?} is no object: {FORMS}")),
        }
    }

    fn is(&self, object: &ObjectV1) -> bool {
        self.name == object.name
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == object.namespace)
            && self.kind.as_ref().is_none_or(|word| is_kind(word, &object.kind))
    }

    /// Whether a finding is about the object, or about a pool that it is a member of.
    pub(super) fn is_of(&self, finding: &FindingV1) -> bool {
        let is_node = self.kind.as_ref().is_none_or(|word| is_kind(word, kinds::NODE.kind));
        self.is(&finding.object) || is_node && finding.members.contains(&self.name)
    }
}

/// Whether a word that kubectl takes for a kind stands for it: `node`, `nodes`, `no`, `deploy`, `deployments.apps`.
fn is_kind(word: &str, kind: &str) -> bool {
    let word = word.to_lowercase();
    let (word, _) = word.split_once('.').unwrap_or((&word, ""));
    let known = kinds::ALL.iter().find(|known| known.kind == kind);
    word == kind.to_lowercase()
        || known.is_some_and(|known| known.resource == word)
        || SHORT.iter().any(|(short, long)| *short == word && *long == kind)
}

const FORMS: &str = "NAME, KIND/NAME or NAMESPACE/KIND/NAME";

/// The short words of kubectl for kinds that findings are about.
const SHORT: [(&str, &str); 14] = [
    ("cm", "ConfigMap"),
    ("crd", "CustomResourceDefinition"),
    ("cj", "CronJob"),
    ("deploy", "Deployment"),
    ("ds", "DaemonSet"),
    ("ns", "Namespace"),
    ("netpol", "NetworkPolicy"),
    ("no", "Node"),
    ("pdb", "PodDisruptionBudget"),
    ("po", "Pod"),
    ("rs", "ReplicaSet"),
    ("sa", "ServiceAccount"),
    ("sts", "StatefulSet"),
    ("svc", "Service"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn object(namespace: &str, kind: &str, name: &str) -> ObjectV1 {
        let (api_version, uid) = ("v1".to_owned(), String::new());
        ObjectV1 { api_version, kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned(), uid }
    }

    #[test]
    fn an_object_is_named_as_kubectl_names_it() {
        let dns = object("kube-system", "Deployment", "coredns");
        for word in [
            "coredns",
            "deploy/coredns",
            "Deployments/coredns",
            "deployment.apps/coredns",
            "kube-system/deploy/coredns",
        ] {
            assert!(ObjectName::parse(word).unwrap().is(&dns), "{word}");
        }
        for word in ["dns", "ds/coredns", "shop/deploy/coredns"] {
            assert!(!ObjectName::parse(word).unwrap().is(&dns), "{word}");
        }
        assert!(ObjectName::parse("no/moc-l1").unwrap().is(&object("", "Node", "moc-l1")));
        for bad in ["", "node/", "a/b/c/d"] {
            assert!(ObjectName::parse(bad).unwrap_err().contains("KIND/NAME"), "{bad}");
        }
    }
}
