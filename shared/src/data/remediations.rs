//! The remediations of Microsoft's support module, by the objects that they change.

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;

/// A remediation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remediation {
    /// The module's name for it.
    pub name: String,
    /// Its effect, in our words.
    pub does: String,
    /// The versions of the module that contain it.
    pub versions: String,
    /// The objects that it changes; empty where none is known.
    #[serde(default)]
    pub objects: Vec<Touched>,
    /// How well that is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
    /// The day on which the source was last read.
    pub checked: Date,
}

/// An object that a remediation changes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Touched {
    /// The codes of the rules that find the change.
    pub rules: Vec<String>,
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty for nodes.
    #[serde(default)]
    pub namespace: String,
    /// Its name; `None` for every object of the kind.
    #[serde(default)]
    pub name: Option<String>,
    /// The field; `None` for any.
    #[serde(default)]
    pub path: Option<String>,
    /// Whether it removes the field, so that no other change of the field resembles it.
    #[serde(default)]
    pub removed: bool,
}

impl Remediation {
    /// The sentence that a finding resembling this remediation gets.
    pub fn likeness(&self) -> String {
        format!(
            "looks like {} of Microsoft's support module Support.AksArc (looked up {}): if Microsoft Support had it run, \
             `waivers new --remediation {}` makes the waiver for their case",
            self.name, self.checked, self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::data::{Platform, embedded};
    use crate::finding::{Draft, ObjectRef};
    use crate::k8s::kinds;
    use crate::rules::catalogue;
    use crate::verdict::weigh::{merge, remediations_of};

    #[test]
    fn every_remediation_names_rules_and_kinds_that_there_are() {
        for remediation in embedded().remediations.iter() {
            assert!(!remediation.source.is_empty(), "{}", remediation.name);
            for touched in &remediation.objects {
                for code in &touched.rules {
                    let found = remediations_of(code).iter().filter(|own| own.name == remediation.name).count();
                    assert_eq!(found, 1, "{code} of {}", remediation.name);
                }
                assert!(touched.rules.iter().all(|code| catalogue::find(code).is_some()), "{touched:?}");
                let kind = kinds::ALL.iter().find(|kind| kind.kind == touched.kind).unwrap();
                assert_eq!(kind.namespaced, !touched.namespace.is_empty(), "{touched:?}");
                assert!(touched.name.is_some() || touched.path.is_some(), "it would be every finding: {touched:?}");
            }
        }
    }

    #[test]
    fn a_finding_says_once_what_it_looks_like() {
        let of = |path: &str, after: Option<&str>| {
            let node = ObjectRef { kind: "Node".to_owned(), name: "moc-l1".to_owned(), ..ObjectRef::default() };
            let draft = Draft::at(node, path).values(Some("unix:///run/containerd.sock"), after);
            let rule = catalogue::find("AA202").unwrap();
            let evidence = merge(rule, Platform::AzureLocal, vec![draft]).remove(0).evidence;
            evidence.into_iter().filter(|own| own.detail.contains("EnableNodeLocalCRISocket")).count()
        };
        let socket = "metadata.annotations[kubeadm.alpha.kubernetes.io/cri-socket]";
        assert_eq!((of(socket, None), of(socket, Some("x")), of("metadata.annotations[x/y]", None)), (1, 0, 0));
    }
}
