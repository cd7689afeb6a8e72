//! What is read of one cluster, beside the lists themselves: its version, its groups, the probes.

use std::time::Duration;

use aksarc_shared::facts::probe::{Probe, ProbeState};
use aksarc_shared::text;
use http::StatusCode;
use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::probe::{self, MAX_REASON};
use crate::api::{ApiRequest, Connection, RequestError, RequestFault, Sender, excerpt};
use crate::screen::progress::Progress;

/// Reads one cluster.
pub struct Reader {
    sender: Sender,
    chunk_size: usize,
    groups: OnceCell<ProbeState>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerVersion {
    git_version: String,
}

impl Reader {
    /// A reader of lists in pages of `chunk_size` objects.
    pub fn new(sender: Sender, chunk_size: usize) -> Self {
        Reader { sender, chunk_size, groups: OnceCell::new() }
    }

    /// What sends the requests.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// Requests sent so far.
    pub fn requests(&self) -> usize {
        self.sender.requests()
    }

    /// The cluster asked.
    pub fn connection(&self) -> &Connection {
        self.sender.connection()
    }

    /// Where progress is shown.
    pub fn progress(&self) -> &Progress {
        self.sender.progress()
    }

    /// The deadline, and the time it gave.
    pub fn deadline(&self) -> (Instant, Duration) {
        (self.sender.deadline(), self.sender.limits().overall)
    }

    /// Objects per page.
    pub(super) fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    /// The groups that the server serves, by its own word: asked once.
    pub(super) async fn groups(&self) -> &ProbeState {
        self.groups.get_or_init(|| probe::get(&self.sender, Probe::ApiGroups, "/apis")).await
    }

    /// The answer to a probe.
    pub(super) async fn probe(&self, probe: Probe) -> ProbeState {
        match probe.path() {
            Some(_) if probe == Probe::ApiGroups => self.groups().await.clone(),
            Some(path) => probe::get(&self.sender, probe, path).await,
            None => match self.connection().presented.life(self.sender.limits().request).await {
                Ok(life) => ProbeState::Read(life.to_string()),
                Err(why) => ProbeState::Failed(text::line(&why, MAX_REASON)),
            },
        }
    }

    /// The version that `/version` tells; `None` when we may not ask.
    pub(super) async fn version(&self) -> Result<Option<String>, RequestError> {
        let request = ApiRequest::get("/version").named("read the version of the server");
        let reply = self.sender.ask(&request).await?;
        match reply.status {
            StatusCode::OK => match serde_json::from_slice::<ServerVersion>(&reply.body) {
                Ok(version) => Ok(Some(version.git_version)),
                Err(_) => Err(self.sender.error(&request, RequestFault::Garbage(excerpt(&reply.body)))),
            },
            StatusCode::FORBIDDEN => Ok(None),
            StatusCode::NOT_FOUND => {
                Err(self.sender.error(&request, RequestFault::Garbage("it does not know /version".to_owned())))
            }
            _ => Err(self.sender.refused(&request, &reply)),
        }
    }
}
