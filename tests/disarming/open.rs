//! The ways round the guard that stay open, each used on a real API server: the change that was denied goes through, and
//! something shows it.

use std::time::Duration;

use aksarc_shared::jiff::{SignedDuration, Timestamp};
use aksarc_tests::audit::AuditEvent;
use aksarc_tests::guard::{self, Guard};
use aksarc_tests::{Answer, ControlPlane, Finished, Http, Identity, PatchKind, product, samples, wait};
use serde_json::{Value, json};

/// A cluster with a guard that enforces, and a person with every right.
pub(crate) struct Scene {
    cluster: ControlPlane,
    guard: Guard,
    person: Http,
}

impl Scene {
    pub(crate) fn set() -> Self {
        let cluster = samples::start("healthy-azure-local").unwrap();
        cluster.kubectl(&Identity::Admin, ["apply", "-f", DEFINITION]).unwrap().succeeded().unwrap();
        let account = guard::account(&cluster).unwrap();
        let kubeconfig = cluster.kubeconfig(&account).unwrap().display().to_string();
        let words = ["--kubeconfig", &kubeconfig, "--cluster-waivers-interval", "1s"].map(str::to_owned);
        let config = json!({"mode": "enforce", "platform": "azure-local"});
        let guard = Guard::install_with(&cluster, &config, words.to_vec()).unwrap();
        let person = cluster.http(&Identity::Person).unwrap();
        Scene { cluster, guard, person }
    }

    /// 11: whoever is denied makes a waiver for it, in the names of two others.
    pub(crate) fn waiver_for_oneself(&self) {
        self.assert_denied();
        let in_days = |days: i64| Timestamp::now() + SignedDuration::from_hours(24 * days);
        let spec = json!({"rules": ["AA201"], "match": {"kind": "Node", "name": NODE}, "reason": "r", "ticket": "t",
            "requestedBy": "bob", "approvedBy": "carol", "notBefore": in_days(-1), "expires": in_days(30)});
        let waiver = json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "SupportWaiver", "metadata": {"name": "own"}, "spec": spec});
        self.person.post(WAIVERS, &waiver).unwrap().object().unwrap();
        wait::until("the waiver to count", LIMIT, || {
            let answer = change(&self.person);
            if answer.is_success() { Ok(()) } else { Err(format!("{}\n{}", answer.body, self.guard.log())) }
        })
        .unwrap();
        let used =
            self.event("the change", |event| is_change(event) && event.user.username == Identity::Person.username());
        assert_eq!(used.annotations.get("cluster.guard.aksarc.dev/waivers").map(String::as_str), Some("own"));
        let made =
            self.event("the waiver", |event| event.verb == "create" && event.object_ref.resource == "supportwaivers");
        assert_eq!(made.user.username, used.user.username);
        assert!(self.person.delete(&format!("{WAIVERS}/own")).unwrap().is_success());
        wait::until("the waiver not to count", LIMIT, || {
            let answer = change(&self.person);
            if answer.code == 403 { Ok(()) } else { Err(answer.body) }
        })
        .unwrap();
    }

    /// 12: whoever may impersonate takes the name and the groups of a service account of the platform's.
    pub(crate) fn impersonation(&self) {
        self.assert_denied();
        let account = Identity::NodeController.username();
        let platform = self
            .person
            .with_headers(&[
                ("Impersonate-User", &account),
                ("Impersonate-Group", "system:serviceaccounts"),
                ("Impersonate-Group", "system:serviceaccounts:kube-system"),
            ])
            .unwrap();
        assert_passes(&change(&platform));
        let event = self.event("the change", |event| is_change(event) && event.impersonated_user.is_some());
        assert_eq!(
            (event.user.username, event.impersonated_user.unwrap().username),
            (Identity::Person.username(), account)
        );
    }

    /// 13: whoever may make tokens makes one for a service account of the platform's.
    pub(crate) fn token(&self) {
        self.assert_denied();
        // The account is there, as in every cluster.
        self.cluster.http(&Identity::NodeController).unwrap();
        let path = "/api/v1/namespaces/kube-system/serviceaccounts/node-controller/token";
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let made = self.person.post(path, &request).unwrap().object().unwrap();
        let label = format!("{SIZE}={OTHER_SIZE}");
        let authority = self.cluster.authority().display().to_string();
        let words =
            ["label", "node", NODE, &label, "--overwrite", "--dry-run=server", "--server", self.cluster.server()];
        let credentials = ["--certificate-authority", &authority, "--token", made["status"]["token"].as_str().unwrap()];
        // With a certificate as well, that would be the user.
        let nobody = ["--kubeconfig", "/dev/null"];
        let arguments = [&words[..], &credentials, &nobody].concat();
        self.cluster.kubectl(&Identity::Person, arguments).unwrap().succeeded().unwrap();
        let issued = self.event("the token", |event| {
            event.object_ref.subresource == "token" && event.user.username == Identity::Person.username()
        });
        let id = issued.annotations.get("authentication.kubernetes.io/issued-credential-id").unwrap();
        let used = self.event("the change", |event| {
            is_change(event)
                && event.user.extra.get("authentication.kubernetes.io/credential-id") == Some(&vec![id.clone()])
        });
        assert_eq!(used.user.username, Identity::NodeController.username());
    }

    /// 14: whoever may change APIServices gives a group of Kubernetes' own to another server.
    pub(crate) fn api_service(&self) {
        let path = "/apis/apiregistration.k8s.io/v1/apiservices/v1.events.k8s.io";
        let elsewhere = json!({"spec": {"service": {"namespace": "default", "name": "shadow"}}});
        let answer =
            self.person.patch(&format!("{path}?fieldManager=kubectl-edit"), PatchKind::Merge, &elsewhere).unwrap();
        assert!(answer.is_success(), "{}", answer.body);
        assert!(answer.warnings.iter().any(|warning| warning.contains("AA308")), "{:?}", answer.warnings);
        // The other server is not there; the API server no longer answers itself.
        wait::until("the other server to be asked", LIMIT, || {
            let answer = self.person.get("/apis/events.k8s.io/v1/events").unwrap();
            if answer.code == 503 { Ok(()) } else { Err(format!("{} {}", answer.code, answer.body)) }
        })
        .unwrap();
        let mut command = self.cluster.command(&Identity::Person, &product::plugin().unwrap()).unwrap();
        command.args(["support-check", "--only", "AA308", "--platform", "azure-local", "-o", "json"]);
        let finished = Finished::run(&mut command, None).unwrap();
        let report: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr));
        let is_it = |finding: &&Value| finding["object"]["name"] == "v1.events.k8s.io";
        let found = report["findings"].as_array().unwrap().iter().find(is_it);
        assert!(found.is_some_and(|found| found["path"].as_str().unwrap().starts_with("spec.service")), "{report}");
    }

    /// 15: whoever may connect through a node speaks to its kubelet, and no webhook is asked.
    pub(crate) fn node_proxy(&self) {
        // Of this machine, which the API server connects to for nobody.
        let addresses = json!([{"op": "replace", "path": "/status/addresses", "value": [{"type": "InternalIP", "address": "127.0.0.1"}]}]);
        let admin = self.cluster.http(&Identity::Admin).unwrap();
        admin.patch(&format!("/api/v1/nodes/{NODE}/status"), PatchKind::Json, &addresses).unwrap().object().unwrap();
        let asked = || self.guard.sum("aksarc_reviews_total", &[]).unwrap();
        let before = asked();
        let path = format!("/api/v1/nodes/{NODE}:1/proxy/run/kube-system/x/y");
        let answer = self.person.post(&path, &Value::Null).unwrap();
        // The API server goes as far as looking at the address, which it does after admission.
        assert!(answer.code == 400 && answer.body.contains("address not allowed"), "{} {}", answer.code, answer.body);
        let event = self.event("the connection", |event| event.object_ref.subresource == "proxy");
        assert_eq!((event.user.username, event.object_ref.name), (Identity::Person.username(), format!("{NODE}:1")));
        assert!((asked() - before).abs() < 0.1, "the guard was asked");
    }

    /// The guard refuses the change to a person without a way round it.
    fn assert_denied(&self) {
        let answer = change(&self.person);
        let by = |name: &String| {
            answer.body.contains(&format!("admission webhook \\\"{name}\\\" denied the request: AA201"))
        };
        assert!(answer.code == 403 && self.guard.webhooks.iter().any(by), "{} {}", answer.code, answer.body);
    }

    fn event(&self, what: &str, is_it: impl Fn(&AuditEvent) -> bool) -> AuditEvent {
        self.cluster.audit_event(what, is_it).unwrap()
    }
}

/// A change that AA201 denies, tried.
fn change(client: &Http) -> Answer {
    let path = format!("/api/v1/nodes/{NODE}?fieldManager=kubectl-label&dryRun=All");
    client.patch(&path, PatchKind::Merge, &json!({"metadata": {"labels": {SIZE: OTHER_SIZE}}})).unwrap()
}

/// Whether this is the change, and it went through.
fn is_change(event: &AuditEvent) -> bool {
    event.verb == "patch"
        && event.object_ref.resource == "nodes"
        && event.object_ref.subresource.is_empty()
        && event.response_status.code == 200
}

fn assert_passes(answer: &Answer) {
    assert!(answer.is_success() && answer.warnings.is_empty(), "{} {} {:?}", answer.code, answer.body, answer.warnings);
}

const DEFINITION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/supportwaiver.yaml");
const WAIVERS: &str = "/apis/aksarc.dev/v1alpha1/supportwaivers";
/// A worker of the healthy sample, and a label that the platform gives it.
const NODE: &str = "moc-l3xk9p0bd7t";
const SIZE: &str = "node.kubernetes.io/instance-type";
const OTHER_SIZE: &str = "edge-big";
const LIMIT: Duration = Duration::from_mins(1);
