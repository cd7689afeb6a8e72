//! Values of the chart that tests render.

use std::fs;

use serde_json::{Value, json};

use crate::root;

/// Values that differ from the defaults, each with a name.
///
/// # Errors
/// The example of a configuration cannot be read.
pub fn option_sets() -> anyhow::Result<Vec<(&'static str, String)>> {
    let on = [
        "serviceMonitor",
        "prometheusRule",
        "dashboard",
        "flowSchema",
        "networkPolicy",
        "protection",
        "rulePolicies",
        "hooks",
    ];
    let all = |word: &str| on.map(|name| format!("{name}: {word}\n")).concat();
    let cert_manager = "certificates: {mode: cert-manager, certManager: {issuer: {name: ours}}}\n";
    let example = fs::read_to_string(root().join("deploy/guard-config.example.yaml"))?;
    let example: Value = serde_saphyr::from_str(&example)?;
    let text = |value: Value| value.to_string();
    Ok(vec![
        ("default", String::new()),
        ("all on", all("\"on\"")),
        ("all off", all("off")),
        ("cert-manager", cert_manager.to_owned()),
        ("provided", text(json!({"certificates": {"mode": "provided", "authority": "PEM"}}))),
        ("nodes' network", "hostNetwork: true\nreplicas: 3\n".to_owned()),
        ("example", text(json!({"config": example}))),
        (
            "rules",
            text(json!({"config": {"mode": "warn", "rules": {
            "AA406": "warn", "managed-component-changed": "off", "AA307": "warn"}}})),
        ),
        (
            "people",
            text(json!({"config": {"actors": {
            "people": {"users": ["a\"b", "c<d"], "groups": ["contoso:ops"], "credentialIds": ["X509SHA256=0"]},
            "platform": {"users": ["system:serviceaccount:a:b"], "groups": ["g"], "credentialIds": ["X509SHA256=1"]}}}})),
        ),
        (
            "components",
            text(json!({"config": {"components": [
            {"name": "vault", "kinds": ["Deployment"], "namespaces": ["vault", "vault-two"]},
            {"name": "odd", "kinds": ["NoSuchKind"], "namespaces": ["odd"]},
            {"prefix": "csi-ours-", "kinds": ["DaemonSet", "Pod"], "namespaces": ["kube-system"]}]}})),
        ),
        (
            "lawful",
            text(json!({"config": {"platform": "windows-server", "actors": {"ambiguous": "deny"}, "lawful": [
            {"kind": "Job", "namespace": "kube-system", "prefix": "a\"b-"},
            {"kind": "CronJob", "namespace": "kube-system", "name": "etcd-backup"},
            {"kind": "ConfigMap", "namespace": "kube-system", "name": "settings"}]}})),
        ),
        ("bare metal", text(json!({"config": {"platform": "bare-metal"}}))),
        (
            "places",
            text(json!({
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}}},
            "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}],
            "nodeSelector": {"pool": "infra"}, "priorityClassName": "ours", "labels": {"team": "edge"},
            "annotations": {"owner": "edge"}, "podLabels": {"a": "b"}, "podAnnotations": {"c": "d"},
            "ports": {"review": 10250}, "podCidrs": ["10.244.0.0/16", "fd00:10:244::/56"], "logLevel": "debug",
            "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": 1}},
            "check": {"enabled": true}, "crds": {"keep": false}})),
        ),
        (
            "check",
            text(
                json!({"check": {"enabled": true, "schedule": "@weekly", "timeZone": "Europe/Berlin", "staleAfterHours": 340,
            "args": ["--platform-release=2602"], "successfulJobsHistoryLimit": 0, "resources": {"limits": {"memory": "1Gi"}}},
            "config": {"platform": "azure-local"}, "prometheusRule": true}),
            ),
        ),
        (
            "images",
            text(
                json!({"check": {"enabled": true, "image": {"digest": format!("sha256:{}", "1".repeat(64))}}, "image": {"digest": format!("sha256:{}", "0".repeat(64))},
            "imagePullSecrets": ["one"], "global": {"imageRegistry": "registry.example:5000", "imagePullSecrets": ["two"],
            "of-a-parent": true}}),
            ),
        ),
    ])
}
