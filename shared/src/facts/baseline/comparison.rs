//! The comparison of a baseline with the cluster as it is now.

use std::collections::BTreeMap;

use super::recorder::{CERTIFICATE, KeyNow, NodeNow, PlacesNow};
use super::{Baseline, KeyRecord, NamespaceRecord, NodeRecord, RecordedStep, Recorder, object_key};
use crate::data::Place;
use crate::facts::inventory::is_untold;
use crate::finding::{Code, Draft, Evidence, ObjectRef};
use crate::k8s::kinds::{self, Kind};

/// A baseline and the present state of its cluster.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'b> {
    /// The baseline.
    pub then: &'b Baseline,
    /// The present state.
    pub now: &'b Recorder,
}

/// A system key of a node whose value differs from the baseline.
#[derive(Clone, Debug)]
pub struct ChangedKey<'b> {
    /// The node.
    pub target: ObjectRef,
    /// The key.
    pub key: &'b str,
    /// The step by which the baseline knew that the system created it.
    pub step: RecordedStep,
    /// The recorded value.
    pub before: &'b str,
    /// The present value; `None` when the key is gone.
    pub after: Option<&'b str>,
    /// The evidence.
    pub evidence: Vec<Evidence>,
}

impl<'b> Comparison<'b> {
    /// The day of the baseline, as evidence.
    pub fn evidence(&self, what: &str) -> Evidence {
        Evidence {
            what: "baseline".to_owned(),
            time: self.then.captured_at.to_string(),
            detail: format!("recorded: {what}"),
            ..Evidence::default()
        }
    }

    /// Whether the baseline clears a draft: the field is as recorded, so that the person who wrote it has left or put
    /// it back as it was.
    pub fn settles(&self, code: Code, draft: &Draft) -> bool {
        // Only rules about the system's metadata rest on the writer of a field.
        if !matches!(code.category(), '2' | '3') {
            return false;
        }
        let object = &draft.object;
        let place = |prefix: &str| draft.path.strip_prefix(prefix)?.strip_suffix(']');
        let same = |then: Option<&KeyRecord>, now: Option<&KeyNow>| {
            then.zip(now).is_some_and(|(then, now)| then.value == now.value)
        };
        match (&*object.kind, place("metadata.labels["), place("metadata.annotations[")) {
            ("Node", Some(key), _) => {
                self.node(&object.name).is_some_and(|(then, now)| same(then.labels.get(key), now.keys.labels.get(key)))
            }
            ("Node", _, Some(key)) => self
                .node(&object.name)
                .is_some_and(|(then, now)| same(then.annotations.get(key), now.keys.annotations.get(key))),
            ("Namespace", Some(key), _) => {
                self.namespace(&object.name).is_some_and(|(then, now)| same(then.labels.get(key), now.labels.get(key)))
            }
            ("Namespace", _, Some(key)) => self
                .namespace(&object.name)
                .is_some_and(|(then, now)| same(then.annotations.get(key), now.annotations.get(key))),
            ("Node" | "Namespace", None, None) => false,
            _ => {
                let Some(kind) = kinds::of(&object.api_version, &object.kind) else { return false };
                let key = object_key(kind, &object.namespace, &object.name);
                let (Some(then), Some(now)) = (self.then.objects.get(&key), self.now.objects.get(&key)) else {
                    return false;
                };
                // Certificates are not recorded, see `forget_certificates`.
                if draft.path.ends_with(CERTIFICATE) {
                    return false;
                }
                let root = draft.path.split(['.', '[']).next().unwrap_or_default();
                // The presence of the object was recorded, unless the object was recreated.
                let is_there = draft.path == "metadata.namespace" && then.uid == now.target.uid;
                is_there || then.content.get(root).is_some_and(|hash| now.content.get(root) == Some(hash))
            }
        }
    }

    /// Whether the baseline contains a key of a node, and the node has not been recreated since.
    pub fn has_key(&self, node: &str, place: Place, key: &str) -> bool {
        self.node(node).is_some_and(|(then, _)| match place {
            Place::Annotation => then.annotations.contains_key(key),
            Place::Label => then.labels.contains_key(key),
            Place::Taint => false,
        })
    }

    /// The system's keys at `place` whose value on a node differs from the baseline, without values that the system
    /// itself has written since.
    ///
    /// A key that only the baseline knows is reported as changed if a person wrote it. Its absence is not reported,
    /// since whoever added it may have removed it.
    pub fn changed_keys(&self, place: Place) -> Vec<ChangedKey<'b>> {
        let mut changed = Vec::new();
        for (name, then) in &self.then.nodes {
            let Some(now) = self.now.nodes.get(name).filter(|now| now.target.uid == then.uid) else { continue };
            let (recorded, current) = match place {
                Place::Annotation => (&then.annotations, &now.keys.annotations),
                Place::Label => (&then.labels, &now.keys.labels),
                Place::Taint => continue,
            };
            for (key, then) in recorded {
                let current = current.get(key);
                if current.is_some_and(|now| now.value == then.value || now.system) {
                    continue;
                }
                let person = current.and_then(|now| now.person.clone());
                if then.step == RecordedStep::Recorded && person.is_none() {
                    continue;
                }
                let mut evidence = vec![self.evidence(&then.value)];
                evidence.extend(person);
                let after = current.map(|now| &*now.value);
                let (target, step) = (now.target.clone(), then.step);
                changed.push(ChangedKey { target, key, step, before: &then.value, after, evidence });
            }
        }
        changed
    }

    /// The recorded objects whose content differs although no system manager has written it since: object, field and
    /// the evidence of the writer.
    pub fn changed_objects(&self) -> Vec<(&'b ObjectRef, &'b str, Option<&'b Evidence>)> {
        let mut changed = Vec::new();
        for (key, then) in &self.then.objects {
            let Some(now) = self.now.objects.get(key).filter(|now| !now.system) else { continue };
            let fields = then.content.iter().filter(|(field, hash)| now.content.get(*field) != Some(hash));
            changed.extend(fields.map(|(field, _)| (&now.target, &**field, now.person.as_ref())));
        }
        changed
    }

    /// The recorded objects of a kind that are gone, as namespace and name. The namespace is empty for cluster-scoped
    /// objects.
    pub fn missing(&self, kind: &Kind) -> Vec<(&'b str, &'b str)> {
        let gone = self.then.objects.keys().filter(|key| !self.now.objects.contains_key(*key));
        let parts = gone.filter_map(|key| {
            let (namespace, rest) = key.split_once('/')?;
            let (qualified, name) = rest.split_once('/')?;
            (qualified == kind.qualified()).then_some((namespace, name))
        });
        parts.collect()
    }

    /// The nodes that are still the same, each with its pool and its capacity then and now.
    pub fn same_nodes(&self) -> impl Iterator<Item = (&'b ObjectRef, &'b str, &'b [String; 3], &'b [String; 3])> {
        let (then, now) = (&self.then.nodes, &self.now.nodes);
        then.iter().filter_map(|(name, then)| {
            let now = now.get(name).filter(|now| now.target.uid == then.uid)?;
            Some((&now.target, &*now.pool, &then.capacity, &now.capacity))
        })
    }

    /// The number of nodes per pool, then and now. A node whose pool was unknown then counts for its present pool.
    /// Where such a node is gone, a pool that has more nodes now may have had as many then, and is left out.
    pub fn pools(&self) -> BTreeMap<&'b str, (usize, usize)> {
        let mut pools: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        let mut lost = false;
        for (name, node) in &self.then.nodes {
            let is_told = !is_untold(&node.pool);
            let pool = if is_told { Some(&*node.pool) } else { self.node(name).map(|(_, now)| &*now.pool) };
            match pool {
                Some(pool) => pools.entry(pool).or_default().0 += 1,
                None => lost = true,
            }
        }
        for node in self.now.nodes.values() {
            pools.entry(&node.pool).or_default().1 += 1;
        }
        pools.retain(|_, (then, now)| !lost || now <= then);
        pools
    }

    fn node(&self, name: &str) -> Option<(&'b NodeRecord, &'b NodeNow)> {
        let (then, now) = (self.then.nodes.get(name)?, self.now.nodes.get(name)?);
        (then.uid == now.target.uid).then_some((then, now))
    }

    fn namespace(&self, name: &str) -> Option<(&'b NamespaceRecord, &'b PlacesNow)> {
        Some((self.then.namespaces.get(name)?, self.now.namespaces.get(name)?))
    }
}

#[cfg(test)]
mod tests {
    use crate::facts::baseline::samples::{KUBELET, SPACE, check, clean, recorded, touched};
    use crate::facts::baseline::{Baseline, KeyRecord, RecordedStep, object_key};
    use crate::finding::Consequence;
    use crate::k8s::kinds;
    use crate::verdict::report::{Report, ToolVersion};

    const WEBHOOKS: &str = r#"{"apiVersion":"admissionregistration.k8s.io/v1","kind":"MutatingWebhookConfiguration",
        "metadata":{"name":"gatekeeper-mutating-webhook-configuration","uid":"w2"},"webhooks":[WEBHOOKS]}"#;

    fn report(node: String, baseline: Option<Baseline>) -> Report {
        check(&[node, SPACE.replace("UID", "k1")], baseline).finish(ToolVersion::default(), "", "").unwrap()
    }

    fn of<'r>(report: &'r Report, code: &str) -> Vec<&'r str> {
        report.findings.iter().filter(|finding| finding.code == code).map(|finding| &*finding.path).collect()
    }

    const TYPE: &str = "metadata.labels[node.kubernetes.io/instance-type]";

    #[test]
    fn a_value_put_back_is_no_finding_once_a_baseline_tells_what_it_was() {
        // A node alone in its pool does not show that the system put the label there, so the label passes for an
        // addition.
        assert_eq!(of(&report(touched("A4"), None), "AA204"), [TYPE]);
        for code in ["AA201", "AA204"] {
            assert!(of(&report(touched("A4"), Some(recorded())), code).is_empty(), "{code}");
        }
        let still = report(touched("A8"), Some(recorded()));
        assert_eq!(of(&still, "AA201"), [TYPE]);
        assert!(of(&still, "AA204").is_empty());
        let finding = still.findings.iter().find(|finding| finding.code == "AA201").unwrap();
        assert_eq!((finding.before.as_deref(), finding.after.as_deref()), (Some("A4"), Some("A8")));
        assert!(
            finding.fix.iter().any(|fix| fix.line().contains("node.kubernetes.io/instance-type=A4 --overwrite")),
            "{:?}",
            finding.fix
        );
    }

    #[test]
    fn keys_that_the_tables_now_give_to_users_cause_no_finding_against_an_older_baseline() {
        const KEY: &str = "cluster-autoscaler.kubernetes.io/scale-down-disabled";
        let found = |step: RecordedStep| {
            let mut then = recorded();
            let record = KeyRecord { value: "true".to_owned(), step };
            then.nodes.get_mut("moc-l1").unwrap().annotations.insert(KEY.to_owned(), record);
            of(&report(clean("A4"), Some(then)), "AA202").len()
        };
        assert_eq!([RecordedStep::Table, RecordedStep::Recorded, RecordedStep::ManagedFields].map(found), [0, 0, 1]);
    }

    #[test]
    fn a_pool_that_nothing_told_then_is_no_other_pool_now() {
        let found = |then: &Baseline| of(&report(clean("A4"), Some(then.clone())), "AA408").len();
        let mut then = recorded();
        assert_eq!(found(&then), 0);
        then.nodes.get_mut("moc-l1").unwrap().pool = "(no pool)".to_owned();
        assert_eq!(found(&then), 0, "it is in the pool that it is in now");
        // The node that is gone may have belonged to this pool.
        let mut node = then.nodes.remove("moc-l1").unwrap();
        assert_eq!(found(&then), 1, "the pool had none");
        node.uid = "another".to_owned();
        then.nodes.insert("moc-l0".to_owned(), node);
        assert_eq!(found(&then), 0);
    }

    #[test]
    fn a_label_that_is_gone_shows_against_a_baseline_alone() {
        let gone = clean("A4").replace(r#","node.kubernetes.io/instance-type":"A4""#, "").replace(KUBELET, "");
        assert!(of(&report(gone.clone(), None), "AA201").is_empty());
        assert_eq!(of(&report(gone, Some(recorded())), "AA201"), [TYPE]);
    }

    #[test]
    fn a_change_that_the_system_itself_made_since_is_no_finding() {
        assert!(of(&report(clean("A8"), Some(recorded())), "AA201").is_empty());
    }

    #[test]
    fn a_node_made_anew_is_compared_with_nothing() {
        let anew = touched("A8").replace(r#""uid":"n1""#, r#""uid":"n2""#);
        let found = report(anew, Some(recorded()));
        assert!(
            found.findings.iter().all(|finding| finding.evidence.iter().all(|evidence| evidence.what != "baseline"))
        );
    }

    #[test]
    fn a_node_that_has_grown_shows_against_a_baseline() {
        let grown = clean("A4").replace(r#""cpu":"4""#, r#""cpu":"8""#);
        assert!(of(&report(grown.clone(), None), "AA412").is_empty());
        assert_eq!(of(&report(grown, Some(recorded())), "AA412"), ["status.capacity[cpu][moc-l1]"]);
    }

    #[test]
    fn a_baseline_of_another_cluster_is_refused() {
        let other = check(&[clean("A4"), SPACE.replace("UID", "k2")], Some(recorded()));
        let said = other.finish(ToolVersion::default(), "", "").unwrap_err().to_string();
        assert!(said.contains("from another cluster") && said.contains("another uid"), "{said}");
    }

    /// A cluster with Azure Policy, and a webhook configuration that belongs to it.
    fn policy(webhooks: Option<&str>) -> Vec<String> {
        let deployment = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"azure-policy","namespace":"kube-system","uid":"d1"}}"#;
        // Objects that are reported as missing even without a baseline are not the subject here.
        let other = r#"{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"gatekeeper-validating-webhook-configuration","uid":"w1"}}"#;
        let mut objects = vec![SPACE.replace("UID", "k1"), deployment.to_owned(), other.to_owned()];
        objects.extend(webhooks.map(|webhooks| WEBHOOKS.replace("WEBHOOKS", webhooks)));
        objects
    }

    fn of_policy(then: Option<&str>, now: Option<&str>) -> Vec<(String, Consequence)> {
        let baseline = then.map(|then| check(&policy(Some(then)), None).recorded().baseline());
        let report = check(&policy(now), baseline).finish(ToolVersion::default(), "", "").unwrap();
        let own = report.findings.into_iter().filter(|finding| finding.code == "AA309");
        own.map(|finding| (finding.path.to_string(), finding.consequence)).collect()
    }

    #[test]
    fn a_webhook_configuration_that_is_gone_or_differs_shows_against_a_baseline_without_accusing_anybody() {
        let recorded = r#"{"name":"mutation.gatekeeper.sh","failurePolicy":"Fail","clientConfig":{"caBundle":"AA=="}}"#;
        let ignoring = recorded.replace("Fail", "Ignore");
        let renewed = recorded.replace("AA==", "BB==");
        let (then, info) = (Some(recorded), Consequence::Info);
        assert_eq!(of_policy(None, None), []);
        assert_eq!(of_policy(then, None), [("metadata.name".to_owned(), info)]);
        assert_eq!(of_policy(then, Some(&ignoring)), [("webhooks".to_owned(), info)]);
        assert_eq!(of_policy(then, then), []);
        assert_eq!(of_policy(then, Some(&renewed)), []);
    }

    #[test]
    fn a_webhook_configuration_of_the_users_own_is_the_users_to_remove() {
        let own = |objects: Vec<String>| -> Vec<String> {
            objects.into_iter().map(|text| text.replace("gatekeeper-", "press-line-")).collect()
        };
        let baseline = check(&own(policy(Some(""))), None).recorded().baseline();
        let key = object_key(&kinds::MUTATING_WEBHOOKS, "", "press-line-mutating-webhook-configuration");
        assert_eq!(baseline.objects[&key].step, RecordedStep::Recorded);
        let report = check(&policy(None), Some(baseline)).finish(ToolVersion::default(), "", "").unwrap();
        assert!(of(&report, "AA309").is_empty());
    }

    #[test]
    fn a_key_that_the_system_no_longer_sets_at_a_nodes_version_may_go() {
        const SOCKET: &str = "kubeadm.alpha.kubernetes.io/cri-socket";
        let with = |kubelet: &str, annotation: &str| {
            let node = clean("A4").replace(r#""labels":"#, &format!(r#""annotations":{{{annotation}}},"labels":"#));
            node.replace(r#""nodeInfo":{"#, &format!(r#""nodeInfo":{{"kubeletVersion":"{kubelet}","#))
        };
        let socket = format!(r#""{SOCKET}":"unix:///run/containerd/containerd.sock""#);
        let then = check(&[with("v1.33.5", &socket), SPACE.replace("UID", "k1")], None).recorded().baseline();
        assert!(then.nodes["moc-l1"].annotations.contains_key(SOCKET));
        let at = |kubelet: &str| {
            let report = report(with(kubelet, ""), Some(then.clone()));
            of(&report, "AA202").iter().map(|path| (*path).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(at("v1.33.5"), [format!("metadata.annotations[{SOCKET}]")]);
        let report = report(with("v1.33.5", ""), Some(then.clone()));
        let finding = report.findings.iter().find(|finding| finding.code == "AA202").unwrap();
        assert!(finding.evidence.iter().any(|evidence| evidence.detail.contains("EnableNodeLocalCRISocket")));
        assert!(at("v1.34.2").is_empty());
    }
}
