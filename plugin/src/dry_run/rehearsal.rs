//! The rehearsal of a write, through the gate, and repeated where the server is too busy.

use serde_json::Value;
use tokio::time::Instant;

use super::gate::{Barred, Gate};
use super::session::Session;
use super::write::Write;
use crate::api::{Reply, RequestError};

/// Rehearses a write, and returns the reply or the reason why there is none.
///
/// A server that replies with 429 or 503 and asks for a wait has not processed the write, so it is sent again. It
/// passes the gate each time, since the group may have been given to another server meanwhile. Without such a reply it
/// is unknown how far the request got, and it is not sent again.
///
/// # Errors
/// [`Barred`] when the gate does not clear the write.
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
