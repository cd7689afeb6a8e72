//! From when to when the certificate holds that the API server presents. It is seen in a handshake of its own, with the same trust as every
//! other connection; no request is sent on it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Config;
use kube::client::ConfigExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::exit::Chain;

/// The address of a server, and what a handshake with it takes.
#[derive(Clone)]
pub struct Presented(Arc<Config>);

impl Presented {
    /// Of the server that a configuration leads to.
    pub(super) fn new(config: &Config) -> Self {
        Presented(Arc::new(config.clone()))
    }

    /// Begin and end of the server's own certificate, the first one of its chain.
    ///
    /// # Errors
    /// Why it cannot be seen, for people: no TLS, a proxy in between, no connection.
    pub async fn life(&self, limit: Duration) -> Result<(Timestamp, Timestamp), String> {
        let url = &self.0.cluster_url;
        if url.scheme_str() != Some("https") {
            return Err("the address is not https, so the server presents none".to_owned());
        }
        if self.0.proxy_url.is_some() {
            return Err("a proxy is in between, and what it presents may be its own".to_owned());
        }
        let handshake = tokio::time::timeout(limit, self.handshake());
        handshake.await.unwrap_or_else(|_| Err(format!("no handshake within {limit:?}")))
    }

    async fn handshake(&self) -> Result<(Timestamp, Timestamp), String> {
        let url = &self.0.cluster_url;
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let config = Arc::clone(&self.0);
        // Reads the authorities that are trusted: not on the thread that drives the network.
        let tls = tokio::task::spawn_blocking(move || config.rustls_client_config()).await;
        let tls = tls.map_err(|error| Chain(&error).to_string())?.map_err(|error| Chain(&error).to_string())?;
        let name = self.0.tls_server_name.clone().unwrap_or_else(|| host.clone());
        let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
        let tcp = TcpStream::connect((host, url.port_u16().unwrap_or(443))).await;
        let tcp = tcp.map_err(|error| error.to_string())?;
        let stream = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await.map_err(|error| error.to_string())?;
        let (_, session) = stream.get_ref();
        let leaf = session.peer_certificates().and_then(<[_]>::first).ok_or("the server presents none")?;
        life(leaf)
    }
}

/// webpki tells when a certificate holds to whoever asks at a time when it does not, and checks that before anything else: so
/// it is asked at the beginning and at the end of time, and nothing is trusted by the answers.
fn life(leaf: &CertificateDer<'_>) -> Result<(Timestamp, Timestamp), String> {
    let certificate = EndEntityCert::try_from(leaf).map_err(|error| format!("cannot read it: {error}"))?;
    let at = |seconds| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        match certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None) {
            Err(
                webpki::Error::CertNotValidYet { not_before: time, .. }
                | webpki::Error::CertExpired { not_after: time, .. },
            ) => moment(time),
            // At the beginning of time it holds when it began then.
            Err(_) | Ok(_) if seconds == 0 => Ok(Timestamp::UNIX_EPOCH),
            Err(error) => Err(format!("cannot read it: {error}")),
            Ok(_) => Err("it never ends".to_owned()),
        }
    };
    let end = at(u64::MAX)?;
    Ok((at(0)?, end))
}

fn moment(time: UnixTime) -> Result<Timestamp, String> {
    let seconds = i64::try_from(time.as_secs()).map_err(|error| error.to_string())?;
    Timestamp::from_second(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn life_of_a_certificate_is_read_to_the_second() {
        let key = KeyPair::generate().unwrap();
        for year in [1999, 2027, 2049, 2051, 9999] {
            let mut params = CertificateParams::new(vec!["a".to_owned()]).unwrap();
            params.not_before = date_time_ymd(1990, 1, 1);
            params.not_after = date_time_ymd(year, 3, 4);
            let certificate = params.self_signed(&key).unwrap();
            let (begin, end) = life(certificate.der()).unwrap();
            assert_eq!(begin.to_string(), "1990-01-01T00:00:00Z");
            assert_eq!(end.to_string(), format!("{year}-03-04T00:00:00Z"));
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        for bytes in [&b""[..], b"x", b"\x30\x03\x02\x01\x00"] {
            assert!(life(&CertificateDer::from(bytes.to_vec())).is_err());
        }
    }
}
