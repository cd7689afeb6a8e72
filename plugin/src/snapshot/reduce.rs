//! The reduction of objects for a snapshot: fields that no rule reads, and fields that may be secret, are left out.
//!
//! - `data` and `binaryData` of ConfigMaps, except the guard's own heartbeat record, the certificate authorities that
//!   Kubernetes publishes, and the names of the cluster's resource in Azure. Secrets are never requested.
//! - The annotation `kubectl.kubernetes.io/last-applied-configuration`, a copy of a whole manifest.
//! - Of containers: `env`, `envFrom`, `command`, `args`, `lifecycle` and probes, which sometimes hold passwords. Of a
//!   static pod's command line the flags stay that rules read, and of other command lines the words that reveal a
//!   mitigation of Microsoft's.
//! - Of nodes: `status.images`, which is large.

use std::io::{self, Write};

use aksarc_shared::data::{embedded, own};
use aksarc_shared::facts::azure_resource;
use aksarc_shared::k8s::certificate::Published;
use aksarc_shared::k8s::pod::READ_FLAGS;
use aksarc_shared::k8s::read::json::ReadError;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Writes a page of a list in reduced form, one object at a time.
///
/// # Errors
/// [`crate::collect::PageError`] when the bytes are not a list, or `out` cannot be written.
pub fn page(
    bytes: &[u8],
    kind: &str,
    api_version: &str,
    out: &mut impl Write,
) -> Result<(), crate::collect::PageError> {
    #[derive(Deserialize)]
    struct Items<'a> {
        #[serde(borrow, default)]
        items: Option<Vec<&'a RawValue>>,
    }
    let page: Items<'_> = serde_json::from_slice(bytes).map_err(ReadError::from)?;
    write!(out, "{{\"kind\":\"{kind}List\",\"apiVersion\":\"{api_version}\",\"metadata\":{{}},\"items\":[")?;
    for (number, item) in page.items.unwrap_or_default().into_iter().enumerate() {
        let mut value: Value = serde_json::from_str(item.get()).map_err(ReadError::from)?;
        object(&mut value, kind);
        out.write_all(if number == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, &value).map_err(io::Error::from)?;
    }
    out.write_all(b"\n]}\n")?;
    Ok(())
}

/// Removes the fields of an object that no rule reads and that may be secret.
pub(super) fn object(value: &mut Value, kind: &str) {
    let Some(fields) = value.as_object_mut() else { return };
    let kept = if kind == "ConfigMap" { data(fields) } else { None };
    for field in ["data", "binaryData", "stringData"] {
        fields.remove(field);
    }
    fields.extend(kept.map(|data| ("data".to_owned(), data)));
    let mirror = fields.get("metadata").and_then(|meta| meta.get("annotations")).and_then(|own| own.get(MIRROR));
    let is_static = kind == "Pod" && mirror.is_some();
    if let Some(annotations) = value.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
    if kind == "Node"
        && let Some(status) = value.get_mut("status").and_then(Value::as_object_mut)
    {
        status.remove("images");
    }
    for path in ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"] {
        let Some(pod) = value.pointer_mut(path).and_then(Value::as_object_mut) else { continue };
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            let containers = pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
            containers.filter_map(Value::as_object_mut).for_each(|fields| container(fields, is_static));
        }
    }
}

/// The part of a ConfigMap's `data` that rules read.
fn data(fields: &Map<String, Value>) -> Option<Value> {
    let at = |field: &str| fields.get("metadata")?.get(field)?.as_str();
    let (namespace, name, data) = (at("namespace")?, at("name")?, fields.get("data")?);
    if namespace == own::NAMESPACE && name == HEARTBEAT {
        return Some(data.clone());
    }
    if embedded().namespaces.is_arc(namespace) && name == azure_resource::SETTINGS {
        let named = azure_resource::NAMING.into_iter().filter_map(|key| Some((key.to_owned(), data.get(key)?.clone())));
        return Some(Value::Object(named.collect()));
    }
    let mut published = Published::in_map(namespace, name).peekable();
    published.peek()?;
    let certificates = |own: &Published| {
        Some((own.key.to_owned(), certificates(data.get(own.key)?.as_str().unwrap_or_default()).into()))
    };
    Some(Value::Object(published.filter_map(certificates).collect()))
}

/// The certificates in a text, without the text around them.
fn certificates(text: &str) -> String {
    let mut inside = false;
    let kept = text.lines().filter(|line| {
        if line.starts_with("-----BEGIN") {
            inside = line.starts_with("-----BEGIN CERTIFICATE-----");
        }
        let kept = inside;
        inside &= !line.starts_with("-----END");
        kept
    });
    kept.flat_map(|line| [line, "\n"]).collect()
}

fn container(fields: &mut Map<String, Value>, is_static: bool) {
    let kept = if is_static { flags(fields) } else { signs(fields) };
    for field in ["env", "envFrom", "command", "args", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        fields.remove(field);
    }
    if !kept.is_empty() {
        fields.insert("command".to_owned(), kept.into());
    }
}

/// The words of a command that reveal a mitigation which Microsoft tells users to apply, in place of the command.
fn signs(fields: &Map<String, Value>) -> Vec<String> {
    let lists = ["command", "args"].into_iter().filter_map(|field| fields.get(field)?.as_array());
    let words: Vec<&str> = lists.flatten().filter_map(Value::as_str).collect();
    embedded().lawful.signs(&words.join(" ")).into_iter().map(str::to_owned).collect()
}

/// The flags that rules read, each with its value as `--flag=value`, so that none continues another.
fn flags(fields: &Map<String, Value>) -> Vec<String> {
    let lists = ["command", "args"].into_iter().filter_map(|field| fields.get(field)?.as_array());
    let mut words = lists.flatten().filter_map(Value::as_str).peekable();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        let Some((flag, rest)) = READ_FLAGS.iter().find_map(|flag| Some((flag, word.strip_prefix(flag)?))) else {
            continue;
        };
        if rest.starts_with('=') {
            kept.push(word.to_owned());
        } else if rest.is_empty()
            && let Some(value) = words.next_if(|next| !next.starts_with('-'))
        {
            kept.push(format!("{flag}={value}"));
        }
    }
    kept
}

/// The ConfigMap of the guard's heartbeat record.
const HEARTBEAT: &str = "guard-heartbeat";

/// The annotation of static pods, which the kubelet runs from its own disk.
const MIRROR: &str = "kubernetes.io/config.mirror";

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_may_be_secret_are_left_out() {
        let canary = "hunter2";
        let bytes = serde_json::json!({"items": [{
            "metadata": {"name": "a", "annotations": {LAST_APPLIED: canary, "keep": "this"}},
            "data": {"k": canary}, "binaryData": {"k": canary},
            "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "P", "value": canary}], "args": [canary]}]}}},
        }]});
        let mut out = Vec::new();
        page(bytes.to_string().as_bytes(), "ConfigMap", "v1", &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains(canary), "{text}");
        assert!(text.contains("\"keep\":\"this\"") && text.contains("\"image\":\"i\""));
    }

    #[test]
    fn a_static_pods_command_line_keeps_only_the_flags_that_rules_read() {
        let canary = "hunter2";
        let command =
            serde_json::json!(["kube-apiserver", format!("--password={canary}"), "--feature-gates=A=true", canary]);
        let args = serde_json::json!(["--audit-log-maxbackup", "0", "--token", canary, "--feature-gates"]);
        let pod = |annotations: Value| {
            let spec = serde_json::json!({"containers": [{"name": "c", "command": command, "args": args}]});
            let item = serde_json::json!({"metadata": {"name": "p", "annotations": annotations}, "spec": spec});
            let mut out = Vec::new();
            page(serde_json::json!({"items": [item]}).to_string().as_bytes(), "Pod", "v1", &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = pod(serde_json::json!({MIRROR: "x"}));
        assert!(text.contains(r#""command":["--feature-gates=A=true","--audit-log-maxbackup=0"]"#), "{text}");
        assert!(!text.contains(canary), "{text}");
        assert!(!pod(serde_json::json!({})).contains("command"));
    }

    #[test]
    fn the_guards_heartbeat_record_is_kept_and_no_other_data() {
        let map = |namespace: &str, name: &str| {
            let item = serde_json::json!({"metadata": {"name": name, "namespace": namespace}, "data": {"k": "kept"}, "binaryData": {"b": "c2VjcmV0"}});
            let mut out = Vec::new();
            page(serde_json::json!({"items": [item]}).to_string().as_bytes(), "ConfigMap", "v1", &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let text = map(own::NAMESPACE, HEARTBEAT);
        assert!(text.contains("kept") && !text.contains("c2VjcmV0"), "{text}");
        assert!(!map("default", HEARTBEAT).contains("kept") && !map(own::NAMESPACE, "other").contains("kept"));
    }

    #[test]
    fn settings_of_the_arc_agents_keep_only_the_names_of_the_clusters_resource() {
        let map = |namespace: &str| {
            let data = serde_json::json!({"AZURE_RESOURCE_NAME": "edge", "HTTP_PROXY": "http://hunter2@proxy"});
            let meta = serde_json::json!({"name": "azure-clusterconfig", "namespace": namespace});
            let mut value = serde_json::json!({"metadata": meta, "data": data});
            object(&mut value, "ConfigMap");
            value.get("data").cloned()
        };
        assert_eq!(map("azure-arc"), Some(serde_json::json!({"AZURE_RESOURCE_NAME": "edge"})));
        assert_eq!(map("shop"), None);
    }

    #[test]
    fn published_authorities_are_kept_without_the_text_around_them() {
        let block = |kind: &str, body: &str| format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n");
        let (certificate, canary) = (block("CERTIFICATE", "TUlJ"), block("PRIVATE KEY", "aHVudGVyMg=="));
        let map = |namespace: &str, name: &str| {
            let torn = block("CERTIFICATE", "TUlJ").replace("-----END CERTIFICATE-----\n", "");
            let bundle = format!("# hunter2\n{certificate}{canary}{torn}{canary}");
            let data = serde_json::json!({"ca.crt": bundle, "client-ca-file": bundle, "requestheader-allowed-names": "[\"hunter2\"]"});
            let mut value = serde_json::json!({"metadata": {"name": name, "namespace": namespace}, "data": data});
            object(&mut value, "ConfigMap");
            value.get("data").cloned()
        };
        let kept =
            |key: &str| Some(serde_json::json!({key: format!("{certificate}-----BEGIN CERTIFICATE-----\nTUlJ\n")}));
        assert_eq!(map("kube-system", "extension-apiserver-authentication"), kept("client-ca-file"));
        assert_eq!(map("kube-system", "kube-root-ca.crt"), kept("ca.crt"));
        assert_eq!((map("default", "kube-root-ca.crt"), map("kube-system", "coredns")), (None, None));
        // To a rule, text that is not a certificate is as unreadable as no text.
        let mut odd = serde_json::json!({"metadata": {"name": "kube-root-ca.crt", "namespace": "kube-system"}, "data": {"ca.crt": "soon"}});
        object(&mut odd, "ConfigMap");
        assert_eq!(odd["data"]["ca.crt"], "");
    }
}
