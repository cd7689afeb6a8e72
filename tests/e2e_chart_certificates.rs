//! The guard by its chart with a certificate that others write into the Secret guard-tls, before a real API server: awaited,
//! served, renewed, and kept in use when what follows it cannot be used.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::fs;
use std::time::Duration;

use aksarc_shared::data::own;
use aksarc_tests::chart::given::{GivenAuthority, GivenPair, await_presented, processes};
use aksarc_tests::chart::release::{CHART, await_denied, helm};
use aksarc_tests::kubelet::{self, Kubelet};
use aksarc_tests::load::Load;
use aksarc_tests::protection::await_in_force;
use aksarc_tests::{ControlPlane, Http, Identity, Kubernetes, PatchKind, wait};
use aksarc_webhook::manifest::{self, ALPHA_WEBHOOK, CLUSTER_WEBHOOK, SYSTEM_WEBHOOK, USER_WEBHOOK};
use serde_json::{Value, json};

#[test]
fn a_certificate_of_others_is_served_and_renewed_and_nothing_unusable_takes_its_place() {
    let cluster = ControlPlane::builder(Kubernetes::NEWEST).controller_manager().pods().start().unwrap();
    let kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();
    let writer = cluster.service_account("vault", "agent").unwrap();
    cluster.bind(&writer, "cluster-admin").unwrap();
    let secret = Secret { http: cluster.http(&writer).unwrap() };
    let (first, second) = (GivenAuthority::new("first").unwrap(), GivenAuthority::new("second").unwrap());

    // Without the Secret no replica starts, and the guard that is not there lets changes pass.
    let values = |authority: &str| {
        let path = cluster.directory().join("values.json");
        let values = json!({
            "certificates": {"mode": "provided", "authority": authority},
            "config": {"mode": "enforce", "platform": "azure-local", "actors": {"platform": {"users": [writer.username()]}}},
        });
        fs::write(&path, values.to_string()).unwrap();
        format!("--values={}", path.display())
    };
    helm(&cluster, &["install", "guard", CHART, &values(&first.pem())]).unwrap().succeeded().unwrap();
    cluster.object_when(&pods(), LIMIT, |list| waiting(list) == 2).unwrap();
    assert!(kubelet.running().is_empty());

    let one = first.pair(GOOD).unwrap();
    secret.create(&one);
    await_denied(&cluster).unwrap();
    await_in_force(&cluster).unwrap();
    await_presented(&kubelet, &one.chain, &first.pem()).unwrap();
    let before = processes(&kubelet);
    let theft =
        cluster.http(&Identity::Person).unwrap().patch(SECRET, PatchKind::Merge, &data(&first.pair(GOOD).unwrap()));
    let theft = theft.unwrap();
    let policy = manifest::protection::OBJECTS_POLICY;
    let by_policy = format!("ValidatingAdmissionPolicy '{policy}'");
    assert!(theft.code == 403 && theft.body.contains(&by_policy), "{}", theft.body);

    let let_through = cluster.failed_open().unwrap();
    let webhooks = [CLUSTER_WEBHOOK, SYSTEM_WEBHOOK, USER_WEBHOOK, ALPHA_WEBHOOK].map(str::to_owned);
    let load = Load::begin(&cluster, kubelet::NODE, &webhooks).unwrap();
    let two = first.pair(GOOD).unwrap();
    secret.replace(&two);
    await_presented(&kubelet, &two.chain, &first.pem()).unwrap();

    // What cannot be used is refused, said and counted, and the certificate in use stays.
    let stranger = GivenPair { key: first.pair(GOOD).unwrap().key, ..first.pair(GOOD).unwrap() };
    let cut = GivenPair { chain: two.chain.replace("-----END", ""), ..first.pair(GOOD).unwrap() };
    for (unusable, why) in [
        (stranger, "tls.crt and tls.key cannot be used together"),
        (first.pair(PAST).unwrap(), "tls.crt is valid until 2021-01-01T00:00:00Z"),
        (cut, "tls.crt is not PEM"),
    ] {
        secret.replace(&unusable);
        for pod in kubelet.running() {
            wait::until(why, LIMIT, || {
                let (log, loaded) = (kubelet.log(&pod.name).unwrap(), is_loaded(&cluster, &pod.name));
                if log.contains(why) && loaded == "0" { Ok(()) } else { Err(format!("{loaded} {log}")) }
            })
            .unwrap();
        }
        await_presented(&kubelet, &two.chain, &first.pem()).unwrap();
    }

    // Another authority: trusted first, then used, then trusted alone.
    let upgrade = |authority: &str| {
        helm(&cluster, &["upgrade", "guard", CHART, "--wait", &values(authority)]).unwrap().succeeded().unwrap();
    };
    upgrade(&(first.pem() + &second.pem()));
    let three = second.pair(GOOD).unwrap();
    secret.replace(&three);
    await_presented(&kubelet, &three.chain, &second.pem()).unwrap();
    for pod in kubelet.running() {
        wait::until("the certificate to count as loaded", LIMIT, || {
            let loaded = is_loaded(&cluster, &pod.name);
            if loaded == "1" { Ok(()) } else { Err(loaded) }
        })
        .unwrap();
    }
    upgrade(&second.pem());
    // The API server connects anew for another bundle.
    let asked = load.right();
    wait::until("changes judged by the second authority's guard", LIMIT, || {
        let more = load.right() - asked;
        if more > 50 { Ok(()) } else { Err(more) }
    })
    .unwrap();
    // A Secret that is gone takes nothing from those that run.
    secret.delete();
    let four = second.pair(GOOD).unwrap();
    secret.create(&four);
    await_presented(&kubelet, &four.chain, &second.pem()).unwrap();
    await_denied(&cluster).unwrap();

    assert_eq!(processes(&kubelet), before, "no replica started anew");
    let (through, failed) = (load.take_through(), load.take_failed());
    println!("{}", load.end());
    assert!(through.is_empty() && failed.is_empty(), "{through:?} {failed:?}");
    assert_eq!(cluster.failed_open().unwrap(), let_through);
}

/// The Secret, as somebody writes it whom the protection lets pass.
struct Secret {
    http: Http,
}

impl Secret {
    fn create(&self, pair: &GivenPair) {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": own::TLS_SECRET},
            "type": "kubernetes.io/tls"});
        secret["stringData"] = data(pair)["stringData"].take();
        let path = SECRET.rsplit_once('/').unwrap().0;
        self.http.post(path, &secret).unwrap().object().unwrap();
    }

    fn replace(&self, pair: &GivenPair) {
        self.http.patch(SECRET, PatchKind::Merge, &data(pair)).unwrap().object().unwrap();
    }

    fn delete(&self) {
        self.http.delete(SECRET).unwrap().object().unwrap();
    }
}

fn data(pair: &GivenPair) -> Value {
    json!({"stringData": {"tls.crt": pair.chain, "tls.key": pair.key}})
}

/// The number of pods that wait for the Secret.
fn waiting(list: &Value) -> usize {
    let why = format!("there is no Secret {}", own::TLS_SECRET);
    let state = |pod: &Value| pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"].to_string();
    list["items"].as_array().unwrap().iter().filter(|pod| state(pod).contains(&why)).count()
}

/// What a replica says of whether its certificate is the one of the Secret.
fn is_loaded(cluster: &ControlPlane, pod: &str) -> String {
    let path = format!("{}/{pod}:{METRICS_PORT}/proxy/metrics", pods());
    let metrics = cluster.http(&Identity::Admin).unwrap().get(&path).unwrap().body;
    let line = metrics.lines().find_map(|line| line.strip_prefix("aksarc_certificate_last_reload_successful "));
    line.unwrap_or_else(|| panic!("{metrics}")).to_owned()
}

fn pods() -> String {
    format!("/api/v1/namespaces/{}/pods", manifest::NAMESPACE)
}

const SECRET: &str = "/api/v1/namespaces/aksarc-system/secrets/guard-tls";
const METRICS_PORT: u16 = 8080;
/// Years in which a certificate ends.
const GOOD: i32 = 2090;
const PAST: i32 = 2021;
const LIMIT: Duration = Duration::from_mins(2);
