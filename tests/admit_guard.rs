//! The guard in front of a real API server, installed by its shipped manifest: the changes that it refuses and warns
//! of, and the platform's work, which it lets pass. A denial counts only when it is the guard's: code, webhook and rule
//! are compared.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::time::Duration;

use aksarc_tests::guard::Guard;
use aksarc_tests::{Answer, ControlPlane, Http, Identity, Kubernetes, PatchKind, samples, wait};
use serde_json::{Value, json};

#[test]
fn each_guarded_change_is_denied_warned_or_recorded_by_mode() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    add_on_already_there(&cluster);
    let guard = Guard::install(&cluster, &json!({"mode": "enforce", "platform": "azure-local"})).unwrap();
    for identity in [Identity::Person, Identity::GitOps, Identity::Admin] {
        let client = cluster.http(&identity).unwrap();
        for change in changes() {
            let answer = change.rehearse(&client, tool(&identity));
            let expected = change.expected(&identity);
            match expected {
                Expected::Denied(code) => assert_denied(&answer, &guard, code, &change),
                Expected::Warned(code) => assert_warned(&answer, code, &change),
            }
        }
    }

    guard.reconfigure(&json!({"mode": "warn", "platform": "azure-local"})).unwrap();
    for identity in [Identity::Person, Identity::GitOps, Identity::Admin] {
        let client = cluster.http(&identity).unwrap();
        for change in changes() {
            assert_warned(&change.rehearse(&client, tool(&identity)), change.code, &change);
        }
    }

    guard.reconfigure(&json!({"mode": "observe", "platform": "azure-local"})).unwrap();
    for identity in [Identity::Person, Identity::GitOps, Identity::Admin] {
        let client = cluster.http(&identity).unwrap();
        for change in changes() {
            let answer = change.rehearse(&client, tool(&identity));
            assert!(answer.is_success(), "{}: {}", change.what, answer.body);
            assert_eq!(answer.warnings, Vec::<String>::new(), "{}", change.what);
        }
    }
    // Recorded: the audit log has every rule, as an annotation of our webhooks.
    for change in changes() {
        cluster
            .audit_event(change.what, |event| {
                event
                    .annotations
                    .iter()
                    .any(|(key, value)| key.contains("guard.aksarc.dev/") && value.contains(change.code))
            })
            .unwrap();
    }
}

#[test]
fn an_identity_that_could_be_the_platform_is_warned_never_denied() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    add_on_already_there(&cluster);
    let guard = Guard::install(&cluster, &json!({"mode": "enforce"})).unwrap();
    let admin = cluster.http(&Identity::Admin).unwrap();
    for manager in ["", "manager"] {
        for change in changes() {
            assert_warned(&change.rehearse(&admin, manager), change.code, &change);
        }
    }
    let told = |guard: &Guard| guard.log().matches("refuses no delete and no `kubectl scale`").count();
    assert_eq!(told(&guard), 1, "{}", guard.log());
    // The credential settles it: the second certificate of the same name is a person's here, the first is not.
    let second = credential_id(&cluster, &Identity::SecondAdmin);
    let first = credential_id(&cluster, &Identity::Admin);
    let actors = json!({"people": {"credentialIds": [second]}, "platform": {"credentialIds": [first]}});
    guard.reconfigure(&json!({"mode": "enforce", "actors": actors})).unwrap();
    assert_eq!(told(&guard), 1, "{}", guard.log());
    let person = cluster.http(&Identity::SecondAdmin).unwrap();
    for change in changes().into_iter().filter(|change| change.denies) {
        assert_denied(&change.rehearse(&person, "manager"), &guard, change.code, &change);
        let platform = change.rehearse(&admin, "kubectl-edit");
        assert!(platform.is_success() && platform.warnings.is_empty(), "{}: {}", change.what, platform.body);
    }
}

#[test]
fn the_platform_is_not_in_the_way() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let guard = Guard::install(&cluster, &json!({"mode": "enforce"})).unwrap();
    let controller = cluster.service_account("kube-system", "moc-cloud-controller-manager").unwrap();
    cluster.bind(&controller, "cluster-admin").unwrap();
    let agent = cluster.service_account("azure-arc", "azure-arc-operatorsa").unwrap();
    cluster.bind(&agent, "cluster-admin").unwrap();
    // An identity's own objects are made by an administrator, whom the guard is asked about.
    let kubelet = cluster.http(&Identity::kubelet(NODE)).unwrap();
    let nodes = cluster.http(&Identity::NodeController).unwrap();
    let reviews = guard.metric("aksarc_reviews_total").unwrap();
    for identity in [&controller, &agent] {
        let client = cluster.http(identity).unwrap();
        for change in changes().into_iter().filter(|change| !change.what.contains("add-on that is there")) {
            let answer = change.rehearse(&client, "kubectl-edit");
            assert!(answer.is_success() && answer.warnings.is_empty(), "{identity:?} {}: {}", change.what, answer.body);
        }
    }
    // The kubelet and the node controller, within their own rights.
    let label = json!({"metadata": {"labels": {"node.kubernetes.io/instance-type": "Standard_A8_v2"}}});
    for path in ["", "/status"] {
        let answer = kubelet.patch(&format!("/api/v1/nodes/{NODE}{path}"), PatchKind::Merge, &label).unwrap();
        assert!(answer.is_success() && answer.warnings.is_empty(), "{}", answer.body);
    }
    let taint = json!({"spec": {"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]}});
    let answer = nodes.patch(&format!("/api/v1/nodes/{NODE}"), PatchKind::Merge, &taint).unwrap();
    assert!(answer.is_success() && answer.warnings.is_empty(), "{}", answer.body);
    let answer = nodes.delete(&format!("/api/v1/nodes/{NODE}")).unwrap();
    assert!(answer.is_success() && answer.warnings.is_empty(), "{}", answer.body);
    // Match conditions keep these requests away from the guard altogether.
    let asked = guard.metrics().unwrap();
    assert!(
        (guard.metric("aksarc_reviews_total").unwrap() - reviews).abs() < 0.5,
        "the guard was asked about the platform: {asked}"
    );
}

#[test]
fn in_namespaces_of_users_only_pods_with_power_over_their_node_are_asked_about() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let guard = Guard::install(&cluster, &json!({"mode": "enforce", "platform": "azure-local"})).unwrap();
    let person = cluster.http(&Identity::Person).unwrap();
    let reviews = || guard.metric("aksarc_reviews_total").unwrap();
    let asked = |kind: &str, spec: &Value| {
        let before = reviews();
        let (path, object) = running(kind, spec);
        let answer = person.post(&format!("{path}?dryRun=All"), &object).unwrap();
        assert_eq!(answer.code, 201, "{kind} {spec}: {}", answer.body);
        reviews() - before > 0.5
    };
    let kinds = ["Pod", "CronJob", "DaemonSet", "Deployment", "Job", "StatefulSet"];
    let ordinary = json!({"restartPolicy": "Always", "hostNetwork": false, "volumes": [{"name": "scratch", "emptyDir": {}}],
        "initContainers": [{"name": "first", "image": IMAGE}],
        "containers": [{"name": "main", "image": IMAGE, "securityContext": {"privileged": false, "capabilities": {"drop": ["ALL"]}}}]});
    let with = |more: &Value| {
        let mut spec = ordinary.clone();
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let containers = |context: &Value| json!([{"name": "main", "image": IMAGE, "securityContext": context}]);
    // A pod that only sees the host's network or processes changes nothing there.
    for lawful in [
        json!({}),
        json!({"hostNetwork": true}),
        json!({"hostPID": true}),
        json!({"hostIPC": true}),
        json!({"containers": containers(&json!({"capabilities": {"add": ["NET_ADMIN", "NET_BIND_SERVICE"]}}))}),
    ] {
        for kind in kinds {
            assert!(!asked(kind, &with(&lawful)), "{kind} {lawful}");
        }
    }
    for power in [
        json!({"volumes": [{"name": "scratch", "hostPath": {"path": "/etc"}}]}),
        json!({"containers": containers(&json!({"privileged": true}))}),
        json!({"containers": containers(&json!({"capabilities": {"add": ["SYS_ADMIN"]}}))}),
        json!({"hostNetwork": true, "containers": containers(&json!({"capabilities": {"add": ["NET_ADMIN"]}}))}),
        json!({"hostPID": true, "containers": containers(&json!({"capabilities": {"add": ["SYS_PTRACE"]}}))}),
        json!({"initContainers": [{"name": "first", "image": IMAGE, "securityContext": {"privileged": true}}]}),
    ] {
        for kind in kinds {
            assert!(asked(kind, &with(&power)), "{kind} {power}");
        }
    }

    // So much that the API server would give up looking through it, and go on without the guard.
    let capabilities = |count: usize| (0..count).map(|n| format!("CAP_{n}")).collect::<Vec<_>>();
    let container = |name: String, add: Vec<String>| json!({"name": name, "image": IMAGE, "securityContext": {"capabilities": {"add": add}}});
    let many: Vec<Value> = (0..600).map(|n| container(format!("c{n}"), capabilities(200))).collect();
    for containers in [many, vec![container("main".to_owned(), capabilities(100_000))]] {
        assert!(asked("Deployment", &with(&json!({"containers": containers}))), "asked about no workload of this size");
    }
    let metrics = cluster.http(&Identity::Admin).unwrap().get("/metrics").unwrap().body;
    let given_up: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("apiserver_admission_match_condition_evaluation_errors_total"))
        .filter(|line| line.contains("guard.aksarc.dev"))
        .collect();
    assert_eq!(given_up, Vec::<&str>::new());

    // The whole life of a workload, with the pods that controllers make of it; no kubelet runs them here.
    let before = reviews();
    let (path, object) = running("Deployment", &ordinary);
    person.post(&path, &object).unwrap().object().unwrap();
    let web = format!("{path}/web");
    cluster.object_when(&web, LIMIT, |web| web["status"]["replicas"] == 1).unwrap();
    let scale = json!({"spec": {"replicas": 2}});
    person.patch(&format!("{web}/scale"), PatchKind::Merge, &scale).unwrap().object().unwrap();
    cluster.object_when(&web, LIMIT, |web| web["status"]["replicas"] == 2).unwrap();
    let restart = ["rollout", "restart", "deployment/web", "--namespace=default"];
    cluster.kubectl(&Identity::Person, restart).unwrap().succeeded().unwrap();
    cluster.object_when(&web, LIMIT, |web| web["status"]["observedGeneration"] == 3).unwrap();
    for arguments in [["delete", "pod"], ["delete", "deployment"]] {
        let all = arguments.into_iter().chain(["--selector=app=web", "--namespace=default", "--wait=false"]);
        cluster.kubectl(&Identity::Person, all).unwrap().succeeded().unwrap();
    }
    assert!((reviews() - before).abs() < 0.5, "asked about an ordinary workload: {}", guard.metrics().unwrap());
}

#[test]
fn lawful_changes_by_people_pass_without_a_word() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    add_on_already_there(&cluster);
    let _guard = Guard::install(&cluster, &json!({"mode": "enforce"})).unwrap();
    let quiet = |arguments: &[&str]| {
        let finished = cluster.kubectl(&Identity::Person, arguments).unwrap();
        finished.succeeded().unwrap();
        assert!(!finished.stderr.contains("Warning: AA"), "{arguments:?}: {}", finished.stderr);
    };
    quiet(&["cordon", NODE]);
    quiet(&["uncordon", NODE]);
    quiet(&["taint", "node", NODE, "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"]);
    quiet(&["label", "namespace", "kube-system", "pod-security.kubernetes.io/warn=baseline"]);
    quiet(&["rollout", "restart", "deployment/coredns", "--namespace=kube-system"]);
    quiet(&["delete", "pod", "--selector=k8s-app=kube-dns", "--namespace=kube-system", "--wait=false"]);
    quiet(&["create", "configmap", "ama-metrics-prometheus-config", "--namespace=kube-system"]);
    quiet(&["delete", "deployment", "log-agent", "--namespace=kube-system"]);
    quiet(&["create", "deployment", "web", "--image=example.com/web:1"]);
    quiet(&["label", "deployment", "coredns", "team=dns", "--namespace=kube-system"]);
}

#[test]
fn what_can_starve_or_reroute_the_systems_parts_is_warned_of() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let _guard = Guard::install(&cluster, &json!({"mode": "enforce", "platform": "azure-local"})).unwrap();
    let person = cluster.http(&Identity::Person).unwrap();
    let create = |what, code, path: &str, body: Value| Change {
        verb: Verb::Create,
        ..patch(what, code, PatchKind::Merge, path, body)
    };
    let system = "namespaces/kube-system";
    let finalizers = || json!({"metadata": {"finalizers": ["contoso.example/stay"]}});
    for change in [
        patch(
            "a level of Pod Security",
            "AA303",
            PatchKind::Merge,
            "/api/v1/namespaces/kube-system",
            json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}),
        ),
        create(
            "a quota",
            "AA303",
            &format!("/api/v1/{system}/resourcequotas"),
            json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}}),
        ),
        create(
            "a network policy",
            "AA303",
            &format!("/apis/networking.k8s.io/v1/{system}/networkpolicies"),
            json!({"metadata": {"name": "none"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}),
        ),
        patch("a finalizer on a node", "AA208", PatchKind::Merge, &format!("/api/v1/nodes/{NODE}"), finalizers()),
        patch(
            "a finalizer on a component",
            "AA301",
            PatchKind::Merge,
            &format!("/apis/apps/v1/{system}/deployments/coredns"),
            finalizers(),
        ),
    ] {
        assert_warned(&change.rehearse(&person, "kubectl-edit"), change.code, &change);
    }
}

#[test]
fn the_platform_works_under_enforce_and_everything_works_without_the_guard() {
    let cluster = ControlPlane::builder(Kubernetes::V1_33).controller_manager().kwok().start().unwrap();
    let mut guard = Guard::install(&cluster, &json!({"mode": "enforce"})).unwrap();
    for name in ["moc-l1", "moc-l2"] {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}});
        cluster.http(&Identity::kubelet(name)).unwrap().post("/api/v1/nodes", &node).unwrap().object().unwrap();
    }
    let person = cluster.http(&Identity::Person).unwrap();
    person
        .post("/api/v1/namespaces", &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}))
        .unwrap()
        .object()
        .unwrap();
    let deployments = "/apis/apps/v1/namespaces/shop/deployments";
    person.post(deployments, &workload("Deployment", "shop", "web")).unwrap().object().unwrap();
    person
        .post("/apis/apps/v1/namespaces/shop/daemonsets", &workload("DaemonSet", "shop", "agent"))
        .unwrap()
        .object()
        .unwrap();
    // The platform's own DaemonSet, rolled out in kube-system by the real controller.
    let platform = cluster.service_account("kube-system", "installer").unwrap();
    cluster.bind(&platform, "cluster-admin").unwrap();
    let system = "/apis/apps/v1/namespaces/kube-system/daemonsets";
    cluster
        .http(&platform)
        .unwrap()
        .post(system, &workload("DaemonSet", "kube-system", "kube-proxy"))
        .unwrap()
        .object()
        .unwrap();
    cluster.object_when(&format!("{deployments}/web"), LIMIT, |web| web["status"]["readyReplicas"] == 2).unwrap();
    let ready = |set: &Value| set["status"]["numberReady"] == 2;
    cluster.object_when("/apis/apps/v1/namespaces/shop/daemonsets/agent", LIMIT, ready).unwrap();
    cluster.object_when(&format!("{system}/kube-proxy"), LIMIT, ready).unwrap();

    let drain = ["drain", "moc-l1", "--ignore-daemonsets", "--force", "--timeout=60s"];
    cluster.kubectl(&Identity::Person, drain).unwrap().succeeded().unwrap();
    cluster.kubectl(&Identity::Person, ["delete", "namespace", "shop", "--timeout=60s"]).unwrap().succeeded().unwrap();

    let denials: Vec<String> =
        guard.log().lines().filter(|line| line.contains(r#"decision="deny""#)).map(str::to_owned).collect();
    assert_eq!(denials, Vec::<String>::new(), "nothing was to be denied here, least of all to the platform");
    for event in cluster.audit_events().unwrap() {
        assert!(!event.response_status.message.contains("guard.aksarc.dev"), "{event:?}");
    }

    guard.kill();
    for change in [
        Change { what: "a label without the guard", ..label_edit() },
        Change { what: "an add-on without the guard", ..add_on() },
    ] {
        let change = change.on("moc-l1");
        let answer = wait::until(change.what, LIMIT, || {
            let answer = change.make(&person, "kubectl-edit");
            if answer.is_success() { Ok(answer) } else { Err(answer.body) }
        });
        answer.unwrap();
    }
}

/// One change that a rule guards against.
#[derive(Clone, Debug)]
struct Change {
    what: &'static str,
    code: &'static str,
    /// Whether `enforce` denies it; warned otherwise.
    denies: bool,
    /// A delete has no field manager, so an administrator stays ambiguous.
    anonymous: bool,
    verb: Verb,
    path: String,
    body: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verb {
    Create,
    Delete,
    Patch(PatchKind),
}

enum Expected {
    Denied(&'static str),
    Warned(&'static str),
}

impl Change {
    /// Sends the change as a dry run: the guard is asked all the same, and the next change finds the cluster unchanged.
    fn rehearse(&self, client: &Http, manager: &str) -> Answer {
        self.send(client, manager, vec!["dryRun=All".to_owned()])
    }

    /// Sends the change.
    fn make(&self, client: &Http, manager: &str) -> Answer {
        self.send(client, manager, Vec::new())
    }

    fn send(&self, client: &Http, manager: &str, mut query: Vec<String>) -> Answer {
        if self.verb != Verb::Delete && !manager.is_empty() {
            query.push(format!("fieldManager={manager}"));
        } else if self.verb == Verb::Patch(PatchKind::Apply) {
            // An apply without a manager is no valid request.
            query.push("fieldManager=manager".to_owned());
        }
        if self.verb == Verb::Patch(PatchKind::Apply) {
            query.push("force=true".to_owned());
        }
        let separator = if self.path.contains('?') { '&' } else { '?' };
        let path = format!("{}{separator}{}", self.path, query.join("&"));
        match self.verb {
            Verb::Create => client.post(&path, &self.body),
            Verb::Delete => client.delete(&path),
            Verb::Patch(kind) => client.patch(&path, kind, &self.body),
        }
        .unwrap()
    }

    fn expected(&self, identity: &Identity) -> Expected {
        let ambiguous = *identity == Identity::Admin && self.anonymous;
        if self.denies && !ambiguous { Expected::Denied(self.code) } else { Expected::Warned(self.code) }
    }

    fn on(mut self, node: &str) -> Self {
        self.path = self.path.replace(NODE, node);
        self
    }
}

fn label_edit() -> Change {
    let labels = json!({"metadata": {"labels": {"node.kubernetes.io/instance-type": "edge-big"}}});
    patch("a system label", "AA201", PatchKind::Merge, &format!("/api/v1/nodes/{NODE}"), labels)
}

fn add_on() -> Change {
    let body = workload("Deployment", "kube-system", "scanner");
    Change {
        verb: Verb::Create,
        ..patch("an add-on", "AA303", PatchKind::Merge, "/apis/apps/v1/namespaces/kube-system/deployments", body)
    }
}

#[expect(clippy::too_many_lines, reason = "a table of changes, one beside the other")]
fn changes() -> Vec<Change> {
    let node = format!("/api/v1/nodes/{NODE}");
    let system = "/apis/apps/v1/namespaces/kube-system/deployments";
    let labels = |key: &str, value: &str| json!({"metadata": {"labels": {key: value}}});
    let delete = |what, code, path: &str| Change {
        verb: Verb::Delete,
        anonymous: true,
        ..patch(what, code, PatchKind::Merge, path, Value::Null)
    };
    let warn = |change: Change| Change { denies: false, ..change };
    let strategic = PatchKind::Strategic;
    vec![
        label_edit(),
        patch(
            "a system label through the status",
            "AA201",
            PatchKind::Merge,
            &format!("{node}/status"),
            labels("kubernetes.io/arch", "arm64"),
        ),
        patch(
            "a server-side apply",
            "AA201",
            PatchKind::Apply,
            &node,
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": {"node.kubernetes.io/instance-type": "edge-big"}}}),
        ),
        patch(
            "a JSON patch",
            "AA201",
            PatchKind::Json,
            &node,
            json!([{"op": "replace", "path": "/metadata/labels/kubernetes.io~1hostname", "value": "edge-7"}]),
        ),
        patch(
            "a system label removed",
            "AA201",
            PatchKind::Merge,
            &node,
            json!({"metadata": {"labels": {"msft.microsoft/nodepool-name": null}}}),
        ),
        warn(patch(
            "a key under a reserved prefix",
            "AA204",
            PatchKind::Merge,
            &node,
            labels("kubernetes.azure.com/team", "shop"),
        )),
        patch(
            "metadata of a system namespace",
            "AA207",
            PatchKind::Merge,
            "/api/v1/namespaces/azure-arc",
            labels("app.kubernetes.io/managed-by", "us"),
        ),
        warn(delete("a node", "AA208", &node)),
        warn(delete("all nodes of a label", "AA208", "/api/v1/nodes?labelSelector=kubernetes.io/os=linux")),
        patch(
            "coredns scaled",
            "AA301",
            PatchKind::Merge,
            &format!("{system}/coredns/scale"),
            json!({"spec": {"replicas": 0}}),
        ),
        patch(
            "coredns replaced",
            "AA301",
            strategic,
            &format!("{system}/coredns"),
            json!({"spec": {"template": {"spec": {"containers": [{"name": "coredns", "args": ["-dns.port=5353"]}]}}}}),
        ),
        warn(patch(
            "coredns customised",
            "AA301",
            strategic,
            &format!("{system}/coredns"),
            json!({"spec": {"minReadySeconds": 7}}),
        )),
        warn(patch(
            "the Corefile",
            "AA301",
            PatchKind::Merge,
            "/api/v1/namespaces/kube-system/configmaps/coredns",
            json!({"data": {"Corefile": "."}}),
        )),
        delete("coredns", "AA302", &format!("{system}/coredns")),
        add_on(),
        warn(patch(
            "an add-on that is there already",
            "AA303",
            PatchKind::Merge,
            &format!("{system}/log-agent"),
            json!({"spec": {"minReadySeconds": 7}}),
        )),
        warn(Change {
            verb: Verb::Create,
            ..patch(
                "a quota on what runs there",
                "AA303",
                PatchKind::Merge,
                "/api/v1/namespaces/kube-system/resourcequotas",
                json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "mine", "namespace": "kube-system"},
                    "spec": {"hard": {"pods": "100"}}}),
            )
        }),
        delete("a system namespace", "AA307", "/api/v1/namespaces/azure-arc"),
        Change {
            verb: Verb::Create,
            ..patch(
                "a node by hand",
                "AA401",
                strategic,
                "/api/v1/nodes",
                json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "rack-7"}}),
            )
        },
    ]
}

fn patch(what: &'static str, code: &'static str, kind: PatchKind, path: &str, body: Value) -> Change {
    Change { what, code, denies: true, anonymous: false, verb: Verb::Patch(kind), path: path.to_owned(), body }
}

/// The field manager that an identity uses.
fn tool(identity: &Identity) -> &'static str {
    match identity {
        Identity::GitOps => "argocd-controller",
        _ => "kubectl-edit",
    }
}

fn assert_denied(answer: &Answer, guard: &Guard, code: &str, change: &Change) {
    let status: Value =
        serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{}: {error}: {}", change.what, answer.body));
    assert_eq!(answer.code, 403, "{}: {status}", change.what);
    assert_eq!(status["reason"], "Forbidden", "{}: {status}", change.what);
    let message = status["message"].as_str().unwrap();
    let ours = guard
        .webhooks
        .iter()
        .any(|name| message.starts_with(&format!("admission webhook \"{name}\" denied the request: ")));
    assert!(ours, "{}: {message}", change.what);
    let causes = status["details"]["causes"].as_array().unwrap();
    assert!(causes.iter().any(|cause| cause["reason"] == code), "{}: {causes:?}", change.what);
}

fn assert_warned(answer: &Answer, code: &str, change: &Change) {
    assert!(answer.is_success(), "{}: {}", change.what, answer.body);
    assert!(answer.warnings.iter().any(|warning| warning.contains(code)), "{}: {:?}", change.what, answer.warnings);
}

fn credential_id(cluster: &ControlPlane, identity: &Identity) -> String {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let answer = cluster.http(identity).unwrap().post(path, &review).unwrap().object().unwrap();
    answer["status"]["userInfo"]["extra"]["authentication.kubernetes.io/credential-id"][0].as_str().unwrap().to_owned()
}

/// Objects that exist before the guard is installed.
fn add_on_already_there(cluster: &ControlPlane) {
    let path = "/apis/apps/v1/namespaces/kube-system/deployments?fieldManager=kubectl-create";
    let body = workload("Deployment", "kube-system", "log-agent");
    cluster.http(&Identity::Person).unwrap().post(path, &body).unwrap().object().unwrap();
}

fn workload(kind: &str, namespace: &str, name: &str) -> Value {
    let labels = json!({"app": name});
    let template = json!({"metadata": {"labels": labels}, "spec": {
        "automountServiceAccountToken": false, "containers": [{"name": "main", "image": "registry.contoso.example/main:1"}]}});
    let mut object = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": template}});
    if kind == "Deployment" {
        object["spec"]["replicas"] = json!(2);
    }
    object
}

/// An object in a user's namespace that runs pods of `spec`, and the path at which it is created.
fn running(kind: &str, spec: &Value) -> (String, Value) {
    let (labels, mut spec) = (json!({"app": "web"}), spec.clone());
    if matches!(kind, "Job" | "CronJob") {
        spec["restartPolicy"] = json!("Never");
    }
    let template = json!({"metadata": {"labels": labels}, "spec": spec});
    let (group, resource, spec) = match kind {
        "Pod" => ("api/v1", "pods", spec),
        "Job" => ("apis/batch/v1", "jobs", json!({"template": template})),
        "CronJob" => (
            "apis/batch/v1",
            "cronjobs",
            json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}),
        ),
        "DaemonSet" => {
            ("apis/apps/v1", "daemonsets", json!({"selector": {"matchLabels": labels}, "template": template}))
        }
        "StatefulSet" => (
            "apis/apps/v1",
            "statefulsets",
            json!({"serviceName": "web", "selector": {"matchLabels": labels}, "template": template}),
        ),
        _ => ("apis/apps/v1", "deployments", json!({"selector": {"matchLabels": labels}, "template": template})),
    };
    let version = group.trim_start_matches("apis/").trim_start_matches("api/");
    let object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "web", "namespace": "default", "labels": labels}, "spec": spec});
    (format!("/{group}/namespaces/default/{resource}"), object)
}

/// The image that the pods here run.
const IMAGE: &str = "registry.contoso.example/main:1";

/// A worker of the sample.
const NODE: &str = "moc-l3xk9p0bd7t";

const LIMIT: Duration = Duration::from_mins(1);
