//! The reader of one cluster: its version, its groups, its probes, and the settings for lists.

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

/// A reader of one cluster.
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

    /// The sender of the requests.
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The number of requests sent so far.
    pub fn requests(&self) -> usize {
        self.sender.requests()
    }

    /// The connection to the cluster.
    pub fn connection(&self) -> &Connection {
        self.sender.connection()
    }

    /// The display of progress.
    pub fn progress(&self) -> &Progress {
        self.sender.progress()
    }

    /// The overall deadline, and the duration from which it was computed.
    pub fn deadline(&self) -> (Instant, Duration) {
        (self.sender.deadline(), self.sender.limits().overall)
    }

    /// The number of objects per page.
    pub(super) fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    /// The groups that the server says it serves. They are requested once.
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

    /// The version from `/version`; `None` without the right to read it.
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
                Err(self.sender.error(&request, RequestFault::Garbage("it does not serve /version".to_owned())))
            }
            _ => Err(self.sender.refused(&request, &reply)),
        }
    }
}
