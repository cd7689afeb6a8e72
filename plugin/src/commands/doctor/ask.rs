//! The requests of the doctor: GETs, and the POST of a SelfSubjectAccessReview.

use std::sync::Arc;

use serde_json::Value;

use crate::api::{ApiRequest, Reply, RequestError};
use crate::collect::Reader;

/// The sender of the doctor's requests to one cluster.
#[derive(Clone)]
pub(super) struct Asker(Arc<Reader>);

impl Asker {
    /// An asker that uses the sender of a reader.
    pub(super) fn new(reader: Arc<Reader>) -> Self {
        Asker(reader)
    }

    /// The reply to a GET, with null for a body that is not JSON.
    ///
    /// # Errors
    /// [`RequestError`]; an HTTP error is a reply.
    pub(super) async fn get(&self, path: &str) -> Result<Reply<Value>, RequestError> {
        self.send(&ApiRequest::get(path)).await
    }

    /// Whether the caller may do something. The server answers, and creates nothing.
    ///
    /// # Errors
    /// The reason why that is not known.
    pub(super) async fn may(&self, attributes: &Value) -> Result<bool, String> {
        let reply = self.send(&ApiRequest::access_review(attributes)).await.map_err(|error| error.reason())?;
        match reply.body.pointer("/status/allowed").and_then(Value::as_bool) {
            Some(allowed) if reply.status.as_u16() < 300 => Ok(allowed),
            _ => Err(format!("the server answered {} {}", reply.status.as_u16(), message(&reply))),
        }
    }

    async fn send(&self, request: &ApiRequest) -> Result<Reply<Value>, RequestError> {
        Ok(self.0.sender().send(request).await?.json_or_null())
    }
}

/// The message of a `Status`, short enough for a summary.
pub(super) fn message(reply: &Reply<Value>) -> String {
    let message = reply.body.get("message").and_then(Value::as_str).unwrap_or_default();
    aksarc_shared::text::line(message, 200)
}

/// The items of a list; `None` when the reply is not a list.
pub(super) fn items(reply: &Reply<Value>) -> Option<&Vec<Value>> {
    reply.body.get("items").filter(|_| reply.status == http::StatusCode::OK)?.as_array()
}
