//! The guard in a cluster, as its objects and the API server show it.

use std::time::Duration;

use aksarc_shared::data::own;
use aksarc_shared::text;
use aksarc_shared::verdict::guard::GuardConfig;
use http::StatusCode;
use serde_json::Value;

use crate::api::{self, ApiRequest, SendLimits, Sender};
use crate::cli::exit::Failure;
use crate::cli::flags::KubeFlags;
use crate::dry_run::session::Session;
use crate::screen::progress::Progress;
use crate::screen::ui::Ui;

/// A cluster in which the guard may be installed.
pub(super) struct GuardSite {
    /// The way to the API server.
    pub(super) session: Session,
}

/// An object that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ReadObject {
    /// There is none.
    Absent,
    /// The object.
    There(Value),
    /// It cannot be seen, and why.
    Unseen(String),
}

impl GuardSite {
    /// Connects to the cluster that the flags name.
    pub(super) async fn connect(kube: &KubeFlags, ui: &Ui) -> Result<Self, Failure> {
        let connection = api::connect(kube).await?;
        // A replica that does not answer is news, and nothing to wait for.
        let limits = SendLimits { repeats: PATIENCE, ..SendLimits::per_request(kube.request_timeout.duration()) };
        Ok(GuardSite { session: Session::new(Sender::new(connection, limits, Progress::new(ui))) })
    }

    /// An object by its path. `what` names it for messages.
    pub(super) async fn object(&self, path: &str, what: &str) -> Result<ReadObject, Failure> {
        let request = ApiRequest::get(path).named(format!("read {what}"));
        let reply = self.session.sender().ask(&request).await?;
        Ok(match reply.status {
            StatusCode::NOT_FOUND => ReadObject::Absent,
            StatusCode::FORBIDDEN => ReadObject::Unseen(format!("you may not read {what}")),
            status if status.is_success() => ReadObject::There(reply.json_or_null().body),
            status => {
                ReadObject::Unseen(format!("reading {what}: {} {}", status.as_u16(), text::line(&reply.message(), 200)))
            }
        })
    }

    /// The ConfigMap of the configuration.
    pub(super) async fn config_map(&self) -> Result<ReadObject, Failure> {
        self.object(&config_map_path(own::SERVICE), &format!("the ConfigMap {} in {}", own::SERVICE, own::NAMESPACE))
            .await
    }

    /// A text such as metrics, or why there is none.
    pub(super) async fn text(&self, path: &str, what: &str) -> Result<String, String> {
        let request = ApiRequest::get(path).named(format!("read {what}")).accepting("text/plain");
        let reply = self.session.sender().send(&request).await.map_err(|error| text::line(&error.reason(), 200))?;
        match reply.status {
            StatusCode::FORBIDDEN => Err(format!("you may not read {what}")),
            status if status.is_success() => Ok(String::from_utf8_lossy(&reply.body).into_owned()),
            status => Err(format!("reading {what}: {} {}", status.as_u16(), text::line(&reply.message(), 200))),
        }
    }
}

impl ReadObject {
    /// The object, where it was seen.
    pub(super) fn there(&self) -> Option<&Value> {
        match self {
            ReadObject::There(object) => Some(object),
            ReadObject::Absent | ReadObject::Unseen(_) => None,
        }
    }
}

/// The path of a ConfigMap of the guard.
pub(super) fn config_map_path(name: &str) -> String {
    format!("/api/v1/namespaces/{}/configmaps/{name}", own::NAMESPACE)
}

/// The text of the configuration in its ConfigMap.
pub(super) fn config_text(map: &Value) -> Option<&str> {
    map.get("data")?.get(FILE)?.as_str()
}

/// The configuration in its ConfigMap; `None` where there is none that the guard could use.
pub(super) fn config(map: &Value) -> Option<GuardConfig> {
    GuardConfig::read(config_text(map)?.as_bytes()).ok()
}

/// The key of the ConfigMap that the guard reads.
pub(super) const FILE: &str = "guard.yaml";

/// The time in which a read is repeated.
const PATIENCE: Duration = Duration::from_secs(1);
