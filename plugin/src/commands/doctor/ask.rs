//! The requests of the doctor: GETs, and the one POST that asks what the caller may do.

use std::time::{Duration, Instant};

use aksarc_shared::chain::Chain;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, USER_AGENT};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use kube::client::Body;
use serde_json::{Value, json};

use crate::client::Connection;

/// Asks one cluster.
#[derive(Clone)]
pub(super) struct Asker {
    connection: Connection,
    limit: Duration,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    /// The local clock when the request went out.
    pub(super) sent: Timestamp,
    pub(super) took: Duration,
}

impl Asker {
    pub(super) fn new(connection: Connection, limit: Duration) -> Self {
        Asker { connection, limit }
    }

    /// Gets a path.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.send(Method::GET, path, Vec::new()).await
    }

    /// Whether the caller may do something; the server answers, and creates nothing.
    ///
    /// # Errors
    /// Why that is not known.
    pub(super) async fn may(&self, attributes: &Value) -> Result<bool, String> {
        let review =
            json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": attributes});
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer = self.send(Method::POST, path, review.to_string().into_bytes()).await?;
        match answer.body.pointer("/status/allowed").and_then(Value::as_bool) {
            Some(allowed) if answer.status < 300 => Ok(allowed),
            _ => Err(format!("the server answered {} {}", answer.status, answer.message())),
        }
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Answer, String> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, crate::cli::tool::USER_AGENT)
            .body(Body::from(body))
            .map_err(|error| error.to_string())?;
        let (sent, begun) = (Timestamp::now(), Instant::now());
        let exchange = async {
            let response = self.connection.client.send(request).await.map_err(|error| Chain(&error).to_string())?;
            let took = begun.elapsed();
            let (parts, body) = response.into_parts();
            let bytes = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| error.to_string())?.to_bytes();
            let body = serde_json::from_slice(&bytes).unwrap_or_default();
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, sent, took })
        };
        let answer = tokio::time::timeout(self.limit, exchange).await;
        answer.unwrap_or_else(|_| Err(format!("no complete answer within {:?}", self.limit)))
    }
}

impl Answer {
    /// What a `Status` says.
    pub(super) fn message(&self) -> String {
        let message = self.body.get("message").and_then(Value::as_str).unwrap_or_default();
        aksarc_shared::text::line(message, 200)
    }

    /// The items of a list; `None` when it is none.
    pub(super) fn items(&self) -> Option<&Vec<Value>> {
        self.body.get("items").filter(|_| self.status == 200)?.as_array()
    }
}

/// Webhook configurations carry certificates; a thousand of them have a few megabytes.
const MAX_ANSWER: usize = 32 << 20;
