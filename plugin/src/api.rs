//! The client for the API server, the only peer of this program.
//!
//! ```text
//! flags -> kubeconfig -> Connection -> Sender: ApiRequest -> Reply, or RequestError
//! ```
//!
//! [`connect`] makes a [`Connection`] from kubectl's flags. A [`Sender`] sends all requests on it, so that every
//! command has the same limits in time and size, waits for a busy server in the same way, and explains a missing reply
//! in the same words.

mod certificate;
mod connect;
mod error;
mod exec;
mod kubeconfig;
mod proxy;
mod reply;
mod request;
mod sender;
mod tls_fault;

pub use connect::{Connection, connect};
pub use error::{RequestError, RequestFault};
pub use reply::{Reply, StatusObject};
pub use request::{ApiRequest, JSON};
pub use sender::{SendLimits, Sender};

pub(crate) use kubeconfig::{current_context, known_clusters, known_contexts, known_users};
pub(crate) use reply::excerpt;
