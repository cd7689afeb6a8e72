//! Requests to the API server: reads, access reviews, rehearsals of writes, and the writes of `report publish` and
//! `guard mode`.

use aksarc_shared::k8s::kinds::escaped;
use http::Method;
use serde_json::{Value, json};

/// A request, with its name for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    what: String,
    method: Method,
    target: String,
    accept: &'static str,
    content: Option<Content>,
    repeats: Repeats,
}

/// The body of a request, with its media type.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    media_type: &'static str,
    bytes: Vec<u8>,
}

/// The party that may repeat a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeats {
    /// The caller, after checking again which server would receive it.
    ByCaller,
    /// The sender.
    BySender,
}

impl ApiRequest {
    /// A GET of an escaped path, which may include a query.
    pub fn get(path: impl Into<String>) -> Self {
        Self::get_where(path, &[])
    }

    /// A GET of an escaped path, with query parameters that are escaped here. Empty ones are left out.
    pub fn get_where(path: impl Into<String>, query: &[(&str, &str)]) -> Self {
        let path = path.into();
        let what = format!("read {}", path.split('?').next().unwrap_or_default());
        let target = target(path, query.iter().copied().filter(|(_, value)| !value.is_empty()));
        ApiRequest { what, method: Method::GET, target, accept: JSON, content: None, repeats: Repeats::BySender }
    }

    /// A SelfSubjectAccessReview: the question whether the caller may do what the attributes describe. The server
    /// stores nothing.
    pub fn access_review(attributes: &Value) -> Self {
        let body =
            json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": attributes});
        ApiRequest {
            what: "ask what you may do".to_owned(),
            method: Method::POST,
            target: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_owned(),
            accept: JSON,
            content: Some(Content { media_type: JSON, bytes: body.to_string().into_bytes() }),
            repeats: Repeats::BySender,
        }
    }

    /// A write that the server is asked to rehearse. `dryRun=All` is in the query whatever `query` says, and for
    /// deletes in the `DeleteOptions` too, because the API server ignores the query when there is a body.
    ///
    /// Only [`crate::dry_run::call::rehearse`] calls this, with writes that the gate has cleared: some servers behind
    /// the API server store requests that they are asked to rehearse.
    pub(crate) fn rehearsal(
        method: Method,
        path: &str,
        query: &[(String, String)],
        media_type: &'static str,
        mut body: Value,
    ) -> Self {
        if method == Method::DELETE {
            if !body.is_object() {
                body = json!({});
            }
            if let Some(options) = body.as_object_mut() {
                options.insert("kind".to_owned(), json!("DeleteOptions"));
                options.insert("apiVersion".to_owned(), json!("v1"));
                options.insert("dryRun".to_owned(), json!(["All"]));
            }
        }
        let own = query.iter().filter(|(key, _)| key != DRY_RUN).map(|(key, value)| (&**key, &**value));
        ApiRequest {
            what: format!("rehearse {method} {path}"),
            target: target(path.to_owned(), own.chain([(DRY_RUN, "All")])),
            method,
            accept: JSON,
            content: Some(Content { media_type, bytes: body.to_string().into_bytes() }),
            repeats: Repeats::ByCaller,
        }
    }

    /// A write that makes an object what `object` says, by server-side apply: `manager` owns its fields then, also those
    /// that others had written. Sent twice it makes the same object.
    ///
    /// Only `report publish` and `guard mode` call this: no other command changes anything in a cluster.
    pub(crate) fn apply(path: &str, manager: &str, object: &Value) -> Self {
        ApiRequest {
            what: format!("apply {path}"),
            method: Method::PATCH,
            target: target(path.to_owned(), [("fieldManager", manager), ("force", "true")].into_iter()),
            accept: JSON,
            content: Some(Content {
                media_type: "application/apply-patch+yaml",
                bytes: object.to_string().into_bytes(),
            }),
            repeats: Repeats::BySender,
        }
    }

    /// The request with a name for messages: a verb and its object, such as `list nodes`.
    #[must_use]
    pub fn named(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    /// The request with another `Accept` header than that of JSON.
    #[must_use]
    pub fn accepting(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    /// The name for messages, such as `list nodes` or `read /version`.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The HTTP method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Path and query, escaped.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The media type of the body; `None` where there is none.
    pub fn content_type(&self) -> Option<&'static str> {
        Some(self.content.as_ref()?.media_type)
    }

    /// The body; empty where there is none.
    pub fn body(&self) -> &[u8] {
        self.content.as_ref().map_or(&[], |content| &content.bytes)
    }

    pub(super) fn accept(&self) -> &'static str {
        self.accept
    }

    pub(super) fn repeats(&self) -> Repeats {
        self.repeats
    }
}

fn target<'q>(path: String, query: impl Iterator<Item = (&'q str, &'q str)>) -> String {
    let pairs: Vec<String> = query.map(|(key, value)| format!("{}={}", escaped(key), escaped(value))).collect();
    if pairs.is_empty() { path } else { format!("{path}?{}", pairs.join("&")) }
}

/// The media type that kubectl asks for.
pub const JSON: &str = "application/json";

const DRY_RUN: &str = "dryRun";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "nothing is sent")]
    fn every_write_is_a_rehearsal_whatever_its_query_and_its_body_say() {
        let query = [("fieldManager".to_owned(), "a&dryRun=None".to_owned()), ("dryRun".to_owned(), "None".to_owned())];
        for method in [Method::PATCH, Method::POST, Method::PUT, Method::DELETE] {
            let request = ApiRequest::rehearsal(method.clone(), "/api/v1/nodes/a", &query, JSON, json!({"dryRun": []}));
            let target = "/api/v1/nodes/a?fieldManager=a%26dryRun%3DNone&dryRun=All";
            assert_eq!((request.method(), request.target()), (&method, target));
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let all = if method == Method::DELETE { json!(["All"]) } else { json!([]) };
            assert_eq!(body["dryRun"], all, "{method}");
        }
    }

    #[test]
    fn queries_cannot_be_steered_by_values_and_empty_ones_are_left_out() {
        let request = ApiRequest::get_where("/api/v1/nodes", &[("labelSelector", "a=b,c!=d&x"), ("continue", "")]);
        assert_eq!(request.target(), "/api/v1/nodes?labelSelector=a%3Db%2Cc%21%3Dd%26x");
        assert_eq!(ApiRequest::get("/version?timeout=1s").what(), "read /version");
    }
}
