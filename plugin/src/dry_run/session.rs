//! The session of a dry run: plain reads, and writes only as rehearsals that the gate has cleared.

use serde_json::Value;

use super::call;
use super::gate::Cleared;
use crate::api::{ApiRequest, Reply, RequestError, Sender};

/// A session with one server.
pub struct Session {
    sender: Sender,
}

impl Session {
    /// A session on a sender.
    pub fn new(sender: Sender) -> Self {
        Session { sender }
    }

    /// The sender of the requests.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The reply to a read.
    ///
    /// # Errors
    /// [`RequestError`]; an HTTP error is a reply.
    pub async fn read(&self, request: &ApiRequest) -> Result<Reply<Value>, RequestError> {
        let reply = self.sender.send(request).await?;
        reply.json().map_err(|fault| self.sender.error(request, fault))
    }

    /// The body of the reply to a read that has to succeed.
    ///
    /// # Errors
    /// [`RequestError`], also for an HTTP error.
    pub async fn ask(&self, request: &ApiRequest) -> Result<Value, RequestError> {
        let reply = self.sender.ask(request).await?;
        if !reply.status.is_success() {
            return Err(self.sender.refused(request, &reply));
        }
        reply.json().map(|reply| reply.body).map_err(|fault| self.sender.error(request, fault))
    }

    /// The reply to a write that the gate has cleared. It is sent as a rehearsal, and nothing is stored.
    ///
    /// # Errors
    /// [`RequestError`]; an HTTP error is a reply.
    pub async fn rehearse(&self, cleared: Cleared) -> Result<Reply<Value>, RequestError> {
        self.read(&call::rehearse(&cleared)).await
    }
}
