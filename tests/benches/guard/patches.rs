//! What a person waits for a label of a node, through a real API server that asks nobody, the bare responder or the guard.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use aksarc_tests::figures::median;
use aksarc_tests::{Answer, ControlPlane, Http, Identity, Kubernetes, PatchKind, wait};
use anyhow::{Context, ensure};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::review::{Edit, image, node};
use super::server::Server;

/// The median time of a patch, in milliseconds.
pub(crate) struct Patches {
    /// Nobody is asked.
    pub(crate) none: f64,
    /// The bare responder is.
    pub(crate) bare: f64,
    /// The guard is.
    pub(crate) guard: f64,
}

/// Patches three nodes in turn. The API server asks another webhook about each, by its label.
pub(crate) fn measure(bare: &Server, guard: &Server, directory: &Path) -> anyhow::Result<Patches> {
    let cluster = ControlPlane::start(Kubernetes::V1_33)?;
    let admin = cluster.http(&Identity::Admin)?;
    let person = cluster.http(&Identity::Person)?;
    for asked in ASKED {
        make(&admin, asked)?;
    }
    register(&admin, bare, guard, directory)?;
    wait::until("both webhooks to be asked", LIMIT, || {
        let before = bare.cpu().map_err(|error| error.to_string())?;
        let sent = label(&person, "bare", 0).map_err(|error| error.to_string())?;
        let refused = system_label(&person, "guard").map_err(|error| error.to_string())?;
        let asked = bare.cpu().map_err(|error| error.to_string())? > before;
        if sent.is_success() && asked && refused.code == 403 { Ok(()) } else { Err(refused.body) }
    })?;
    let mut times: [Vec<f64>; 3] = Default::default();
    for round in 0..=ROUNDS {
        for (asked, times) in ASKED.iter().zip(&mut times) {
            let begun = Instant::now();
            let answer = label(&person, asked, round)?;
            let time = begun.elapsed();
            ensure!(answer.is_success() && answer.warnings.is_empty(), "{asked}: {}", answer.body);
            // The first patches of all fill caches.
            if round > WARM_UP {
                times.push(time.as_secs_f64() * 1_000.0);
            }
        }
    }
    let [none, bare, guard] = times.map(median);
    Ok(Patches { none, bare, guard })
}

/// A node whose label says who is asked about it.
fn make(admin: &Http, asked: &str) -> anyhow::Result<()> {
    let images: Vec<Value> = (0..IMAGES).map(image).collect();
    let mut object = node(Edit::Lawful, &images, false);
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut).context("no metadata")?;
    metadata.retain(|field, _| matches!(field.as_str(), "labels" | "annotations"));
    metadata.insert("name".to_owned(), json!(asked));
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.insert(LABEL.to_owned(), json!(asked));
    }
    let status = json!({"status": object.get("status")});
    admin.post("/api/v1/nodes", &object)?.object()?;
    admin.patch(&format!("/api/v1/nodes/{asked}/status"), PatchKind::Merge, &status)?.object().map(drop)
}

/// Registers both servers. A webhook that does not answer fails the patch, so that no time is one without an answer.
fn register(admin: &Http, bare: &Server, guard: &Server, directory: &Path) -> anyhow::Result<()> {
    let authority = serde_json::to_value(ByteString(fs::read(directory.join("tls.crt"))?))?;
    let webhook = |name: &str, server: &Server| {
        json!({
            "name": format!("{name}.bench.example"), "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": "Fail", "timeoutSeconds": 10,
            "clientConfig": {"url": format!("https://{}/validate", server.address), "caBundle": authority},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["nodes"]}],
            "objectSelector": {"matchLabels": {LABEL: name}},
        })
    };
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "bench"}, "webhooks": [webhook("bare", bare), webhook("guard", guard)],
    });
    admin
        .post("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", &configuration)?
        .object()
        .map(drop)
}

/// A lawful label.
fn label(person: &Http, node: &str, round: usize) -> anyhow::Result<Answer> {
    patch(person, node, &json!({"contoso.example/site": format!("ams-{round}")}))
}

/// A label of the system's, which the guard refuses.
fn system_label(person: &Http, node: &str) -> anyhow::Result<Answer> {
    patch(person, node, &json!({"node.kubernetes.io/instance-type": "edge-big"}))
}

fn patch(person: &Http, node: &str, labels: &Value) -> anyhow::Result<Answer> {
    let path = format!("/api/v1/nodes/{node}?fieldManager=kubectl-label");
    person.patch(&path, PatchKind::Merge, &json!({"metadata": {"labels": labels}}))
}

/// The nodes, by who is asked about them.
const ASKED: [&str; 3] = ["none", "bare", "guard"];
const LABEL: &str = "bench.example/asked";
/// Makes a review of 23 KB.
const IMAGES: usize = 42;
const WARM_UP: usize = 20;
const ROUNDS: usize = 420;
const LIMIT: Duration = Duration::from_mins(1);
