//! The dry run against a small API server on loopback: the requests that it sends, and the result for each kind of
//! answer.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail the test too")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::finding::Consequence;
use aksarc_shared::k8s::user::User;
use aksarc_shared::verdict::guard::{Guard, Preset, Settings};
use kubectl_aksarc::api::{Connection, SendLimits, Sender};
use kubectl_aksarc::cli::exit::Failure;
use kubectl_aksarc::dry_run::edit::{self, Existing, MetadataPlace};
use kubectl_aksarc::dry_run::gate;
use kubectl_aksarc::dry_run::judge::Support;
use kubectl_aksarc::dry_run::plan::{GuardAnswer, GuardSource, Plan, PlannedEffect};
use kubectl_aksarc::dry_run::refusal::Refuser;
use kubectl_aksarc::dry_run::request::{FieldValidation, Scheduling, Verb};
use kubectl_aksarc::dry_run::run::{self, KubeContext, NamespaceChoice, Rehearsal, Targets};
use kubectl_aksarc::dry_run::session::Session;
use kubectl_aksarc::dry_run::target::Choice;
use kubectl_aksarc::dry_run::write::Method;
use kubectl_aksarc::input::manifests::Manifest;
use kubectl_aksarc::screen::progress::Progress;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
struct Request {
    method: String,
    target: String,
    content_type: String,
    body: Value,
}

impl Request {
    fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path() == path
    }
}

struct Reply {
    status: u16,
    headers: String,
    body: String,
    delay: Duration,
}

fn ok(body: &Value) -> Reply {
    Reply { status: 200, headers: String::new(), body: body.to_string(), delay: Duration::ZERO }
}

fn fails(code: u16, reason: &str, message: &str) -> Reply {
    let body = json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message});
    Reply { status: code, ..ok(&body) }
}

struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers with the reply of `handler`, or else as a cluster with a node, a Deployment and a schema.
    fn start(handler: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, handler) = (Arc::clone(&seen), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, handler) = (Arc::clone(&log), Arc::clone(&handler));
                std::thread::spawn(move || {
                    let _gone = serve(stream, &log, &*handler);
                });
            }
        });
        Server { url, seen }
    }

    fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests that are no reads.
    fn writes(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.method != "GET").collect()
    }

    async fn run(&self, rehearsal: &Rehearsal) -> Result<Plan, Failure> {
        let mut config = kube::Config::new(self.url.parse().unwrap());
        config.default_retry = false;
        config.disable_compression = true;
        let connection = Connection::open(config, "test".to_owned(), "from-kubeconfig".to_owned()).unwrap();
        let limits = SendLimits::per_request(Duration::from_millis(1500));
        let session = Session::new(Sender::new(connection, limits, Progress::silent()));
        let user = User { name: "from-kubeconfig".to_owned(), ..User::default() };
        let context = KubeContext { user, ..KubeContext::default() };
        let guard = Guard::new(embedded(), rehearsal.settings.clone()).unwrap();
        let result = run::run(&session, &guard, rehearsal, &context).await;
        for request in self.writes() {
            assert!(request.target.contains("dryRun=All"), "a write without dry run: {request:?}");
            assert!(request.method != "DELETE" || request.body["dryRun"] == json!(["All"]), "{request:?}");
        }
        result
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    handler: &dyn Fn(&Request) -> Option<Reply>,
) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0; 1]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body)?;
    let mut first = head.lines().next().unwrap().split(' ');
    let request = Request {
        method: first.next().unwrap().to_owned(),
        target: first.next().unwrap().to_owned(),
        content_type: header("content-type").unwrap_or_default(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    log.lock().unwrap().push(request.clone());
    let reply = handler(&request).unwrap_or_else(|| cluster(&request));
    std::thread::sleep(reply.delay);
    let Reply { status, headers, body, .. } = reply;
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

fn node() -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "moc-l1", "uid": "u1", "resourceVersion": "7", "labels": {
        "kubernetes.io/hostname": "moc-l1", "node.kubernetes.io/instance-type": "Standard_A4_v2",
    }}, "spec": {"providerID": "moc://moc-l1"}})
}

fn coredns() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "coredns", "namespace": "kube-system", "uid": "u2"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "coredns", "image": "1"}]}}}})
}

fn scale(replicas: u32) -> Value {
    json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "coredns", "namespace": "kube-system"}, "spec": {"replicas": replicas}})
}

/// An APIService for every group that is served here: those of `handed_over` name a Service, the others do not.
fn api_services(handed_over: Option<&str>) -> Value {
    let groups = [
        ("", "v1"),
        ("apps", "v1"),
        ("example.com", "v1"),
        ("authentication.k8s.io", "v1"),
        ("authentication.k8s.io", "v1beta1"),
    ];
    let item = |(group, version): (&str, &str)| {
        let service = (handed_over == Some(group)).then(|| json!({"namespace": "shop", "name": "api"}));
        json!({"spec": {"group": group, "version": version, "service": service}})
    };
    json!({"kind": "APIServiceList", "items": groups.map(item)})
}

const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";
const NODE: &str = "/api/v1/nodes/moc-l1";
const COREDNS: &str = "/apis/apps/v1/namespaces/kube-system/deployments/coredns";

fn cluster(request: &Request) -> Reply {
    let resource = |plural: &str, kind: &str, short: &str, scope: &str| json!({"resource": plural, "singularResource": kind.to_lowercase(), "responseKind": {"kind": kind}, "scope": scope, "shortNames": [short]});
    let group = |name: &str, version: &str, resources: Value| json!({"metadata": {"name": name}, "versions": [{"version": version, "resources": resources}]});
    let discovery = |items: Value| ok(&json!({"kind": "APIGroupDiscoveryList", "items": items}));
    let merged = |mut object: Value| {
        for place in ["metadata", "spec"] {
            if let (Some(own), Some(new)) = (object[place].as_object_mut(), request.body[place].as_object()) {
                for (key, value) in new {
                    match (own.get_mut(key).and_then(Value::as_object_mut), value.as_object()) {
                        (Some(own), Some(new)) => own.extend(new.clone()),
                        _ => {
                            own.insert(key.clone(), value.clone());
                        }
                    }
                }
            }
        }
        ok(&object)
    };
    match (request.method.as_str(), request.path()) {
        ("GET", "/api") => discovery(json!([group(
            "",
            "v1",
            json!([
                resource("nodes", "Node", "no", "Cluster"),
                resource("configmaps", "ConfigMap", "cm", "Namespaced"),
            ])
        )])),
        ("GET", "/apis") => discovery(json!([
            group("apps", "v1", json!([resource("deployments", "Deployment", "deploy", "Namespaced")])),
            group("example.com", "v1", json!([resource("widgets", "Widget", "wd", "Namespaced")])),
        ])),
        ("GET", "/openapi/v3") => {
            ok(&json!({"paths": {"apis/apps/v1": {"serverRelativeURL": "/openapi/v3/apis/apps/v1?hash=1"}}}))
        }
        ("GET", "/openapi/v3/apis/apps/v1") => ok(&openapi()),
        ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews") => {
            ok(&json!({"status": {"userInfo": {"username": "alice", "groups": ["ops", "system:authenticated"]}}}))
        }
        ("GET", NODE) => ok(&node()),
        ("PATCH", NODE) => merged(node()),
        ("GET", COREDNS) => ok(&coredns()),
        ("PATCH", COREDNS) => merged(coredns()),
        ("GET", path) if path == format!("{COREDNS}/scale") => ok(&scale(2)),
        ("PATCH", path) if path == format!("{COREDNS}/scale") => merged(scale(2)),
        ("GET", "/api/v1/nodes") => ok(
            &json!({"kind": "NodeList", "metadata": {}, "items": [{"metadata": node()["metadata"], "spec": node()["spec"]}]}),
        ),
        ("GET", API_SERVICES) => ok(&api_services(None)),
        ("DELETE", _) => ok(&json!({"kind": "Status", "status": "Success"})),
        ("POST", _) => Reply { status: 201, ..ok(&request.body) },
        _ => fails(404, "NotFound", "not found"),
    }
}

fn openapi() -> Value {
    let gvk = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
    json!({
        "paths": {"/x": {"patch": {"x-kubernetes-group-version-kind": gvk, "requestBody": {"content": {"application/strategic-merge-patch+json": {}}}}}},
        "components": {"schemas": {
            "D": {"x-kubernetes-group-version-kind": [gvk], "properties": {"spec": {"properties": {"template": {"properties": {"spec": {"properties": {
                "containers": {"items": {"type": "object"}, "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name"},
            }}}}}}}},
        }},
    })
}

fn rehearsal(verb: Verb, words: &[&str]) -> Rehearsal {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Rehearsal {
        verb,
        targets: Targets::Arguments { words, choice: Choice::default() },
        namespace: NamespaceChoice::Given("kube-system".to_owned()),
        ignore_not_found: false,
        settings: Settings { mode: Preset::Enforce, platform: Some(Platform::AzureLocal), ..Settings::default() },
        source: GuardSource::Assumed,
        now: "2026-11-20T00:00:00Z".parse().unwrap(),
        fail_on: Consequence::Voids,
        fresh: gate::FRESH,
    }
}

fn label(edit: &str, existing: Existing) -> Verb {
    Verb::Metadata {
        place: MetadataPlace::Labels,
        pairs: edit::pairs(MetadataPlace::Labels, &[edit.to_owned()]).unwrap(),
        existing,
        resource_version: String::new(),
        manager: "kubectl-label".to_owned(),
    }
}

fn system_label() -> Rehearsal {
    rehearsal(label("node.kubernetes.io/instance-type=edge-big", Existing::Replace), &["node", "moc-l1"])
}

fn own_label() -> Rehearsal {
    rehearsal(label("contoso.com/size=edge", Existing::Keep), &["node/moc-l1"])
}

fn delete(words: &[&str]) -> Rehearsal {
    rehearsal(Verb::Delete { propagation: "Background".to_owned(), grace_period: None }, words)
}

fn patch_coredns() -> Rehearsal {
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "coredns", "image": "2"}]}}}});
    let verb = Verb::Patch {
        method: Method::PatchStrategic,
        patch,
        subresource: String::new(),
        manager: "kubectl-patch".to_owned(),
    };
    rehearsal(verb, &["deploy/coredns"])
}

#[tokio::test]
async fn a_label_is_rehearsed_judged_and_shown() {
    let server = Server::start(|_| None);
    let report = server.run(&system_label()).await.unwrap();
    let [review, write] = &server.writes()[..] else { panic!("{:?}", server.writes()) };
    assert_eq!(review.path(), "/apis/authentication.k8s.io/v1/selfsubjectreviews");
    assert_eq!(write.target, "/api/v1/nodes/moc-l1?fieldManager=kubectl-label&dryRun=All");
    assert_eq!((write.method.as_str(), write.content_type.as_str()), ("PATCH", "application/merge-patch+json"));
    assert_eq!(write.body, json!({"metadata": {"labels": {"node.kubernetes.io/instance-type": "edge-big"}}}));
    assert_eq!((report.exit_code, report.requests), (3, 1));
    assert_eq!((report.user.name.as_str(), report.user.confirmed), ("alice", true));
    assert_eq!((report.guard.decision, report.guard.source), (GuardAnswer::Deny, GuardSource::Assumed));
    assert_eq!((report.support.before, report.support.after), (Support::Within, Support::Outside));
    let [change] = &report.changes[..] else { panic!("{report:?}") };
    assert_eq!(change.fields[0].path, "metadata.labels[node.kubernetes.io/instance-type]");
    assert_eq!((change.findings[0].code.as_str(), &*change.findings[0].path), ("AA201", &*change.fields[0].path));
    let own = server.run(&own_label()).await.unwrap();
    assert_eq!((own.exit_code, own.counts.change), (0, 1));
}

#[tokio::test]
async fn our_guards_denial_is_told_with_the_same_findings() {
    let server = Server::start(|request| {
        request
            .is("PATCH", NODE)
            .then(|| fails(403, "Forbidden", "admission webhook \"nodes.guard.aksarc.dev\" denied the request: AA201"))
    });
    let report = server.run(&system_label()).await.unwrap();
    let accepted = Server::start(|_| None).run(&system_label()).await.unwrap();
    assert_eq!(report.changes[0].findings, accepted.changes[0].findings);
    assert_eq!(report.changes[0].refusal.as_ref().unwrap().who, Refuser::Guard("nodes.guard.aksarc.dev".to_owned()));
    assert_eq!((report.exit_code, report.guard.source), (3, GuardSource::Observed));
}

#[tokio::test]
async fn a_denied_strategic_patch_is_computed_with_the_servers_schema() {
    let server = Server::start(|request| {
        let deny = "admission webhook \"workloads.guard.aksarc.dev\" denied the request: AA301";
        request.is("PATCH", COREDNS).then(|| fails(403, "Forbidden", deny))
    });
    let report = server.run(&patch_coredns()).await.unwrap();
    let [finding] = &report.changes[0].findings[..] else { panic!("{report:?}") };
    assert_eq!((finding.code.as_str(), &*finding.path), ("AA301", "spec.template.spec.containers[name=coredns].image"));
    assert!(server.requests().iter().any(|request| request.target == "/openapi/v3/apis/apps/v1?hash=1"));
    // Without a schema, the causes of the denial supply the findings that were not computed.
    let blind = Server::start(|request| match (request.method.as_str(), request.path()) {
        ("GET", "/openapi/v3") => Some(fails(404, "NotFound", "no")),
        ("PATCH", COREDNS) => {
            let body = json!({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "admission webhook \"w.guard.aksarc.dev\" denied the request: AA308",
                "details": {"causes": [{"reason": "AA307", "message": "another", "field": "metadata"}]}});
            Some(Reply { status: 403, ..ok(&body) })
        }
        _ => None,
    });
    let report = blind.run(&patch_coredns()).await.unwrap();
    assert!(report.changes[0].findings.iter().any(|finding| finding.code == "AA307"), "{report:?}");
    assert!(report.changes[0].notes.iter().any(|note| note.contains("schema")), "{report:?}");
}

#[tokio::test]
async fn refusals_by_others_are_exit_6_and_name_who_refused() {
    let cases = [
        (
            fails as fn(u16, &str, &str) -> Reply,
            403,
            "Forbidden",
            "admission webhook \"w.example.com\" denied the request: no",
            Refuser::Webhook("w.example.com".to_owned()),
        ),
        (
            fails,
            400,
            "BadRequest",
            "admission webhook \"old.example.com\" does not support dry run",
            Refuser::NoDryRun("old.example.com".to_owned()),
        ),
        (
            fails,
            403,
            "Forbidden",
            "nodes \"moc-l1\" is forbidden: User \"alice\" cannot patch resource \"nodes\" in API group \"\" at the cluster scope",
            Refuser::Rbac,
        ),
        (fails, 403, "Forbidden", "nodes \"moc-l1\" is forbidden: exceeded quota: q", Refuser::Quota),
        (
            fails,
            422,
            "Invalid",
            "Node \"moc-l1\" is invalid: spec.providerID: Forbidden: field is immutable",
            Refuser::Validation,
        ),
        (fails, 409, "Conflict", "the object has been modified", Refuser::Conflict),
        (
            fails,
            500,
            "InternalError",
            "Internal error occurred: failed calling webhook \"w.example.com\": Post \"https://x\": EOF",
            Refuser::WebhookDown("w.example.com".to_owned()),
        ),
    ];
    for (reply, code, reason, message, who) in cases {
        let server = Server::start(move |request| request.is("PATCH", NODE).then(|| reply(code, reason, message)));
        let report = server.run(&own_label()).await.unwrap();
        assert_eq!(report.changes[0].refusal.as_ref().unwrap().who, who);
        assert_eq!(report.exit_code, 6, "{message}");
        let heavier = server.run(&system_label()).await.unwrap();
        assert_eq!(heavier.exit_code, 3, "what voids support outweighs: {message}");
    }
}

#[tokio::test]
async fn a_missing_right_is_said_with_verb_resource_and_namespace() {
    let server = Server::start(|request| {
        let message = "deployments.apps \"coredns\" is forbidden: User \"alice\" cannot patch resource \"deployments\" in API group \"apps\" in the namespace \"kube-system\"";
        request.is("PATCH", COREDNS).then(|| fails(403, "Forbidden", message))
    });
    let report = server.run(&patch_coredns()).await.unwrap();
    let note = "a rehearsal by the server needs the right to patch deployments.apps in namespace kube-system; a local mode does not exist yet";
    assert!(report.changes[0].notes.iter().any(|own| own == note), "{:?}", report.changes[0].notes);
}

#[tokio::test]
async fn a_delete_without_the_right_to_read_is_sent_and_called_inconclusive() {
    let server = Server::start(|request| {
        let message = "nodes \"moc-l1\" is forbidden: User \"alice\" cannot get resource \"nodes\" in API group \"\" at the cluster scope";
        request.is("GET", NODE).then(|| fails(403, "Forbidden", message))
    });
    let report = server.run(&delete(&["node", "moc-l1"])).await.unwrap();
    assert_eq!(report.exit_code, 5);
    assert_eq!(report.changes[0].not_judged, "needs get nodes, which is forbidden");
    assert_eq!(report.guard.decision, GuardAnswer::Unknown);
    // A label cannot even be tried.
    let report = server.run(&own_label()).await.unwrap();
    assert_eq!((report.exit_code, report.requests), (6, 0));
}

#[tokio::test]
async fn deletes_are_judged_by_the_existing_object() {
    let server = Server::start(|_| None);
    let report = server.run(&delete(&["deploy", "coredns"])).await.unwrap();
    assert_eq!((report.exit_code, report.changes[0].findings[0].code.as_str()), (3, "AA302"));
    assert_eq!((report.counts.delete, report.changes[0].operation), (1, PlannedEffect::Delete));
    let write = server.writes().pop().unwrap();
    assert_eq!(
        write.body,
        json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"], "propagationPolicy": "Background"})
    );
}

#[tokio::test]
async fn a_missing_object_is_exit_6_unless_it_may_be_missing() {
    let server = Server::start(|_| None);
    let report = server.run(&delete(&["node", "gone"])).await.unwrap();
    assert_eq!((report.exit_code, report.requests), (6, 0));
    assert_eq!(report.changes[0].refusal.as_ref().unwrap().who, Refuser::NotFound);
    let lenient = Rehearsal { ignore_not_found: true, ..delete(&["node", "gone"]) };
    let report = server.run(&lenient).await.unwrap();
    assert_eq!((report.exit_code, report.changes.len()), (0, 0));
}

#[tokio::test]
async fn changes_that_kubectl_itself_refuses_are_never_sent() {
    let server = Server::start(|_| None);
    let report = server
        .run(&rehearsal(label("node.kubernetes.io/instance-type=x", Existing::Keep), &["node", "moc-l1"]))
        .await
        .unwrap();
    assert_eq!((report.exit_code, report.requests), (6, 0));
    assert_eq!(report.changes[0].refusal.as_ref().unwrap().who, Refuser::Kubectl);
    let unknown = server.run(&rehearsal(label("a=b", Existing::Keep), &["nodez", "moc-l1"])).await.unwrap_err();
    assert_eq!(unknown.code, 2);
    assert!(unknown.to_string().contains("did you mean \"nodes\"?"), "{unknown}");
}

#[tokio::test]
async fn scaling_goes_through_the_subresource_and_judges_its_object() {
    let server = Server::start(|_| None);
    let verb = Verb::Scale { replicas: 0, current: None, resource_version: String::new() };
    let report = server.run(&rehearsal(verb, &["deploy/coredns"])).await.unwrap();
    let write = server.writes().pop().unwrap();
    assert_eq!(write.target, format!("{COREDNS}/scale?dryRun=All"));
    assert_eq!((report.exit_code, report.changes[0].findings[0].code.as_str()), (3, "AA301"));
    assert_eq!((report.support.before, report.support.after), (Support::Within, Support::Outside));
}

#[tokio::test]
async fn a_cordon_patches_the_node_and_is_no_finding() {
    let server = Server::start(|_| None);
    let report = server.run(&rehearsal(Verb::Cordon(Scheduling::Disabled), &["node/moc-l1"])).await.unwrap();
    let write = server.writes().pop().unwrap();
    assert_eq!((&*write.method, &*write.target), ("PATCH", "/api/v1/nodes/moc-l1?dryRun=All"));
    assert_eq!(write.body, json!({"spec": {"unschedulable": true}}));
    assert_eq!((report.exit_code, report.changes[0].findings.len()), (0, 0));
}

#[tokio::test]
async fn apply_creates_and_patches_and_leaves_alone() {
    let server = Server::start(|_| None);
    let apply = |object: Value| {
        let verb = Verb::Apply {
            server_side: false,
            force_conflicts: false,
            validation: FieldValidation::Strict,
            manager: "kubectl-client-side-apply".to_owned(),
        };
        let manifests = vec![Manifest { source: "f".to_owned(), at: None, object }];
        Rehearsal { targets: Targets::Manifests(manifests), ..rehearsal(verb, &[]) }
    };
    let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}});
    let report = server.run(&apply(widget)).await.unwrap();
    assert_eq!((report.exit_code, report.counts.add), (0, 1));
    let write = server.writes().pop().unwrap();
    assert_eq!((write.method.as_str(), write.path()), ("POST", "/apis/example.com/v1/namespaces/kube-system/widgets"));
    let mut manifest = coredns();
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = json!("2");
    let report = server.run(&apply(manifest)).await.unwrap();
    let write = server.writes().pop().unwrap();
    assert_eq!(write.content_type, "application/strategic-merge-patch+json");
    assert_eq!(write.body["spec"]["template"]["spec"]["containers"], json!([{"name": "coredns", "image": "2"}]));
    assert_eq!(report.exit_code, 3);
    let elsewhere = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "other"}});
    assert_eq!(server.run(&apply(elsewhere)).await.unwrap_err().code, 2);
}

#[tokio::test]
async fn lists_are_followed_and_each_object_rehearsed() {
    let server = Server::start(|_| None);
    let choice = Choice { selector: "a=b".to_owned(), ..Choice::default() };
    let selected = Rehearsal {
        targets: Targets::Arguments { words: vec!["nodes".to_owned()], choice },
        ..rehearsal(label("x=y", Existing::Keep), &[])
    };
    let report = server.run(&selected).await.unwrap();
    assert_eq!((report.exit_code, report.requests, report.counts.change), (0, 1, 1));
    assert!(server.requests().iter().any(|request| request.target == "/api/v1/nodes?labelSelector=a%3Db&limit=500"));
}

#[tokio::test]
async fn warnings_of_the_server_are_shown() {
    let server = Server::start(|request| {
        let headers = "Warning: 299 - \"AA205: lost at the next upgrade\"\r\n".to_owned();
        request.is("PATCH", NODE).then(|| Reply { headers, ..ok(&node()) })
    });
    let report = server.run(&own_label()).await.unwrap();
    assert_eq!(report.changes[0].warnings, ["AA205: lost at the next upgrade"]);
}

#[tokio::test]
async fn a_slow_server_ends_in_time_with_exit_1() {
    let server = Server::start(|request| {
        request.is("PATCH", NODE).then(|| Reply { delay: Duration::from_secs(30), ..ok(&node()) })
    });
    let begun = Instant::now();
    let report = server.run(&own_label()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(report.exit_code, 1);
    assert!(report.changes[0].refusal.as_ref().unwrap().message.contains("--request-timeout"));
    let dead = Server { url: "http://127.0.0.1:1".to_owned(), seen: Arc::default() };
    let failure = dead.run(&own_label()).await.unwrap_err();
    assert_eq!(failure.code, 1);
    assert!(failure.to_string().contains("Nothing was rehearsed"), "{failure}");
}

#[tokio::test]
async fn the_identity_falls_back_to_the_kubeconfig() {
    let server =
        Server::start(|request| request.path().contains("authentication.k8s.io").then(|| fails(404, "NotFound", "no")));
    let report = server.run(&system_label()).await.unwrap();
    assert_eq!((report.user.name.as_str(), report.user.confirmed), ("from-kubeconfig", false));
    let asked: Vec<_> = server
        .writes()
        .iter()
        .map(|request| request.path().to_owned())
        .filter(|path| path.contains("authentication"))
        .collect();
    assert_eq!(
        asked,
        ["/apis/authentication.k8s.io/v1/selfsubjectreviews", "/apis/authentication.k8s.io/v1beta1/selfsubjectreviews"]
    );
}

#[tokio::test]
async fn answers_that_are_no_json_are_told_apart() {
    let server = Server::start(|request| {
        request.is("PATCH", NODE).then(|| Reply { body: "<html>".to_owned(), ..ok(&Value::Null) })
    });
    assert_eq!(server.run(&own_label()).await.unwrap().exit_code, 1);
    let server = Server::start(|request| {
        request.is("PATCH", NODE).then(|| Reply { status: 502, body: "<html>".to_owned(), ..ok(&Value::Null) })
    });
    let report = server.run(&own_label()).await.unwrap();
    assert_eq!((report.exit_code, report.changes[0].refusal.as_ref().unwrap().code), (1, 502));
}

#[tokio::test]
async fn a_subresource_that_another_program_may_answer_is_not_rehearsed() {
    let server = Server::start(|request| request.path().ends_with("/proxy").then(|| ok(&coredns())));
    let verb = Verb::Patch {
        method: Method::PatchMerge,
        patch: json!({"a": 1}),
        subresource: "proxy".to_owned(),
        manager: String::new(),
    };
    let report = server.run(&rehearsal(verb, &["deploy/coredns"])).await.unwrap();
    let barred = "cannot be rehearsed on this server: deployments/proxy may be answered by another program";
    assert_eq!((report.exit_code, &*report.changes[0].not_rehearsed), (5, barred));
    assert!(server.writes().iter().all(|request| request.path().ends_with("/selfsubjectreviews")));
}

#[tokio::test]
async fn the_servers_of_groups_are_listed_right_before_the_first_write_and_again_when_the_list_is_old() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // The list is read before the review and before each of two writes; by the last time, the group was handed over.
    let server = Server::start(move |request| {
        let times = if request.is("GET", API_SERVICES) { count.fetch_add(1, Ordering::Relaxed) } else { return None };
        Some(ok(&api_services((times >= 2).then_some("apps"))))
    });
    let twice = rehearsal(label("contoso.com/size=edge", Existing::Keep), &["deploy/coredns", "deploy/coredns"]);
    let report = server.run(&Rehearsal { fresh: Duration::ZERO, ..twice.clone() }).await.unwrap();
    assert_eq!((report.requests, asked.load(Ordering::Relaxed)), (1, 3));
    let barred = "cannot be rehearsed on this server: apps is served by shop/api";
    assert_eq!(report.changes.iter().map(|change| &*change.not_rehearsed).collect::<Vec<_>>(), ["", barred]);
    assert_eq!(report.exit_code, 5);

    let server = Server::start(|_| None);
    let report = server.run(&twice).await.unwrap();
    assert_eq!((report.exit_code, report.requests), (0, 2));
    let requests = server.requests();
    let lists: Vec<_> = requests.iter().enumerate().filter(|(_, request)| request.is("GET", API_SERVICES)).collect();
    let [(at, _)] = lists[..] else { panic!("{requests:?}") };
    assert!(requests[at - 1].is("GET", COREDNS) && requests[at + 1].path().ends_with("/selfsubjectreviews"));
}

#[tokio::test]
async fn a_write_that_is_put_off_goes_through_the_gate_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // The list is read before the review, before the write, and again after the wait; by then the group was handed
    // over.
    let server = Server::start(move |request| {
        if request.is("PATCH", COREDNS) {
            let headers = "Retry-After: 0\r\n".to_owned();
            return Some(Reply { headers, ..fails(429, "TooManyRequests", "later") });
        }
        let times = if request.is("GET", API_SERVICES) { count.fetch_add(1, Ordering::Relaxed) } else { return None };
        Some(ok(&api_services((times >= 2).then_some("apps"))))
    });
    let label = rehearsal(label("contoso.com/size=edge", Existing::Keep), &["deploy/coredns"]);
    let report = server.run(&Rehearsal { fresh: Duration::ZERO, ..label }).await.unwrap();
    let barred = "cannot be rehearsed on this server: apps is served by shop/api";
    assert_eq!((report.exit_code, &*report.changes[0].not_rehearsed), (5, barred));
    assert_eq!(server.writes().iter().filter(|request| request.is("PATCH", COREDNS)).count(), 1);
}
