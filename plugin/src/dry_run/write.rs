//! Writes as kubectl would send them.

use serde_json::Value;

use super::api_path::ApiPath;
use crate::api::JSON;

/// The method of a write, with the type of its body.
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
    pub fn http(self) -> http::Method {
        match self {
            Method::Delete => http::Method::DELETE,
            Method::PatchApply | Method::PatchJson | Method::PatchMerge | Method::PatchStrategic => http::Method::PATCH,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
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

    /// The verb in RBAC.
    pub fn rbac_verb(self) -> &'static str {
        match self {
            Method::Delete => "delete",
            Method::PatchApply | Method::PatchJson | Method::PatchMerge | Method::PatchStrategic => "patch",
            Method::Post => "create",
            Method::Put => "update",
        }
    }
}

/// A write as kubectl would send it. It does not contain `dryRun`: [`super::call::rehearse`] adds it to every write.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The method.
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
