//! A write through the gate and to the server, and again where the server is too busy to look at it.

use serde_json::Value;
use tokio::time::Instant;

use super::gate::{Barred, Gate};
use super::session::Session;
use super::write::Write;
use crate::api::{Reply, RequestError};

/// Rehearses a write: the reply to it, or why there is none.
///
/// A server that replies with 429 or 503 and says when to come back has done nothing yet, so the write is sent again then.
/// It goes through the gate each time: meanwhile the group may have been handed to another server. Without such a word
/// nobody knows how far the request got, and it is not sent again.
///
/// # Errors
/// [`Barred`] when the gate does not let the write through.
pub async fn rehearse(
    gate: &mut Gate<'_>,
    session: &Session,
    write: &Write,
) -> Result<Result<Reply<Value>, RequestError>, Barred> {
    let begun = Instant::now();
    loop {
        let cleared = gate.clear(write.clone()).await?;
        let result = session.rehearse(cleared).await;
        let wait = result.as_ref().ok().and_then(Reply::retry_after);
        let again = match wait {
            Some(wait) => session.sender().pause(wait, begun).await,
            None => false,
        };
        if !again {
            return Ok(result);
        }
    }
}
