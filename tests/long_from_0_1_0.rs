//! From version 0.1.0 to this one by the commands in the chart's README, with Helm and with deploy/install.yaml: no change
//! goes unjudged, and nothing of the old version is left. Its pods run this version's program, since no other can be built
//! here, with an argument more: it answers probes on a port of its own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use aksarc_shared::data::own;
use aksarc_tests::chart::release::{await_denied, mode};
use aksarc_tests::chart::{self, KUBERNETES, objects, render};
use aksarc_tests::kubelet::{self, Kubelet};
use aksarc_tests::load::Load;
use aksarc_tests::protection::await_in_force;
use aksarc_tests::readme::Desk;
use aksarc_tests::replicas::configuration_path;
use aksarc_tests::{ControlPlane, Identity, Kubernetes, root, wait};
use aksarc_webhook::manifest::{self, ALPHA_WEBHOOK, CLUSTER_WEBHOOK, SYSTEM_WEBHOOK, USER_WEBHOOK};
use serde_json::Value;

#[test]
fn helm_takes_over_from_version_0_1_0() {
    takes_over(str::to_owned);
}

#[test]
fn the_rendered_manifest_takes_over_from_version_0_1_0() {
    let text = fs::read_to_string(chart::path().join("README.md")).unwrap();
    let (_, rest) = text.split_once("Without Helm, `kubectl apply --server-side").unwrap();
    let apply = format!("kubectl apply --server-side{}", rest.split('`').next().unwrap());
    takes_over(|command| if command.starts_with("helm ") { apply.clone() } else { command.to_owned() });
}

/// Installs 0.1.0 as its documents said, and runs the commands of today's, each as `adapted`.
fn takes_over(adapted: impl Fn(&str) -> String) {
    let cluster = ControlPlane::builder(Kubernetes::NEWEST).controller_manager().pods().start().unwrap();
    let kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();
    let desk = Desk::new(&cluster).unwrap();
    let admin = |commands: &str| desk.run(&Identity::Admin, commands).unwrap();
    for name in ["guard-manifest.yaml", "guard-protection.yaml", "supportwaiver.yaml"] {
        fs::copy(root().join("tests/from-0.1.0").join(name), desk.file(name)).unwrap();
    }
    admin(INSTALLATION).succeeded().unwrap();
    await_denied(&cluster).unwrap();
    await_in_force(&cluster).unwrap();

    let webhooks = [CLUSTER_WEBHOOK, SYSTEM_WEBHOOK, USER_WEBHOOK, ALPHA_WEBHOOK].map(str::to_owned);
    let load = Load::begin(&cluster, kubelet::NODE, &webhooks).unwrap();
    let commands = chart::commands("Coming from version 0.1.0").unwrap();
    assert!(commands.iter().any(|command| command.starts_with("helm ")));
    for command in commands {
        // The kubelet starts every image with the guard's name.
        let command = adapted(&command).replace("REGISTRY", "registry.example").replace("TAG", "test");
        // A policy counts a moment after it was applied.
        wait::until(&command, LIMIT, || admin(&command).succeeded().map(drop).map_err(|error| format!("{error:#}")))
            .unwrap();
    }
    await_in_force(&cluster).unwrap();
    let asked = load.right();
    wait::until("changes judged after the last command", LIMIT, || {
        let more = load.right() - asked;
        if more > 50 { Ok(()) } else { Err(more) }
    })
    .unwrap();
    let (through, failed) = (load.take_through(), load.take_failed());
    println!("{}", load.end());
    assert!(through.is_empty() && failed.is_empty(), "{through:?} {failed:?}");

    assert_eq!(mode(&cluster).unwrap(), "enforce", "the configuration of 0.1.0 is in use");
    await_denied(&cluster).unwrap();
    nothing_of_it_is_left(&cluster);
    drop(kubelet);
}

/// The objects with the guard's label are those of the chart, as the chart has them, besides the ConfigMap.
fn nothing_of_it_is_left(cluster: &ControlPlane) {
    let rendered = render("", KUBERNETES, &["--no-hooks"]).unwrap();
    let rendered = objects(rendered.succeeded().unwrap()).unwrap();
    let name = |object: &Value| {
        format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
    };
    let mut expected: BTreeSet<String> = rendered.iter().map(&name).collect();
    expected.insert("ConfigMap guard".to_owned());
    let kinds = "namespaces,serviceaccounts,configmaps,deployments,poddisruptionbudgets,services,networkpolicies,roles,\
                 rolebindings,clusterroles,clusterrolebindings,validatingwebhookconfigurations,validatingadmissionpolicies,\
                 validatingadmissionpolicybindings,customresourcedefinitions,flowschemas,secrets";
    let arguments = ["get", kinds, "--all-namespaces", "--output=json"];
    let list = cluster.kubectl(&Identity::Admin, arguments).unwrap();
    let list: Value = serde_json::from_str(list.succeeded().unwrap()).unwrap();
    let ours = |object: &&Value| {
        let meta = &object["metadata"];
        let is_named = meta["name"].as_str().unwrap().contains("aksarc") && object["kind"] != "Secret";
        let is_inside = meta["namespace"] == own::NAMESPACE && meta["name"].as_str().unwrap().starts_with("guard");
        is_named || is_inside
    };
    let found: Vec<&Value> = list["items"].as_array().unwrap().iter().filter(ours).collect();
    let mut names: BTreeSet<String> = found.iter().map(|object| name(object)).collect();
    // The kubelet's own, and the Secret of the guard's authority.
    assert!(names.remove("ClusterRoleBinding aksarc-kubelet-cluster-admin"));
    assert!(names.remove(&format!("Secret {}", own::CERTIFICATES)), "{names:?}");
    assert_eq!(names, expected);

    let one = |kind: &str| *found.iter().find(|object| object["kind"] == kind).unwrap();
    let pod = &one("Deployment")["spec"]["template"]["spec"];
    let volumes: Vec<&Value> = pod["volumes"].as_array().unwrap().iter().map(|own| &own["name"]).collect();
    assert_eq!(volumes, ["config"]);
    assert!(!pod["containers"][0]["args"].to_string().contains("tls-dir"), "{pod}");
    assert_eq!(pod["containers"][0]["readinessProbe"]["httpGet"]["port"], "probe");
    let webhooks = cluster.http(&Identity::Admin).unwrap().get(&configuration_path()).unwrap().object().unwrap();
    assert!(webhooks["metadata"]["annotations"].get(own::OPEN).is_none(), "{webhooks}");
    assert_eq!(webhooks["webhooks"].as_array().unwrap().len(), 4);
}

/// The top of 0.1.0's manifest, its README and the top of its other files.
const INSTALLATION: &str = r#"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
  -subj "/CN=aksarc guard authority" -keyout ca.key -out ca.crt 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=guard" \
  -addext "subjectAltName=DNS:guard.aksarc-system.svc" -keyout tls.key -out tls.csr 2>/dev/null
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 \
  -copy_extensions copyall -out tls.crt 2>/dev/null
kubectl create namespace aksarc-system
kubectl -n aksarc-system create secret tls guard-tls --cert=tls.crt --key=tls.key
sed "s|\${CA_BUNDLE}|$(base64 -w0 ca.crt)|; s|image: .*|image: registry.example/aksarc-webhook:0.1.0|; s|mode: observe|mode: enforce\n    platform: azure-local|; \
  s|--admin-listen=.*|--admin-listen=0.0.0.0:8082\n        - --probe-listen=0.0.0.0:8080|" guard-manifest.yaml | kubectl apply -f -
kubectl apply -f supportwaiver.yaml
kubectl apply -f guard-protection.yaml
"#;

const LIMIT: Duration = Duration::from_mins(1);
