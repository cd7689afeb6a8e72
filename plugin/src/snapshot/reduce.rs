//! What a snapshot leaves out: what no rule reads and what may be secret.
//!
//! - `data` and `binaryData` of `ConfigMaps`; Secrets are never asked for;
//! - the annotation `kubectl.kubernetes.io/last-applied-configuration`, a copy of a whole manifest;
//! - of containers: `env`, `envFrom`, `command`, `args`, `lifecycle` and probes, which hold passwords now and then;
//! - of nodes: `status.images`, which is large.

use std::io::{self, Write};

use aksarc_shared::read::json::ReadError;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Writes a page of a list in reduced form, one object at a time.
///
/// # Errors
/// [`crate::collect::PageError`] when the bytes are no list, or `out` cannot be written.
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

fn object(value: &mut Value, kind: &str) {
    let Some(fields) = value.as_object_mut() else { return };
    for field in ["data", "binaryData", "stringData"] {
        fields.remove(field);
    }
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
            containers.filter_map(Value::as_object_mut).for_each(container);
        }
    }
}

fn container(fields: &mut Map<String, Value>) {
    for field in ["env", "envFrom", "command", "args", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        fields.remove(field);
    }
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_does_not_get_in() {
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
}
