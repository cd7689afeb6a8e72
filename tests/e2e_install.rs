//! Installing, configuring, upgrading and removing the guard with the commands of README: no configuration is lost, and
//! the protection of its webhook configuration permits everything after it is opened.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::fs;
use std::time::Duration;

use aksarc_shared::facts::digest;

use aksarc_shared::data::own;
use aksarc_tests::protection::{await_in_force, await_out_of_force, refused};
use aksarc_tests::readme::{self, Desk};
use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes};
use aksarc_webhook::manifest;
use serde_json::Value;

#[test]
fn installing_upgrading_and_removing_keep_the_configuration() {
    let cluster = ControlPlane::builder(Kubernetes::V1_33).controller_manager().start().unwrap();
    let desk = Desk::new(&cluster).unwrap();
    let [_, install] = readme::blocks("Install without Helm").unwrap();
    let admin = |commands: &str| desk.run(&Identity::Admin, commands).unwrap();

    // A configuration that somebody changed after the first installation stays, whatever manifest is applied over it.
    admin("kubectl create namespace aksarc-system").succeeded().unwrap();
    cluster.kubectl_with(&Identity::Admin, ["apply", "-f", "-"], FIRST).unwrap().succeeded().unwrap();
    let change =
        r#"kubectl -n aksarc-system patch configmap guard --type=merge -p '{"data": {"guard.yaml": "mode: enforce"}}'"#;
    admin(change).succeeded().unwrap();
    let changed = configuration(&cluster);
    let installed = admin(&install);
    installed.succeeded().unwrap();
    the_program_knows_its_arguments(&cluster, &desk);
    assert!(
        installed.stderr.contains("an existing ConfigMap guard in aksarc-system stays as it is"),
        "{}",
        installed.stderr
    );
    assert_eq!(configuration(&cluster), changed);
    admin("kubectl -n aksarc-system delete configmap guard").succeeded().unwrap();
    admin(&install).succeeded().unwrap();
    assert_eq!(configuration(&cluster), None);

    // The API server takes the NetworkPolicy that closes the port of reviews to pods of both families.
    let closed = "--pod-cidr 10.244.0.0/16 --pod-cidr fd00:10:244::/56 | kubectl apply --dry-run=server -f -";
    let closed = admin(&install.replace("| kubectl apply -f -", closed));
    assert!(closed.succeeded().unwrap().contains("networkpolicy.networking.k8s.io/guard configured"), "{closed:?}");

    the_three_steps(&cluster, &desk, &install);
    changing_over_keeps_what_is_trusted(&cluster, &desk, &install);
    configure(&cluster, &desk, COMPLETE);

    let [protect] = readme::blocks("Protection").unwrap();
    let ops = cluster.administrator_by_group().unwrap();
    for who in [&ops, &Identity::Admin] {
        desk.run(who, &protect).unwrap().succeeded().unwrap();
        await_in_force(&cluster).unwrap();
        // The one for endpoints is about two kinds with different fields.
        for policy in ["protection", "namespace", "objects", "certificates"] {
            cluster.object_when(&format!("{POLICIES}/{policy}.guard.aksarc.dev"), LIMIT, is_well_typed).unwrap();
        }
        upgrade(&cluster, &desk, who, &install);
        remove(&cluster, &desk, who);
        admin(&install).succeeded().unwrap();
        await_out_of_force(&cluster).unwrap();
        configure(&cluster, &desk, COMPLETE);
    }
}

/// The arguments with which the Deployment starts it.
fn the_program_knows_its_arguments(cluster: &ControlPlane, desk: &Desk<'_>) {
    let help = desk.run(&Identity::Admin, "aksarc-webhook --help").unwrap();
    let client = cluster.http(&Identity::Admin).unwrap();
    let deployment = client.get("/apis/apps/v1/namespaces/aksarc-system/deployments/guard").unwrap().object().unwrap();
    let arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap().clone();
    for argument in &arguments {
        let flag = argument.as_str().unwrap().split('=').next().unwrap();
        assert!(help.succeeded().unwrap().contains(&format!("{flag} <")), "{flag}");
    }
}

fn the_three_steps(cluster: &ControlPlane, desk: &Desk<'_>, install: &str) {
    let [file, take, by_manifest] = readme::blocks("Observe, warn, enforce").unwrap();
    let admin = |commands: &str| desk.run(&Identity::Admin, commands).unwrap();
    admin(&file).succeeded().unwrap();
    let text = fs::read_to_string(desk.file("guard-config.yaml")).unwrap();
    for mode in ["observe", "warn", "enforce"] {
        let step = text.replace("mode: observe", &format!("mode: {mode}"));
        fs::write(desk.file("guard-config.yaml"), &step).unwrap();
        admin(&take).succeeded().unwrap();
        assert_eq!(configuration(cluster), Some(step));
    }
    // Installing again leaves the last step as it is.
    let before = configuration(cluster);
    admin(install).succeeded().unwrap();
    assert_eq!(configuration(cluster), before);
    // Settings on people reach the API server only by the manifest.
    fs::write(desk.file("guard-config.yaml"), COMPLETE).unwrap();
    assert!(!webhooks(cluster).to_string().contains(PERSON));
    let installed = admin(&by_manifest);
    installed.succeeded().unwrap();
    let told = "sets the configuration: mode enforce, azure-local, 1 waiver, 1 identity of people";
    assert!(installed.stderr.contains(told), "{}", installed.stderr);
    assert_eq!(configuration(cluster).as_deref(), Some(COMPLETE));
    assert!(webhooks(cluster).to_string().contains(PERSON));
}

/// From a manifest with an authority in it to one in which the guard looks after it.
fn changing_over_keeps_what_is_trusted(cluster: &ControlPlane, desk: &Desk<'_>, install: &str) {
    let admin = |commands: &str| desk.run(&Identity::Admin, commands).unwrap();
    let bundles = || -> Vec<Value> {
        let configuration = webhooks(cluster);
        let webhooks = configuration["webhooks"].as_array().unwrap();
        webhooks.iter().map(|webhook| webhook["clientConfig"]["caBundle"].clone()).collect()
    };
    let mounts = || {
        let client = cluster.http(&Identity::Admin).unwrap();
        let path = "/apis/apps/v1/namespaces/aksarc-system/deployments/guard";
        client.get(path).unwrap().object().unwrap()["spec"].to_string().contains("guard-tls")
    };
    assert!(bundles().iter().all(Value::is_null) && !mounts());
    admin(&install.replace("manifest", "manifest --ca-file ca.crt")).succeeded().unwrap();
    let by_hand = bundles();
    assert!(by_hand.iter().all(Value::is_string) && mounts());
    let [change_over] = readme::blocks("Certificates").unwrap();
    admin(&change_over).succeeded().unwrap();
    assert_eq!(bundles(), by_hand);
    assert!(!mounts());
    // What the guard writes from now on stays too.
    let configuration = manifest::CONFIGURATION;
    let written = format!(
        "kubectl patch validatingwebhookconfiguration {configuration} --type=json \
         -p '[{{\"op\": \"replace\", \"path\": \"/webhooks/0/clientConfig/caBundle\", \"value\": \"Zm9v\"}}]'"
    );
    admin(&written).succeeded().unwrap();
    admin(install).succeeded().unwrap();
    assert_eq!(bundles()[0], "Zm9v");
    assert_eq!(bundles()[1..], by_hand[1..]);
}

/// The manifest is refused as a whole while the object is closed, and applied in the two steps.
fn upgrade(cluster: &ControlPlane, desk: &Desk<'_>, who: &Identity, install: &str) {
    let [upgrade, _] = readme::blocks("Upgrade and remove").unwrap();
    let (map, before) = (configuration(cluster), webhooks(cluster));
    let plain = desk.run(who, install).unwrap();
    assert!(refused(&plain), "{who:?}: {}{}", plain.stdout, plain.stderr);
    assert_eq!((configuration(cluster), webhooks(cluster)), (map.clone(), before));

    desk.run(who, &upgrade).unwrap().succeeded().unwrap();
    assert_eq!(configuration(cluster), map);
    let after = webhooks(cluster);
    assert!(after.to_string().contains(PERSON), "{after}");
    assert_eq!(after["metadata"]["annotations"][own::GENERATED], digest::digest(&after["webhooks"]));
    assert_eq!(after["metadata"]["annotations"][own::OPEN], Value::Null);
    let again = kubectl(cluster, who, &["delete", "validatingwebhookconfiguration", manifest::CONFIGURATION]);
    assert!(refused(&again), "{who:?}: open after the upgrade");
}

fn remove(cluster: &ControlPlane, desk: &Desk<'_>, who: &Identity) {
    let [_, remove] = readme::blocks("Upgrade and remove").unwrap();
    desk.run(who, &remove).unwrap().succeeded().unwrap();
    let kinds = "namespaces,clusterroles,clusterrolebindings,validatingwebhookconfigurations,\
                 validatingadmissionpolicies,validatingadmissionpolicybindings";
    let left = kubectl(cluster, who, &["get", kinds, "--output=name"]);
    let left: Vec<&str> = left.succeeded().unwrap().lines().filter(|name| name.contains("aksarc")).collect();
    assert_eq!(left, Vec::<&str>::new());
}

fn configure(cluster: &ControlPlane, desk: &Desk<'_>, text: &str) {
    let [_, _, by_manifest] = readme::blocks("Observe, warn, enforce").unwrap();
    fs::write(desk.file("guard-config.yaml"), text).unwrap();
    desk.run(&Identity::Admin, &by_manifest).unwrap().succeeded().unwrap();
    assert_eq!(configuration(cluster).as_deref(), Some(text));
}

/// The text in the ConfigMap of the guard's configuration, where there is one.
fn configuration(cluster: &ControlPlane) -> Option<String> {
    let client = cluster.http(&Identity::Admin).unwrap();
    let answer = client.get("/api/v1/namespaces/aksarc-system/configmaps/guard").unwrap();
    if answer.code == 404 {
        return None;
    }
    Some(answer.object().unwrap()["data"]["guard.yaml"].as_str().unwrap().to_owned())
}

fn webhooks(cluster: &ControlPlane) -> Value {
    let path =
        format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{}", manifest::CONFIGURATION);
    cluster.http(&Identity::Admin).unwrap().get(&path).unwrap().object().unwrap()
}

/// Whether the controller that checks the types of policies' expressions has done so, without a warning.
fn is_well_typed(policy: &Value) -> bool {
    let (status, seen) =
        (&policy["status"], policy["metadata"]["generation"] == policy["status"]["observedGeneration"]);
    seen && status["typeChecking"]["expressionWarnings"].is_null()
}

fn kubectl(cluster: &ControlPlane, who: &Identity, arguments: &[&str]) -> Finished {
    cluster.kubectl(who, arguments.iter().copied()).unwrap()
}

const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
const LIMIT: Duration = Duration::from_secs(30);

/// The ConfigMap of the first version's manifest, which always had one.
const FIRST: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: guard
  namespace: aksarc-system
  labels:
    app.kubernetes.io/name: aksarc-guard
data:
  guard.yaml: |
    apiVersion: aksarc.dev/v1alpha1
    kind: GuardConfig
    mode: observe
";

/// A configuration whose loss would show: it has a waiver, and people of whom the API server has to know.
const COMPLETE: &str = "\
apiVersion: aksarc.dev/v1alpha1
kind: GuardConfig
mode: enforce
platform: azure-local
actors:
  people:
    users: [system:serviceaccount:kube-system:our-own-automation]
waivers:
- name: W-7
  rules: [AA205]
  match: {kind: Node, name: moc-l1}
  reason: moves to the pool with the next release
  requestedBy: alice@contoso.example
  approvedBy: bob@contoso.example
  expires: 2099-01-15T00:00:00Z
";

const PERSON: &str = "system:serviceaccount:kube-system:our-own-automation";
