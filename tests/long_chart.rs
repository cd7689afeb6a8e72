//! The guard's Helm chart with other versions of Helm and Kubernetes, without Helm, and over an installation by the
//! manifest.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::fs;

use aksarc_tests::chart::release::{CHART, Trusted, await_denied, helm, helm_3, mode, trusted};
use aksarc_tests::chart::{self, objects, option_sets};
use aksarc_tests::kubelet::Kubelet;
use aksarc_tests::protection::await_in_force;
use aksarc_tests::registry::Registry;
use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes, product, root};
use aksarc_webhook::manifest;
use serde_json::{Value, json};

fn cluster(kubernetes: Kubernetes) -> ControlPlane {
    ControlPlane::builder(kubernetes).controller_manager().pods().start().unwrap()
}

fn is_trusted(trusted: &Trusted) -> bool {
    trusted.bundles.iter().all(Value::is_string) && trusted.secret.is_some()
}

#[test]
fn a_release_of_helm_3_is_upgraded_rolled_back_and_removed_by_helm_4() {
    for kubernetes in [Kubernetes::NEWEST, Kubernetes::V1_36] {
        from_helm_3_to_helm_4(kubernetes);
    }
}

fn from_helm_3_to_helm_4(kubernetes: Kubernetes) {
    let cluster = cluster(kubernetes);
    let _kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();
    helm_3(&cluster, &["install", "guard", CHART, "--wait", ENFORCE]).unwrap().succeeded().unwrap();
    await_denied(&cluster).unwrap();
    await_in_force(&cluster).unwrap();
    let before = trusted(&cluster).unwrap();
    assert!(is_trusted(&before), "{before:?}");
    for (run, arguments) in [
        (
            helm_3 as fn(&ControlPlane, &[&str]) -> anyhow::Result<Finished>,
            &["upgrade", "guard", CHART, "--wait", WARN],
        ),
        (helm, &["upgrade", "guard", CHART, "--wait", ENFORCE]),
    ] {
        run(&cluster, arguments).unwrap().succeeded().unwrap();
        assert_eq!(trusted(&cluster).unwrap(), before);
        assert_eq!(format!("--set=config.mode={}", mode(&cluster).unwrap()), arguments[4]);
    }
    helm(&cluster, &["rollback", "guard", "2", "--wait"]).unwrap().succeeded().unwrap();
    assert_eq!((trusted(&cluster).unwrap(), mode(&cluster).unwrap()), (before, "warn".to_owned()));
    helm(&cluster, &["uninstall", "guard"]).unwrap().succeeded().unwrap();
}

#[test]
fn on_kubernetes_1_28_the_chart_serves_and_says_that_no_policy_protects_it() {
    for kubernetes in [Kubernetes::V1_28, Kubernetes::V1_28Vendor] {
        let cluster = cluster(kubernetes);
        let _kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();
        let installed =
            helm(&cluster, &["install", "guard", CHART, "--wait", ENFORCE, "--set=rulePolicies=auto"]).unwrap();
        let notes = installed.succeeded().unwrap();
        for what in ["Nothing protects the guard's own objects", "No policy refuses anything while the guard is down"] {
            assert!(notes.contains(what), "{notes}");
        }
        assert_eq!(notes.matches("has no ValidatingAdmissionPolicy, which comes with 1.30").count(), 2, "{notes}");
        await_denied(&cluster).unwrap();
        // The conditions of webhooks are there where the minor reads 28+ too.
        let path = aksarc_tests::replicas::configuration_path();
        let webhooks = cluster.http(&Identity::Admin).unwrap().get(&path).unwrap().object().unwrap();
        assert!(webhooks["webhooks"].as_array().unwrap().iter().all(|own| own["matchConditions"].is_array()));
        let before = trusted(&cluster).unwrap();
        helm(&cluster, &["upgrade", "guard", CHART, "--wait", WARN]).unwrap().succeeded().unwrap();
        assert_eq!(
            (trusted(&cluster).unwrap(), mode(&cluster).unwrap()),
            (before, "warn".to_owned()),
            "{kubernetes:?}"
        );
        for value in ["protection", "rulePolicies"] {
            let refused = helm(&cluster, &["upgrade", "guard", CHART, &format!("--set={value}=on")]).unwrap();
            let words = format!("{value}: on needs Kubernetes 1.30");
            assert!(refused.failed().unwrap().contains(&words), "{}", refused.stderr);
        }
        helm(&cluster, &["uninstall", "guard"]).unwrap().succeeded().unwrap();
    }
}

#[test]
fn the_rendered_manifest_installs_and_updates_without_helm() {
    let cluster = cluster(Kubernetes::NEWEST);
    let _kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();
    let rendered = chart::render(CONFIG, chart::KUBERNETES, &["--no-hooks"]).unwrap();
    let rendered = rendered.succeeded().unwrap();
    let apply =
        |text: &str| cluster.kubectl_with(&Identity::Admin, ["apply", "--server-side", "-f", "-"], text).unwrap();
    apply(rendered).succeeded().unwrap();
    await_denied(&cluster).unwrap();
    await_in_force(&cluster).unwrap();
    let before = trusted(&cluster).unwrap();
    assert!(is_trusted(&before), "{before:?}");
    for object in ["validatingwebhookconfiguration/guard.aksarc.dev", "namespace/aksarc-system"] {
        let open = ["annotate", object, "aksarc.dev/open=a test"];
        cluster.kubectl(&Identity::Admin, open).unwrap().succeeded().unwrap();
    }
    apply(&rendered.replace("mode: enforce", "mode: warn")).succeeded().unwrap();
    assert_eq!((trusted(&cluster).unwrap(), mode(&cluster).unwrap()), (before, "warn".to_owned()));
}

#[test]
fn helm_takes_over_an_installation_by_the_manifest() {
    let cluster = cluster(Kubernetes::NEWEST);
    let _kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();
    let mut program = cluster.command(&Identity::Admin, &product::webhook().unwrap()).unwrap();
    let config = cluster.directory().join("guard-config.yaml");
    fs::write(&config, "{apiVersion: aksarc.dev/v1alpha1, kind: GuardConfig, mode: enforce, platform: azure-local}")
        .unwrap();
    let made = Finished::run(program.args(["manifest", "--config"]).arg(&config), None).unwrap();
    let apply = |text: &str| cluster.kubectl_with(&Identity::Admin, ["apply", "-f", "-"], text).unwrap();
    apply(made.succeeded().unwrap()).succeeded().unwrap();
    apply(&fs::read_to_string(root().join("deploy/guard-protection.yaml")).unwrap()).succeeded().unwrap();
    apply(&fs::read_to_string(root().join("deploy/supportwaiver.yaml")).unwrap()).succeeded().unwrap();
    await_denied(&cluster).unwrap();
    await_in_force(&cluster).unwrap();
    let before = trusted(&cluster).unwrap();

    for command in chart::commands("Coming from the manifest").unwrap() {
        let words: Vec<&str> = command.split(' ').collect();
        let (program, words) = words.split_first().unwrap();
        let words: Vec<String> = words.iter().map(|own| own.replace('"', "")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let finished = match *program {
            "helm" => helm(&cluster, &words),
            _ => cluster.kubectl(&Identity::Admin, words),
        };
        finished.unwrap().succeeded().unwrap();
    }
    assert_eq!((trusted(&cluster).unwrap(), mode(&cluster).unwrap()), (before, "enforce".to_owned()));
    await_denied(&cluster).unwrap();
    await_in_force(&cluster).unwrap();
    helm(&cluster, &["upgrade", "guard", CHART, "--set=labels.team=edge"]).unwrap().succeeded().unwrap();
    await_denied(&cluster).unwrap();
}

#[test]
fn the_packaged_chart_installs_from_a_registry() {
    let cluster = cluster(Kubernetes::NEWEST);
    let _kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();
    let registry = Registry::start(cluster.directory()).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let package = cluster.directory().join(format!("aksarc-guard-{version}.tgz"));
    let (package, charts) = (package.to_str().unwrap(), registry.charts());
    let run = |arguments: &[&str]| helm(&cluster, arguments).unwrap().succeeded().unwrap().to_owned();
    run(&["package", CHART, "--destination", cluster.directory().to_str().unwrap()]);
    run(&["push", package, &charts, "--plain-http"]);
    let chart = format!("{charts}/aksarc-guard");
    let pulled = ["--version", version, "--plain-http"];
    // What is pulled renders as the chart of the checkout does.
    let template = |chart: &str, further: &[&str]| run(&[&["template", "guard", chart][..], further].concat());
    assert_eq!(template(&chart, &pulled), template(CHART, &[]));
    run(&[&["install", "guard", &chart, "--wait", ENFORCE][..], &pulled].concat());
    await_denied(&cluster).unwrap();
    let listed: Value = serde_json::from_str(&run(&["list", "--output=json"])).unwrap();
    assert_eq!(listed[0]["chart"], format!("aksarc-guard-{version}"));
    run(&["uninstall", "guard"]);
}

#[test]
fn api_servers_take_every_set_of_options() {
    for kubernetes in [Kubernetes::V1_28, Kubernetes::NEWEST, Kubernetes::V1_36] {
        let cluster = ControlPlane::start(kubernetes).unwrap();
        let space = ["create", "namespace", manifest::NAMESPACE];
        cluster.kubectl(&Identity::Admin, space).unwrap().succeeded().unwrap();
        let version = kubernetes.git_version();
        for (name, values) in option_sets().unwrap() {
            let rendered = chart::render(&values, version, &[]).unwrap();
            if kubernetes == Kubernetes::V1_28 && name == "all on" {
                rendered.failed().unwrap();
                continue;
            }
            let mut objects = objects(rendered.succeeded().unwrap()).unwrap();
            // Their resources are other products'.
            let foreign = ["monitoring.coreos.com/v1", "cert-manager.io/v1"];
            objects.retain(|own| !foreign.contains(&own["apiVersion"].as_str().unwrap()));
            let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
            let apply = ["apply", "--dry-run=server", "--server-side", "--validate=strict", "-f", "-"];
            let taken = cluster.kubectl_with(&Identity::Admin, apply, &list).unwrap();
            let taken = taken.succeeded().unwrap_or_else(|error| panic!("{name} on {version}: {error:#}"));
            assert_eq!(taken.lines().count(), objects.len(), "{name} on {version}");
        }
    }
}

const ENFORCE: &str = "--set=config.mode=enforce";
const WARN: &str = "--set=config.mode=warn";
const CONFIG: &str = "config: {mode: enforce, platform: azure-local}";
