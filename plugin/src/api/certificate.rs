//! The validity of the certificate that the API server presents. It is read in a separate handshake, with the same
//! trust as every other connection and without a request.

use std::sync::Arc;
use std::time::Duration;

use aksarc_shared::chain::Chain;
use aksarc_shared::k8s::certificate::Validity;
use kube::Config;
use kube::client::ConfigExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// The address of a server, and the configuration for a handshake with it.
#[derive(Clone)]
pub struct Presented(Arc<Config>);

impl Presented {
    /// The server of a configuration.
    pub(super) fn new(config: &Config) -> Self {
        Presented(Arc::new(config.clone()))
    }

    /// The validity of the server's own certificate, the first one of its chain.
    ///
    /// # Errors
    /// The reason why it cannot be read, for people: no TLS, a proxy in between, no connection.
    pub async fn life(&self, limit: Duration) -> Result<Validity, String> {
        let url = &self.0.cluster_url;
        if url.scheme_str() != Some("https") {
            return Err("the address is not https, so there is no certificate".to_owned());
        }
        if self.0.proxy_url.is_some() {
            return Err("the connection goes through a proxy, which may present its own certificate".to_owned());
        }
        let handshake = tokio::time::timeout(limit, self.handshake());
        handshake.await.unwrap_or_else(|_| Err(format!("no handshake within {limit:?}")))
    }

    async fn handshake(&self) -> Result<Validity, String> {
        let url = &self.0.cluster_url;
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let config = Arc::clone(&self.0);
        // This reads the trusted authorities from files, so it stays off the thread that drives the network.
        let tls = tokio::task::spawn_blocking(move || config.rustls_client_config()).await;
        let tls = tls.map_err(|error| Chain(&error).to_string())?.map_err(|error| Chain(&error).to_string())?;
        let name = self.0.tls_server_name.clone().unwrap_or_else(|| host.clone());
        let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
        let tcp = TcpStream::connect((host, url.port_u16().unwrap_or(443))).await;
        let tcp = tcp.map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await.map_err(|error| error.to_string())?;
        let (_, session) = stream.get_ref();
        let leaf = session.peer_certificates().and_then(<[_]>::first).ok_or("the server presents no certificate")?;
        Validity::of(leaf)
    }
}
