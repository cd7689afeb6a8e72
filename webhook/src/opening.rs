//! Opens the guard's protected objects for an installer such as Helm, and closes them again: a program that runs once, in
//! a pod of its own, before and after a change.

use std::time::Duration;

use aksarc_shared::data::own::OPEN;
use anyhow::{Context, bail};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::api::{Access, Api};
use crate::protection::{OBJECTS, ProtectedObject};

/// A sentence for each object that was opened with `reason`, or closed where there is none. An object that does not exist
/// is as good as open and closed: nothing keeps anybody from a change.
///
/// # Errors
/// An object could be neither opened nor closed for a minute.
pub async fn set(access: Access, reason: Option<&str>) -> anyhow::Result<Vec<String>> {
    let api = Api::new(access);
    let deadline = Instant::now() + LIMIT;
    let mut done = Vec::new();
    for object in OBJECTS {
        loop {
            match once(&api, &object, reason).await {
                Ok(sentence) => break done.push(sentence),
                // Rights that were given a moment ago count a moment later.
                Err(_) if Instant::now() < deadline => sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(done)
}

async fn once(api: &Api, object: &ProtectedObject, reason: Option<&str>) -> anyhow::Result<String> {
    let what = format!("{} {}", object.kind, object.name);
    let (verb, value) = match reason {
        Some(reason) => ("opened", Value::from(reason)),
        None => ("closed", Value::Null),
    };
    let path = format!("{}?fieldManager={MANAGER}", object.path());
    let annotation = json!({"metadata": {"annotations": {OPEN: value}}});
    let answer = api.merge_patch(&path, &annotation).await.with_context(|| format!("{what} is not {verb}"))?;
    match answer.status {
        StatusCode::NOT_FOUND => Ok(format!("there is no {what}")),
        status if status.is_success() => Ok(format!("{verb} {what}")),
        _ => bail!("{what} is not {verb}: {}", answer.refusal()),
    }
}

/// The field manager of these writes.
const MANAGER: &str = "aksarc-guard-hooks";
/// Longer than an API server takes to start anew.
const LIMIT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_secs(1);
