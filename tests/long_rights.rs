//! The rights of the guard's account, taken away one at a time: each is missed, and SECURITY.md says how that shows.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "helpers of tests are tests")]

use std::fs;
use std::time::{Duration, Instant};

use aksarc_tests::guard::Guard;
use aksarc_tests::replicas::{Replicas, configuration_path, secret_path};
use aksarc_tests::rights::{self, Right, RightRow};
use aksarc_tests::{ControlPlane, Http, Identity, Kubernetes, PatchKind, root, wait};
use serde_json::{Value, json};

#[test]
fn each_right_is_missed_when_it_is_taken_away() {
    let cluster = ControlPlane::start(Kubernetes::V1_33).unwrap();
    let waivers = fs::read_to_string(root().join("deploy/supportwaiver.yaml")).unwrap();
    cluster.kubectl_with(&Identity::Admin, ["apply", "-f", "-"], &waivers).unwrap().succeeded().unwrap();
    let node = json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}}});
    cluster.http(&Identity::kubelet(NODE)).unwrap().post("/api/v1/nodes", &node).unwrap().object().unwrap();
    let mut site = Site {
        replicas: Replicas::install(&cluster, &["--poll", "500ms", "--observed-interval", "1s"]).unwrap(),
        admin: cluster.http(&Identity::Admin).unwrap(),
        person: cluster.http(&Identity::Person).unwrap(),
    };
    let table = rights::table().unwrap();
    site.all_is_well_with_all_rights(&table);
    let mut taken = 0;
    for role in rights::roles().unwrap() {
        for right in rights::of(&role) {
            let row = table.iter().find(|row| row.right == right.to_string()).unwrap();
            let begun = Instant::now();
            site.misses(&role, &right, row);
            eprintln!("without {right}: {} after {:.1?}", row.series, begun.elapsed());
            taken += 1;
        }
    }
    assert_eq!(taken, table.len());
}

struct Site<'c> {
    replicas: Replicas<'c>,
    admin: Http,
    person: Http,
}

impl Site<'_> {
    /// No series of the table grows, and every task does its work.
    fn all_is_well_with_all_rights(&mut self, table: &[RightRow]) {
        let guard = self.replicas.start(&enforced()).unwrap();
        let done = [
            ("aksarc_heartbeat_attempts_total", "written"),
            ("aksarc_observed_writes_total", "written"),
            ("aksarc_cluster_waiver_reads_total", "read"),
            ("aksarc_check_reads_total", "absent"),
            ("aksarc_certificate_passes_total", "ok"),
            ("aksarc_protection_looks_total", "shut"),
        ];
        wait::until("every task to do its work", LIMIT, || {
            self.change();
            let undone = done.iter().filter(|(series, outcome)| guard.sum(series, &[outcome]).unwrap() < 1.0);
            let undone: Vec<_> = undone.collect();
            if undone.is_empty() { Ok(()) } else { Err(format!("{undone:?}\n{}", guard.log())) }
        })
        .unwrap();
        for row in table {
            assert!(count(&guard, &row.series).abs() < 0.5, "{} with all rights:\n{}", row.series, guard.log());
        }
        self.end(guard);
    }

    /// Takes the right away, starts a guard, and waits for what SECURITY.md says.
    fn misses(&mut self, role: &Value, right: &Right, row: &RightRow) {
        self.open();
        self.replace(&rights::without(role, right));
        // What the right is for has to be due.
        match (&*right.verb, &*right.resource) {
            ("create", "secrets") => {
                let gone = self.admin.delete(&secret_path()).unwrap();
                assert!(gone.is_success(), "{}", gone.body);
            }
            ("patch", "validatingwebhookconfigurations.admissionregistration.k8s.io") => self.empty_trust(),
            ("patch", "supportwaivers/status.aksarc.dev") => self.waive(),
            ("update", "configmaps") => self.forget(&right.name),
            _ => {}
        }
        let guard = self.replicas.start_unready(&[], &enforced()).unwrap();
        self.replicas.balancer.add(guard.review);
        wait::until(&format!("what is missed without {right}"), LIMIT, || {
            self.change();
            let (counted, logged) = (count(&guard, &row.series), guard.log().contains(&row.line));
            if counted >= 1.0 && logged { Ok(()) } else { Err(format!("{counted} {logged}\n{}", guard.log())) }
        })
        .unwrap();
        self.end(guard);
        self.replace(role);
    }

    /// Lets an administrator change what the policies protect. The guard closes it after a quarter of an hour.
    fn open(&self) {
        let reason = json!({"metadata": {"annotations": {"aksarc.dev/open": "a test"}}});
        for path in ["/api/v1/namespaces/aksarc-system".to_owned(), configuration_path()] {
            let answer = self.admin.patch(&path, PatchKind::Merge, &reason).unwrap();
            assert!(answer.is_success(), "{}", answer.body);
        }
    }

    fn replace(&self, role: &Value) {
        let name = role["metadata"]["name"].as_str().unwrap();
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let path = match role["kind"].as_str().unwrap() {
            "ClusterRole" => format!("{rbac}/clusterroles/{name}"),
            _ => format!("{rbac}/namespaces/aksarc-system/roles/{name}"),
        };
        // The namespace as policies see it follows a moment after it was opened.
        wait::until("the role to be replaced", LIMIT, || {
            let answer = self.admin.put(&path, role).unwrap();
            if answer.is_success() { Ok(()) } else { Err(answer.body) }
        })
        .unwrap();
    }

    /// Empties a record, which was written a moment ago and would not be written again for minutes.
    fn forget(&self, name: &str) {
        let path = format!("/api/v1/namespaces/aksarc-system/configmaps/{name}");
        self.admin.patch(&path, PatchKind::Merge, &json!({"data": null})).unwrap().object().unwrap();
    }

    fn empty_trust(&self) {
        let count =
            self.admin.get(&configuration_path()).unwrap().object().unwrap()["webhooks"].as_array().unwrap().len();
        let emptied = |place: usize| json!({"op": "add", "path": format!("/webhooks/{place}/clientConfig/caBundle"), "value": ""});
        let operations: Vec<Value> = (0..count).map(emptied).collect();
        self.admin.patch(&configuration_path(), PatchKind::Json, &json!(operations)).unwrap().object().unwrap();
    }

    /// Makes a waiver, whose status is then due.
    fn waive(&self) {
        let expires = "2027-01-01T00:00:00Z";
        let waiver = json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "SupportWaiver", "metadata": {"name": "a-test"},
            "spec": {"rules": ["AA205"], "match": {"kind": "Node", "name": "edge-7"}, "reason": "a test",
                "requestedBy": "alice", "approvedBy": "bob", "expires": expires}});
        self.admin.post("/apis/aksarc.dev/v1alpha1/supportwaivers", &waiver).unwrap().object().unwrap();
    }

    /// A change that the guard has to deny, and would note.
    fn change(&self) {
        let relabel = json!({"metadata": {"labels": {"kubernetes.io/hostname": "edge-7"}}});
        let path = format!("/api/v1/nodes/{NODE}?fieldManager=kubectl-label");
        self.person.patch(&path, PatchKind::Merge, &relabel).unwrap();
        // Where the guard could not be asked the change went through: the next one is a change again.
        let back = json!({"metadata": {"labels": {"kubernetes.io/hostname": NODE}}});
        self.admin.patch(&format!("/api/v1/nodes/{NODE}"), PatchKind::Merge, &back).unwrap();
    }

    fn end(&self, mut guard: Guard) {
        self.replicas.balancer.withdraw(guard.review);
        self.replicas.balancer.cut();
        guard.kill();
    }
}

/// The value of a series, by its name and labels.
fn count(guard: &Guard, series: &str) -> f64 {
    let (name, labels) = series.split_once('{').unwrap();
    let outcome = labels.split('"').nth(1).unwrap();
    // It does not answer yet in the first moments.
    guard.sum(name, &[outcome]).unwrap_or_default()
}

fn enforced() -> Value {
    json!({"mode": "enforce", "platform": "azure-local"})
}

const NODE: &str = "moc-l1";
/// The heartbeat is written when the API server's clock was steady for a minute.
const LIMIT: Duration = Duration::from_mins(3);
