//! Requests to the API server. Reads and writes are different types, and a write can only be sent rehearsed, once the gate
//! has let it through.

use aksarc_shared::k8s::kinds::escaped;
use serde_json::{Value, json};

use super::api_path::ApiPath;
use super::gate::Cleared;

/// A read: always a GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The path, already escaped.
    pub path: String,
    /// Query parameters, not yet escaped.
    pub query: Vec<(String, String)>,
    /// The `Accept` header.
    pub accept: &'static str,
}

impl Read {
    /// A read of JSON.
    pub fn of(path: impl Into<String>) -> Self {
        Read { path: path.into(), query: Vec::new(), accept: JSON }
    }

    /// Adds a query parameter, unless its value is empty.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.query.push((key.to_owned(), value.to_owned()));
        }
        self
    }
}

/// What a write does, and with what kind of body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// DELETE with `DeleteOptions`.
    Delete,
    /// PATCH with a server-side apply.
    PatchApply,
    /// PATCH with a JSON Patch.
    PatchJson,
    /// PATCH with a JSON merge patch.
    PatchMerge,
    /// PATCH with a strategic merge patch.
    PatchStrategic,
    /// POST of a new object.
    Post,
    /// PUT of a whole object.
    Put,
}

impl Method {
    /// The HTTP method.
    pub fn http(self) -> &'static str {
        match self {
            Method::Delete => "DELETE",
            Method::PatchApply | Method::PatchJson | Method::PatchMerge | Method::PatchStrategic => "PATCH",
            Method::Post => "POST",
            Method::Put => "PUT",
        }
    }

    /// The body's media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Method::Delete | Method::Post | Method::Put => JSON,
            Method::PatchApply => "application/apply-patch+yaml",
            Method::PatchJson => "application/json-patch+json",
            Method::PatchMerge => "application/merge-patch+json",
            Method::PatchStrategic => "application/strategic-merge-patch+json",
        }
    }

    /// The verb that RBAC asks for.
    pub fn rbac_verb(self) -> &'static str {
        match self {
            Method::Delete => "delete",
            Method::PatchApply | Method::PatchJson | Method::PatchMerge | Method::PatchStrategic => "patch",
            Method::Post => "create",
            Method::Put => "update",
        }
    }
}

/// A write as kubectl would send it. It says nothing about dry run: [`rehearse`] does, for every write there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// What it does.
    pub method: Method,
    /// The path.
    pub path: ApiPath,
    /// Query parameters, not yet escaped.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Value,
}

impl Write {
    /// A write without query parameters.
    pub fn new(method: Method, path: ApiPath, body: Value) -> Self {
        Write { method, path, query: Vec::new(), body }
    }

    /// Adds a query parameter, unless its value is empty.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.query.push((key.to_owned(), value.to_owned()));
        }
        self
    }
}

/// A request ready for the wire. [`plain`] and [`rehearse`] alone make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    method: &'static str,
    target: String,
    accept: &'static str,
    content_type: Option<&'static str>,
    body: Vec<u8>,
}

impl Wire {
    /// The HTTP method.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Path and query, escaped.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The `Accept` header.
    pub fn accept(&self) -> &'static str {
        self.accept
    }

    /// The `Content-Type` header, when there is a body.
    pub fn content_type(&self) -> Option<&'static str> {
        self.content_type
    }

    /// The body.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

/// Makes a write that the gate has let through ready for the wire. This is the only way a write gets there, and it always
/// asks for `dryRun=All`: in the query, and for deletes in the `DeleteOptions` too, because the API server ignores the query
/// when a body is there.
pub fn rehearse(cleared: &Cleared) -> Wire {
    let write = cleared.write();
    let mut body = write.body.clone();
    if write.method == Method::Delete {
        if !body.is_object() {
            body = json!({});
        }
        if let Some(options) = body.as_object_mut() {
            options.insert("kind".to_owned(), json!("DeleteOptions"));
            options.insert("apiVersion".to_owned(), json!("v1"));
            options.insert("dryRun".to_owned(), json!(["All"]));
        }
    }
    let mut query: Vec<(String, String)> = write.query.iter().filter(|(key, _)| key != "dryRun").cloned().collect();
    query.push(("dryRun".to_owned(), "All".to_owned()));
    Wire {
        method: write.method.http(),
        target: target(write.path.as_str(), &query),
        accept: JSON,
        content_type: Some(write.method.content_type()),
        body: body.to_string().into_bytes(),
    }
}

/// Makes a read ready for the wire.
pub fn plain(read: &Read) -> Wire {
    Wire {
        method: "GET",
        target: target(&read.path, &read.query),
        accept: read.accept,
        content_type: None,
        body: Vec::new(),
    }
}

fn target(path: &str, query: &[(String, String)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(key, value)| format!("{}={}", escaped(key), escaped(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// The API server's answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The texts of its `Warning` headers.
    pub warnings: Vec<String>,
    /// The body; `null` when it is no JSON.
    pub body: Value,
}

impl Answer {
    /// Whether the server did as asked.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The texts of one `Warning` header (RFC 7234, section 5.5): `299 - "text"`, several separated by commas.
pub fn warnings(header: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = header;
    while let Some((_, quoted)) = rest.split_once('"') {
        let (mut text, mut escaped, mut end) = (String::new(), false, None);
        for (at, c) in quoted.char_indices() {
            match c {
                _ if escaped => {
                    text.push(c);
                    escaped = false;
                }
                '\\' => escaped = true,
                '"' => {
                    end = Some(at + 1);
                    break;
                }
                _ => text.push(c),
            }
        }
        texts.push(text);
        let Some(after) = end.and_then(|end| quoted.get(end..)) else { break };
        rest = after;
    }
    texts
}

/// What kubectl asks for.
pub const JSON: &str = "application/json";

#[cfg(test)]
mod tests {
    use super::super::discover::Resource;
    use super::super::gate::tests::cleared;
    use super::*;

    const METHODS: [Method; 7] = [
        Method::Delete,
        Method::PatchApply,
        Method::PatchJson,
        Method::PatchMerge,
        Method::PatchStrategic,
        Method::Post,
        Method::Put,
    ];

    #[test]
    fn every_write_goes_out_rehearsed_whatever_it_says_itself() {
        let nodes = Resource { version: "v1".to_owned(), plural: "nodes".to_owned(), ..Resource::default() };
        let node = || nodes.path("", "a", "");
        for method in METHODS {
            let write = Write::new(method, node(), json!({"dryRun": []})).with("dryRun", "None");
            let wire = rehearse(&cleared(write));
            assert_eq!(wire.target, "/api/v1/nodes/a?dryRun=All", "{method:?}");
            if method == Method::Delete {
                let body: Value = serde_json::from_slice(&wire.body).unwrap();
                assert_eq!(body, json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}));
            }
        }
        let wire = rehearse(&cleared(Write::new(Method::Delete, node(), Value::Null)));
        assert_eq!(serde_json::from_slice::<Value>(&wire.body).unwrap()["dryRun"], json!(["All"]));
    }

    #[test]
    fn paths_and_queries_cannot_be_steered_by_names() {
        assert_eq!(escaped("system:node"), "system:node");
        assert_eq!(escaped("../a?dryRun=None&b #"), "..%2Fa%3FdryRun%3DNone%26b%20%23");
        let read = Read::of("/api/v1/nodes").with("labelSelector", "a=b,c!=d").with("continue", "");
        assert_eq!(plain(&read).target, "/api/v1/nodes?labelSelector=a%3Db%2Cc%21%3Dd");
    }

    #[test]
    fn warning_headers_are_read_with_their_escapes() {
        assert_eq!(warnings(r#"299 - "AA205: a \"quoted\" word""#), [r#"AA205: a "quoted" word"#]);
        assert_eq!(warnings(r#"299 - "one", 299 - "two, and""#), ["one", "two, and"]);
        assert_eq!(warnings("299 - nothing quoted"), Vec::<String>::new());
        assert_eq!(warnings("299 - \"cut"), ["cut"]);
    }
}
