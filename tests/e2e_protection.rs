//! The policy that `aksarc-webhook manifest --protection` prints, on a real API server: what it stops, and its way out.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::path::Path;
use std::time::Duration;

use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes, wait};

#[test]
fn a_person_cannot_remove_the_guards_configuration_and_the_ways_out_work() {
    let cluster = ControlPlane::builder(Kubernetes::V1_33).start().unwrap();
    let protection = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/guard-protection.yaml");
    for name in [GUARD, PLATFORM.1, "own.example.com"] {
        let kind = if name == PLATFORM.1 { "MutatingWebhookConfiguration" } else { "ValidatingWebhookConfiguration" };
        let object = format!(
            r#"{{"apiVersion":"admissionregistration.k8s.io/v1","kind":"{kind}","metadata":{{"name":"{name}"}},"webhooks":[]}}"#
        );
        let file = cluster.directory().join(format!("{name}.json"));
        std::fs::write(&file, object).unwrap();
        kubectl(&cluster, &Identity::Admin, &["apply", "-f", file.to_str().unwrap()]).succeeded().unwrap();
    }
    kubectl(&cluster, &Identity::Admin, &["apply", "-f", protection.to_str().unwrap()]).succeeded().unwrap();
    // A policy takes a moment to count.
    wait::until("the policy to count", Duration::from_mins(1), || {
        let tried = kubectl(&cluster, &Identity::Admin, &["label", VALIDATING, GUARD, "a=b", "--dry-run=server"]);
        if refused(&tried) { Ok(()) } else { Err(format!("{}{}", tried.stdout, tried.stderr)) }
    })
    .unwrap();
    for who in [Identity::Person, Identity::Admin] {
        for arguments in [
            vec!["delete", VALIDATING, GUARD],
            vec!["delete", VALIDATING, "--all"],
            vec!["delete", PLATFORM.0, PLATFORM.1],
            vec!["annotate", PLATFORM.0, PLATFORM.1, "a=b"],
        ] {
            let tried = kubectl(&cluster, &who, &[arguments.clone(), vec!["--dry-run=server"]].concat());
            assert!(refused(&tried), "{who:?} {arguments:?}: {}{}", tried.stdout, tried.stderr);
        }
        let own = ["label", VALIDATING, "own.example.com", "a=b", "--dry-run=server"];
        kubectl(&cluster, &who, &own).succeeded().unwrap();
    }
    // Really, not as a dry run: the configuration stays.
    assert!(refused(&kubectl(&cluster, &Identity::Person, &["delete", VALIDATING, GUARD])));
    kubectl(&cluster, &Identity::Admin, &["get", VALIDATING, GUARD]).succeeded().unwrap();
    // The ways out, as the manifest prints them.
    let break_glass = ["delete", VALIDATING, GUARD, "--as=alice@contoso.example", "--as-group=aksarc:break-glass"];
    kubectl(
        &cluster,
        &Identity::Admin,
        &["create", "clusterrolebinding", "break-glass", "--clusterrole=cluster-admin", "--group=aksarc:break-glass"],
    )
    .succeeded()
    .unwrap();
    kubectl(&cluster, &Identity::Admin, &break_glass).succeeded().unwrap();
    kubectl(&cluster, &Identity::Admin, &["delete", "validatingadmissionpolicybinding", "protection.guard.aksarc.dev"])
        .succeeded()
        .unwrap();
    wait::until("the policy to be gone", Duration::from_mins(1), || {
        let tried = kubectl(&cluster, &Identity::Admin, &["delete", PLATFORM.0, PLATFORM.1]);
        if tried.code == Some(0) { Ok(()) } else { Err(tried.stderr) }
    })
    .unwrap();
}

fn kubectl(cluster: &ControlPlane, who: &Identity, arguments: &[&str]) -> Finished {
    cluster.kubectl(who, arguments.iter().copied()).unwrap()
}

/// By our policy: RBAC says forbidden too.
fn refused(tried: &Finished) -> bool {
    tried.code != Some(0) && tried.stderr.contains("protection.guard.aksarc.dev")
}

const GUARD: &str = "guard.aksarc.dev";
const VALIDATING: &str = "validatingwebhookconfiguration";
const PLATFORM: (&str, &str) = ("mutatingwebhookconfiguration", "azure-wi-webhook-mutating-webhook-configuration");
