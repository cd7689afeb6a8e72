//! The guard's certificate: a chain and its key, read from a directory and turned into a TLS configuration.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::certificate::Validity;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::{self, ServerConfig, version};

/// A certificate chain and its key, as the files hold them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePair {
    /// `tls.crt`: the certificate, followed by the ones that lead to the authority.
    pub chain: Vec<u8>,
    /// `tls.key`.
    pub key: Vec<u8>,
}

impl CertificatePair {
    /// Reads `tls.crt` and `tls.key` of one generation.
    ///
    /// A volume is renewed by swapping a symlink, possibly between our two reads, so the chain is read again after the
    /// key until both readings agree.
    ///
    /// # Errors
    /// The file that cannot be read, with its path.
    pub fn read(directory: &Path) -> Result<Self, CertificateError> {
        let file = |name: &str| {
            let path = directory.join(name);
            fs::read(&path).map_err(|source| CertificateError::Read { path: path.display().to_string(), source })
        };
        let mut chain = file("tls.crt")?;
        for _ in 0..SWAP_ATTEMPTS {
            let key = file("tls.key")?;
            let again = file("tls.crt")?;
            if again == chain {
                return Ok(CertificatePair { chain, key });
            }
            chain = again;
        }
        Err(CertificateError::Unsettled)
    }

    /// Turns the pair into a TLS configuration.
    ///
    /// # Errors
    /// [`CertificateError`] where a part does not parse, or the two do not belong together.
    pub fn load(&self) -> Result<LoadedCertificate, CertificateError> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&self.chain).collect::<Result<_, _>>().map_err(CertificateError::Chain)?;
        let ends = chain.iter().map(|own| Ok(Validity::of(own).map_err(CertificateError::NotX509)?.end));
        let ends = ends.collect::<Result<Vec<Timestamp>, CertificateError>>()?;
        let (Some(&end), Some(&not_after)) = (ends.first(), ends.iter().min()) else {
            return Err(CertificateError::Empty);
        };
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(CertificateError::Key)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // API servers speak HTTP/1.1 to webhooks behind a Service; offering more is attack surface without a caller.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // They keep connections for minutes, so session resumption would take memory and save nothing.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(LoadedCertificate { config: Arc::new(config), end, not_after })
    }
}

/// A certificate ready for use.
#[derive(Debug)]
pub struct LoadedCertificate {
    /// The TLS configuration for the next handshakes.
    pub config: Arc<ServerConfig>,
    /// When the guard's own certificate expires, by wall clock.
    pub end: Timestamp,
    /// When the first certificate of the chain expires, by wall clock.
    pub not_after: Timestamp,
}

impl LoadedCertificate {
    /// Itself, where it has not expired.
    ///
    /// # Errors
    /// [`CertificateError::Over`].
    pub fn valid_at(self, now: Timestamp) -> Result<Self, CertificateError> {
        if self.end < now { Err(CertificateError::Over(self.end)) } else { Ok(self) }
    }
}

/// Why a certificate is not taken into use. The old one, if there is one, stays in use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file is missing or unreadable.
    #[error("reading {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The files changed at every attempt to read them together.
    #[error("tls.crt changed while it was read with tls.key; the next poll tries again")]
    Unsettled,
    /// No PEM in `tls.crt`.
    #[error("tls.crt is not PEM")]
    Chain(#[source] pem::Error),
    /// No certificate in `tls.crt`.
    #[error("tls.crt holds no certificate")]
    Empty,
    /// Something else than a certificate in `tls.crt`.
    #[error("tls.crt holds something that is no X.509 certificate: {0}")]
    NotX509(String),
    /// No key in `tls.key`.
    #[error("tls.key holds no private key in PEM (PKCS#8, PKCS#1 or SEC1)")]
    Key(#[source] pem::Error),
    /// The certificate has expired: API servers would not take it, and go on without the guard.
    #[error("tls.crt is valid until {0}, which is over")]
    Over(Timestamp),
    /// The key is of an unknown kind, or belongs to another certificate.
    #[error("tls.crt and tls.key cannot be used together")]
    Unusable(#[from] rustls::Error),
}

/// The cryptography for all TLS of the guard.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A kubelet swaps a volume once a minute at most; more than a few swaps in a row mean something else is writing there.
const SWAP_ATTEMPTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn pair(end: (i32, u8, u8)) -> CertificatePair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["guard".to_owned()]).unwrap();
        params.not_after = date_time_ymd(end.0, end.1, end.2);
        let certificate = params.self_signed(&key).unwrap();
        CertificatePair { chain: certificate.pem().into_bytes(), key: key.serialize_pem().into_bytes() }
    }

    #[test]
    fn the_end_of_validity_is_read_in_both_notations() {
        for (year, text) in [(2031, "2031-02-03T00:00:00Z"), (2061, "2061-02-03T00:00:00Z")] {
            assert_eq!(pair((year, 2, 3)).load().unwrap().not_after, text.parse().unwrap());
        }
    }

    #[test]
    fn the_first_to_expire_of_a_chain_counts() {
        let mut chain = pair((2040, 1, 1));
        chain.chain.extend(pair((2030, 1, 1)).chain);
        assert_eq!(chain.load().unwrap().not_after, "2030-01-01T00:00:00Z".parse().unwrap());
    }

    #[test]
    fn a_pair_that_cannot_be_used_is_refused_with_its_reason() {
        let good = pair((2040, 1, 1));
        let refusal =
            |chain: &[u8], key: &[u8]| CertificatePair { chain: chain.to_vec(), key: key.to_vec() }.load().unwrap_err();
        assert!(matches!(refusal(b"", &good.key), CertificateError::Empty));
        assert!(matches!(refusal(&good.chain, b"nothing"), CertificateError::Key(_)));
        assert!(matches!(refusal(&good.chain, &pair((2040, 1, 1)).key), CertificateError::Unusable(_)));
        let cut = &good.chain[..good.chain.len() / 2];
        assert!(matches!(refusal(cut, &good.key), CertificateError::Chain(_)));
        let no_certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(refusal(no_certificate, &good.key), CertificateError::NotX509(_)));
    }
}
