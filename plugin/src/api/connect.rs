//! A Kubernetes client from kubectl's flags: kubeconfig list, contexts, credentials, proxies, impersonation.

use std::time::Duration;

use aksarc_shared::chain::Chain;
use http::Uri;
use kube::{Client, Config};

use super::certificate::Presented;
use super::kubeconfig::{self, Selected};
use super::tls_fault::TlsFault;
use super::{exec, proxy};
use crate::cli::exit::Failure;
use crate::cli::flags::KubeFlags;

/// A connection to a cluster. Nothing has been sent yet.
#[derive(Clone)]
pub struct Connection {
    /// The client does not retry: the sender does, since it knows the deadline.
    client: Client,
    /// The context's name; empty without a kubeconfig.
    pub context: String,
    /// The API server's URL.
    pub server: String,
    /// The namespace of the context, or `default`.
    pub namespace: String,
    /// The impersonated user, or that of the kubeconfig, for messages.
    pub user: String,
    /// The certificate of the API server.
    pub presented: Presented,
}

/// Makes a client from the flags and the environment.
///
/// # Errors
/// Exit 2 when flags or kubeconfig are wrong, exit 1 when a credential plugin fails.
pub async fn connect(flags: &KubeFlags) -> Result<Connection, Failure> {
    let selected = kubeconfig::select(flags).await.map_err(Failure::input)?;
    connect_to(selected, flags).await
}

async fn connect_to(mut selected: Selected, flags: &KubeFlags) -> Result<Connection, Failure> {
    exec::resolve(&mut selected.config.auth_info, flags.request_timeout.duration()).await?;
    let config = tuned(selected.config, flags);
    let server = shown(&config.cluster_url);
    let (context, user) = (selected.context, selected.user);
    // This reads certificates and keys, so it stays off the thread that drives the network.
    let connection = tokio::task::spawn_blocking(move || Connection::open(config, context, user)).await;
    connection.map_err(Failure::run)?.map_err(|error| {
        let why = TlsFault::of(&error).map(|fault| format!("{}; {}", fault.why, fault.hint));
        let why = why.unwrap_or_else(|| Chain(&error).to_string());
        Failure::input(anyhow::anyhow!("cannot set up a connection to {server}: {why}. Nothing was checked"))
    })
}

impl Connection {
    /// A connection from a configuration, with the names of its context and user. Reads certificates and keys.
    ///
    /// # Errors
    /// [`kube::Error`] when the configuration cannot be used.
    pub fn open(config: Config, context: String, user: String) -> Result<Self, kube::Error> {
        let (server, namespace) = (shown(&config.cluster_url), config.default_namespace.clone());
        let presented = Presented::new(&config);
        Ok(Connection { client: Client::try_from(config)?, context, server, namespace, user, presented })
    }

    /// The client. Only the sender uses it, with its limits, and only for requests that change nothing.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }
}

fn shown(server: &Uri) -> String {
    server.to_string().trim_end_matches('/').to_owned()
}

/// The configuration with the settings that a command with a deadline needs, where kube has none or others.
fn tuned(mut config: Config, flags: &KubeFlags) -> Config {
    // Fifteen retries without a deadline would hang. The sender retries, and knows how long it may.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT.min(flags.request_timeout.duration()));
    // A safety net for callers without a limit of their own. Their limits are shorter and have the better messages.
    config.read_timeout = Some(flags.request_timeout.duration() + Duration::from_secs(5));
    // On loopback there is no bandwidth to save, and compression costs the server more than all else.
    config.disable_compression |= flags.disable_compression || proxy::is_loopback(&config.cluster_url);
    config
}

/// Long enough for a slow VPN, short enough to tell a wrong address from a slow cluster.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
