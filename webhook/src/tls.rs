//! Certificates: a chain and its key, read from a directory and turned into a TLS configuration.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use aksarc_shared::jiff::{Timestamp, civil, tz::Offset};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::{self, ServerConfig, version};

/// A chain and a key, as they stand on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// `tls.crt`: the certificate, and behind it those that lead to the authority.
    pub chain: Vec<u8>,
    /// `tls.key`.
    pub key: Vec<u8>,
}

impl Pair {
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
                return Ok(Pair { chain, key });
            }
            chain = again;
        }
        Err(CertificateError::Unsettled)
    }

    /// Turns the pair into a TLS configuration.
    ///
    /// # Errors
    /// [`CertificateError`] for what does not parse or does not belong together.
    pub fn load(&self) -> Result<Loaded, CertificateError> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&self.chain).collect::<Result<_, _>>().map_err(CertificateError::Chain)?;
        let mut not_after: Option<Timestamp> = None;
        for certificate in &chain {
            let end = validity_end(certificate).ok_or(CertificateError::NotX509)?;
            not_after = Some(not_after.map_or(end, |earliest| earliest.min(end)));
        }
        let not_after = not_after.ok_or(CertificateError::Empty)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(CertificateError::Key)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // API servers speak HTTP/1.1 to webhooks behind a Service; offering more is attack surface without a caller.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // They also keep connections for minutes, so resumption would be memory without a use.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Loaded { config: Arc::new(config), not_after })
    }
}

/// A certificate ready for use.
#[derive(Debug)]
pub struct Loaded {
    /// For the next handshakes.
    pub config: Arc<ServerConfig>,
    /// When the first certificate of the chain to expire does, by wall clock.
    pub not_after: Timestamp,
}

/// Why a certificate is not used. The old one, if there is one, stays.
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
    /// The directory changed each time it was looked at.
    #[error("tls.crt changed while it was read with tls.key; the next poll tries again")]
    Unsettled,
    /// No PEM in `tls.crt`.
    #[error("tls.crt is not PEM")]
    Chain(#[source] pem::Error),
    /// No certificate in `tls.crt`.
    #[error("tls.crt holds no certificate")]
    Empty,
    /// Something else than a certificate in `tls.crt`.
    #[error("tls.crt holds something that is no X.509 certificate")]
    NotX509,
    /// No key in `tls.key`.
    #[error("tls.key holds no private key in PEM (PKCS#8, PKCS#1 or SEC1)")]
    Key(#[source] pem::Error),
    /// The key is of an unknown kind, or belongs to another certificate.
    #[error("tls.crt and tls.key cannot be used together")]
    Unusable(#[from] rustls::Error),
}

/// The one place that chooses the cryptography.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// `notAfter` of a certificate in DER: Certificate, TBSCertificate, and in it the fourth field (RFC 5280, section 4.1),
/// or the fifth, after an explicit version.
fn validity_end(certificate: &[u8]) -> Option<Timestamp> {
    let (SEQUENCE, certificate, _) = element(certificate)? else { return None };
    let (SEQUENCE, fields, _) = element(certificate)? else { return None };
    let (tag, _, after_first) = element(fields)?;
    let mut rest = if tag == EXPLICIT_VERSION { element(after_first)?.2 } else { after_first };
    for _signature_and_issuer in 0..2 {
        rest = element(rest)?.2;
    }
    let (SEQUENCE, validity, _) = element(rest)? else { return None };
    let (_, _, end) = element(validity)?;
    let (tag, end, _) = element(end)?;
    time(tag, std::str::from_utf8(end).ok()?)
}

/// Tag, content and what follows of the first element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, der) = der.split_first()?;
    let (&first, der) = der.split_first()?;
    let (length, der) = if first < 0x80 {
        (usize::from(first), der)
    } else {
        // At most four bytes of length: certificates are smaller than 4 GiB, and shifts stay in range.
        let count = usize::from(first & 0x7f);
        let (length, der) = der.split_at_checked(count).filter(|_| (1..=4).contains(&count))?;
        (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), der)
    };
    let (content, rest) = der.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`; two digits below 50 are this century (RFC 5280, section 4.1.2.5).
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (year, rest) = match tag {
        UTC_TIME => digits.split_at_checked(2)?,
        GENERALIZED_TIME => digits.split_at_checked(4)?,
        _ => return None,
    };
    let century = match (tag, year.parse::<i16>().ok()?) {
        (GENERALIZED_TIME, _) => 0,
        (_, short) if short < 50 => 2000,
        _ => 1900,
    };
    let year = year.parse::<i16>().ok()? + century;
    let part = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let day = civil::DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    Offset::UTC.to_timestamp(day).ok()
}

const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A kubelet swaps a volume once a minute at most; more than a few swaps in a row mean something else is writing there.
const SWAP_ATTEMPTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn pair(end: (i32, u8, u8)) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["guard".to_owned()]).unwrap();
        params.not_after = date_time_ymd(end.0, end.1, end.2);
        let certificate = params.self_signed(&key).unwrap();
        Pair { chain: certificate.pem().into_bytes(), key: key.serialize_pem().into_bytes() }
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
    fn what_cannot_be_used_is_refused_with_its_reason() {
        let good = pair((2040, 1, 1));
        let refusal = |chain: &[u8], key: &[u8]| Pair { chain: chain.to_vec(), key: key.to_vec() }.load().unwrap_err();
        assert!(matches!(refusal(b"", &good.key), CertificateError::Empty));
        assert!(matches!(refusal(&good.chain, b"nothing"), CertificateError::Key(_)));
        assert!(matches!(refusal(&good.chain, &pair((2040, 1, 1)).key), CertificateError::Unusable(_)));
        let cut = &good.chain[..good.chain.len() / 2];
        assert!(matches!(refusal(cut, &good.key), CertificateError::Chain(_)));
        let no_certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(refusal(no_certificate, &good.key), CertificateError::NotX509));
    }

    #[test]
    fn broken_der_never_panics() {
        let good = CertificateDer::from_pem_slice(&pair((2040, 1, 1)).chain).unwrap();
        for end in 0..good.len() {
            assert_eq!(validity_end(&good[..end]), None);
        }
        for at in 0..good.len() {
            let mut bytes = good.to_vec();
            bytes[at] ^= 0xff;
            let _ = validity_end(&bytes);
        }
    }
}
