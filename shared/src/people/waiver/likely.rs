//! Waivers that are valid but can never match a finding.

use super::terms::PSEUDO_KINDS;
use super::{Match, SUPPORT_WAIVER};
use crate::k8s::kinds::{self, Kind};
use crate::text;

impl Match {
    /// The reason why no finding can be about this object, if its kind alone decides that. Matches are exact, so a slip
    /// would go unnoticed.
    pub fn doubt(&self) -> Option<String> {
        let given = &*self.kind;
        // A missing object is a broken term and reported as such.
        if given.is_empty() || PSEUDO_KINDS.contains(&given) || given == SUPPORT_WAIVER.kind {
            return None;
        }
        let of: Vec<&Kind> = kinds::ALL.iter().copied().filter(|kind| kind.kind == given).collect();
        if of.is_empty() {
            let own = PSEUDO_KINDS.into_iter().chain([SUPPORT_WAIVER.kind]);
            let near = text::nearest(given, kinds::ALL.iter().map(|kind| kind.kind).chain(own));
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Some(format!("no rule finds anything of the kind {}{near}", text::line(given, 80)));
        }
        if of.iter().all(|kind| kind.namespaced) && self.namespace.is_empty() {
            return Some(format!("a {given} is in a namespace, and match gives none"));
        }
        if !of.iter().any(|kind| kind.namespaced) && !self.namespace.is_empty() {
            return Some(format!("a {given} is in no namespace, and match gives one"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_match_is_reported_with_a_suggestion() {
        let doubt = |kind: &str, namespace: &str| {
            let (kind, namespace, name) = (kind.to_owned(), namespace.to_owned(), "x".to_owned());
            Match { kind, namespace, name, ..Match::default() }.doubt().unwrap_or_default()
        };
        for (kind, namespace) in [
            ("Deployment", "kube-system"),
            ("Node", ""),
            ("Cluster", ""),
            ("NodePool", ""),
            ("Product", ""),
            ("SupportWaiver", ""),
            ("", ""),
        ] {
            assert_eq!(doubt(kind, namespace), "", "{kind}");
        }
        assert!(doubt("deployment", "kube-system").ends_with("did you mean Deployment?"));
        assert!(doubt("nodepool", "").ends_with("did you mean NodePool?"));
        assert!(doubt("Deployments", "x").ends_with("did you mean Deployment?"));
        assert_eq!(doubt("Whatever\n", ""), "no rule finds anything of the kind Whatever\\u{a}");
        assert!(doubt("Deployment", "").contains("match gives none"));
        assert!(doubt("Node", "kube-system").contains("match gives one"));
    }
}
