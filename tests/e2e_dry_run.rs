//! `kubectl aksarc dry-run` against a real API server: it predicts the guard's answer, and changes nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;

use aksarc_tests::guard::Guard;
use aksarc_tests::{ControlPlane, Finished, Identity, product, samples};
use serde_json::{Value, json};

/// A dry run before the guard is installed predicts its answer, for every identity and verb.
#[test]
fn a_dry_run_says_what_the_guard_then_says() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let people = [Identity::Person, Identity::GitOps, Identity::Admin];
    let mut said = Vec::new();
    for identity in &people {
        for arguments in changes() {
            let finished = dry_run(&cluster, identity, arguments);
            let report = report(&finished);
            said.push((identity.clone(), arguments, codes(&report), word(&report), finished.code));
        }
    }
    let guard = Guard::install(&cluster, &json!({"mode": "enforce", "platform": "azure-local"})).unwrap();
    assert!(!guard.webhooks.is_empty());
    for (identity, arguments, codes, word, code) in said {
        let what = format!("{identity:?} {arguments:?}");
        // The real kubectl sends the same command to the real guard, as a dry run, so that the next finds the cluster
        // unchanged.
        let mut real = arguments.to_vec();
        real.push("--dry-run=server");
        let real = cluster.kubectl_with(&identity, real, ADD_ON).unwrap();
        match &*word {
            "deny" => {
                assert!(
                    real.stderr.contains("guard.aksarc.dev\" denied the request"),
                    "{what}: {}{}",
                    real.stdout,
                    real.stderr
                );
                assert!(codes.iter().any(|code| real.stderr.contains(code)), "{what}: {codes:?} {}", real.stderr);
            }
            "warn" => {
                real.succeeded().unwrap();
                for code in &codes {
                    assert!(real.stderr.contains(code), "{what}: {code} {}", real.stderr);
                }
            }
            "allow" => {
                real.succeeded().unwrap();
                assert!(!real.stderr.contains("Warning: AA"), "{what}: {}", real.stderr);
            }
            other => panic!("{what}: {other}"),
        }
        // With the guard installed, the dry run passes through it and gives the same answer.
        let again = dry_run(&cluster, &identity, arguments);
        let report = report(&again);
        assert_eq!(self::codes(&report), codes, "{what}: {}", again.stdout);
        // A denial without a finding that voids support is a refusal by the guard, which is installed now.
        let refused_now = word == "deny" && code == Some(0);
        let code = if refused_now { Some(6) } else { code };
        assert_eq!(again.code, code, "{what}: {}{}", again.stdout, again.stderr);
    }
    only_dry(&cluster);
}

#[test]
fn exit_codes_tell_who_refused() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let run = |identity: &Identity, arguments: &[&str]| dry_run(&cluster, identity, arguments);
    assert_eq!(
        run(&Identity::Person, &["label", "node", NODE, "kubernetes.io/hostname=x", "--overwrite"]).code,
        Some(3)
    );
    assert_eq!(run(&Identity::Person, &["label", "deployment", "nowhere", "team=a", "-n", "shop"]).code, Some(6));
    assert_eq!(run(&Identity::Person, &["drain", NODE]).code, Some(2));
    // An identity without rights: the missing right is named.
    let refused = run(&Identity::user("bob"), &["label", "node", NODE, "contoso.example/a=b"]);
    assert_eq!(refused.code, Some(6), "{}{}", refused.stdout, refused.stderr);
    let all = format!("{}{}", refused.stdout, refused.stderr);
    assert!(all.contains("nodes") && all.contains("get"), "{all}");
    // Another webhook refuses a lawful change.
    let labels = r#"{"metadata":{"labels":{"contoso.example/a":"not valid!"}}}"#;
    let invalid = run(&Identity::Person, &["patch", "node", NODE, "--type=merge", "--patch", labels]);
    assert_eq!(invalid.code, Some(6), "{}{}", invalid.stdout, invalid.stderr);
    only_dry(&cluster);
}

/// A guard does not know the installed extensions and the managed addresses. A dry run looks them up, and only where it
/// has to.
#[test]
fn facts_looked_up_beside_an_object_tell_whose_it_is() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let create = |object: &str| {
        cluster.kubectl_with(&Identity::Admin, ["create", "-f", "-"], object).unwrap().succeeded().unwrap();
    };
    create(EXTENSION);
    create(DRIVER);
    let finding = |finished: &Finished| {
        let report = report(finished);
        let findings = report["changes"][0]["findings"].as_array().unwrap().clone();
        let told = findings.iter().map(|own| (own["code"].clone(), own["consequence"].clone(), own["path"].clone()));
        (told.collect::<Vec<_>>(), report["changes"][0]["notes"].to_string())
    };
    let delete = ["delete", "deployment", "driver", "-n", "vault"];
    let scale = ["scale", "deployment", "driver", "-n", "vault", "--replicas=0"];
    for (arguments, path) in [(&delete[..], "metadata"), (&scale[..], "spec.replicas")] {
        let finished = dry_run(&cluster, &Identity::Person, arguments);
        let (told, notes) = finding(&finished);
        assert_eq!(told, [(json!("AA306"), json!("at-risk"), json!(path))], "{}", finished.stdout);
        assert_eq!((finished.code, notes.as_str()), (Some(0), "[]"));
    }
    // A user who may not list them gets a note on the missing part.
    let carol = Identity::user("carol");
    let rights =
        json!([{"apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"], "verbs": ["get", "patch"]}]);
    cluster.allow(&carol, &rights).unwrap();
    let finished = dry_run(&cluster, &carol, &scale);
    let (told, notes) = finding(&finished);
    assert_eq!((told, finished.code), (Vec::new(), Some(0)), "{}", finished.stdout);
    assert!(
        notes.contains("plant-vault") && notes.contains("list extensionconfigs.clusterconfig.azure.com"),
        "{notes}"
    );
    let asked = |path: &str| {
        let events = cluster.audit_events().unwrap();
        let ours = events.iter().filter(|event| event.user_agent.starts_with("kubectl-aksarc"));
        ours.filter(|event| event.request_uri.contains(path)).count()
    };
    assert_eq!(asked("/extensionconfigs"), 3);
    // An object without a release needs no request.
    let label = ["label", "deployment", "coredns", "-n", "kube-system", "contoso.example/a=b"];
    dry_run(&cluster, &Identity::Person, &label);
    assert_eq!(asked("/extensionconfigs"), 3);

    // A Service on the address of the cluster's DNS.
    let dns = cluster.http(&Identity::Admin).unwrap().get("/api/v1/namespaces/kube-system/services/kube-dns").unwrap();
    let address = dns.object().unwrap()["spec"]["clusterIP"].as_str().unwrap().to_owned();
    for (claimed, code) in [(&*address, 3), ("192.0.2.53", 0)] {
        let service = SERVICE.replace("ADDRESS", claimed);
        let finished = dry_run_of(&cluster, &Identity::Person, &["apply", "-f", "-"], &service);
        assert_eq!(finished.code, Some(code), "{claimed}: {}{}", finished.stdout, finished.stderr);
        let (told, _) = finding(&finished);
        let own = [(json!("AA301"), json!("voids"), json!("spec.externalIPs"))];
        assert_eq!(told, if code == 3 { &own[..] } else { &[] }, "{claimed}");
    }
    only_dry(&cluster);
}

/// An extension that its installer gave a name and a namespace of their own.
const EXTENSION: &str = "
apiVersion: clusterconfig.azure.com/v1beta1
kind: ExtensionConfig
metadata: {name: plant-vault, namespace: azure-arc}
spec: {extensionType: Microsoft.AzureKeyVaultSecretsProvider}
";

const DRIVER: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: vault}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: driver
  namespace: vault
  labels: {app.kubernetes.io/managed-by: Helm}
  annotations: {meta.helm.sh/release-name: plant-vault, meta.helm.sh/release-namespace: vault}
spec:
  selector: {matchLabels: {app: driver}}
  template:
    metadata: {labels: {app: driver}}
    spec: {containers: [{name: main, image: \"mcr.microsoft.com/oss/kubernetes-csi/secrets-store/driver:v1.4.4\"}]}
";

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: resolver, namespace: vault}
spec: {externalIPs: [ADDRESS], ports: [{port: 53, protocol: UDP}]}
";

fn changes() -> &'static [&'static [&'static str]] {
    &[
        &["label", "node", NODE, "node.kubernetes.io/instance-type=edge-big", "--overwrite"],
        &["label", "node", NODE, "kubernetes.io/arch-"],
        &["label", "node", NODE, "contoso.example/site=ams"],
        &["label", "node", NODE, "kubernetes.azure.com/team=shop"],
        &["label", "namespace", "azure-arc", "app.kubernetes.io/managed-by=us", "--overwrite"],
        &["label", "namespace", "kube-system", "contoso.example/a=b"],
        &["annotate", "node", NODE, "contoso.example/note=x"],
        &["annotate", "namespace", "azure-arc", "contoso.example/note=x"],
        &["taint", "node", NODE, "contoso.example/gpu=yes:NoSchedule"],
        &["taint", "node", NODE, "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"],
        &["patch", "node", NODE, "--type=merge", "--patch", r#"{"metadata":{"labels":{"kubernetes.io/os":"bsd"}}}"#],
        &[
            "patch",
            "node",
            NODE,
            "--type=json",
            "--patch",
            r#"[{"op":"remove","path":"/metadata/labels/kubernetes.io~1hostname"}]"#,
        ],
        &[
            "patch",
            "node",
            NODE,
            "--subresource=status",
            "--patch",
            r#"{"metadata":{"labels":{"kubernetes.io/os":"bsd"}}}"#,
        ],
        &["patch", "deployment", "coredns", "-n", "kube-system", "--patch", r#"{"spec":{"minReadySeconds":7}}"#],
        &["scale", "deployment", "coredns", "-n", "kube-system", "--replicas=0"],
        &["scale", "deployment/coredns", "-n", "kube-system", "--replicas=5"],
        &["delete", "deployment", "coredns", "-n", "kube-system"],
        &["delete", "configmap", "coredns", "-n", "kube-system"],
        &["cordon", NODE],
        &["uncordon", NODE],
        &["cordon", "--selector=kubernetes.io/os=linux"],
        &["delete", "node", NODE],
        &["delete", "namespace", "azure-arc"],
        &["apply", "-f", "-"],
        &["apply", "-f", "-", "--server-side"],
    ]
}

/// An add-on where none belongs, for `apply -f -`; commands that read no input don't mind it.
const ADD_ON: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: scanner, namespace: kube-system}
spec:
  selector: {matchLabels: {app: scanner}}
  template:
    metadata: {labels: {app: scanner}}
    spec: {containers: [{name: main, image: \"registry.contoso.example/scanner:1\"}]}
";

fn dry_run(cluster: &ControlPlane, identity: &Identity, arguments: &[&str]) -> Finished {
    dry_run_of(cluster, identity, arguments, ADD_ON)
}

fn dry_run_of(cluster: &ControlPlane, identity: &Identity, arguments: &[&str], input: &str) -> Finished {
    let mut command = cluster.command(identity, &product::plugin().unwrap()).unwrap();
    command.args(["dry-run"]).args(arguments);
    // A verb that does not exist takes no format either.
    if arguments[0] != "drain" {
        command.args(["--output", "json", "--platform", "azure-local"]);
    }
    Finished::run(&mut command, Some(input)).unwrap()
}

fn report(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", finished.stdout, finished.stderr))
}

fn codes(report: &Value) -> BTreeSet<String> {
    let findings =
        report["changes"].as_array().unwrap().iter().flat_map(|change| change["findings"].as_array().unwrap());
    findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// The heaviest of allow, warn and deny.
fn word(report: &Value) -> String {
    let words: Vec<&str> =
        report["changes"].as_array().unwrap().iter().map(|change| change["guard"].as_str().unwrap()).collect();
    ["deny", "warn"].into_iter().find(|word| words.contains(word)).unwrap_or("allow").to_owned()
}

/// By the API server's own record, nothing that the plugin sent could have been stored.
fn only_dry(cluster: &ControlPlane) {
    let events = cluster.audit_events().unwrap();
    let ours: Vec<_> = events.iter().filter(|event| event.user_agent.starts_with("kubectl-aksarc")).collect();
    assert!(ours.iter().any(|event| event.is_dry_run()), "no dry run of the plugin is in the log");
    for event in ours {
        let reads = matches!(&*event.verb, "get" | "list");
        assert!(reads || event.is_dry_run(), "{} {}", event.verb, event.request_uri);
    }
}

/// A worker of the sample.
const NODE: &str = "moc-l3xk9p0bd7t";
