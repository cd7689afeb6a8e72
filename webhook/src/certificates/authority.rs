//! Authorities that sign the guard's certificates, and the certificates that they sign.

use std::fmt;
use std::time::Duration;

use aksarc_shared::data::own;
use aksarc_shared::jiff::{SignedDuration, Timestamp};
use aksarc_shared::k8s::certificate::Validity;
use aksarc_shared::text;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::pem;
use crate::tls::CertificatePair;

/// The certificate of an authority, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedCertificate {
    /// The certificate in PEM, in one form: equal certificates have equal texts.
    pub pem: String,
    /// When it is valid.
    pub validity: Validity,
    /// The number in its name; `None` for an authority that no guard made.
    pub generation: Option<u64>,
}

impl TrustedCertificate {
    /// Every authority in a bundle of PEM. What is none, or cannot be read, is left out.
    pub fn all(bundle: &str) -> Vec<Self> {
        let read = CertificateDer::pem_slice_iter(bundle.as_bytes()).filter_map(Result::ok);
        read.filter_map(|der| TrustedCertificate::of(&der)).collect()
    }

    fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let validity = Validity::of(der).ok()?;
        let anchor = anchor_from_trusted_cert(der).ok()?;
        Some(TrustedCertificate { pem: pem::certificate(der), validity, generation: generation(&anchor.subject) })
    }

    /// Whether it is valid at this moment.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.validity.begin.is_none_or(|begin| begin <= now) && now < self.validity.end
    }
}

/// An authority with its key. It signs certificates for the guard's Service and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    /// Its number. Each authority of one cluster has its own, and so a name of its own: API servers may take two of one
    /// name for each other.
    pub generation: u64,
    /// Its certificate.
    pub certificate: TrustedCertificate,
    key: String,
}

impl Authority {
    /// A new authority, whose validity begins an hour ago: clocks differ.
    ///
    /// # Errors
    /// [`AuthorityError::Make`]: no randomness, or an impossible time.
    pub fn make(generation: u64, now: Timestamp, life: Duration) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = authority(generation);
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(later(now, -HOUR))?;
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(later(now, signed(life)))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let der = params.self_signed(&key)?;
        let certificate = TrustedCertificate::of(der.der()).ok_or(AuthorityError::NotOne)?;
        Ok(Authority { generation, certificate, key: key.serialize_pem() })
    }

    /// The authority of these parts, which need not fit together: [`Authority::leaf`] says whether they do.
    pub fn of_parts(generation: u64, certificate: TrustedCertificate, key: String) -> Self {
        Authority { generation, certificate, key }
    }

    /// Reads an authority from PEM.
    ///
    /// # Errors
    /// Not exactly one authority in `certificate`, or another number in its name. Whether the key belongs to it,
    /// [`Authority::leaf`] says.
    pub fn read(generation: u64, certificate: &str, key: String) -> Result<Self, AuthorityError> {
        let [certificate]: [TrustedCertificate; 1] =
            TrustedCertificate::all(certificate).try_into().map_err(|_| AuthorityError::NotOne)?;
        if certificate.generation != Some(generation) {
            return Err(AuthorityError::NotOne);
        }
        Ok(Authority { generation, certificate, key })
    }

    /// Its key, in PEM.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// When another authority has to take its place: at two thirds of its life.
    pub fn renew_at(&self) -> Timestamp {
        two_thirds(self.certificate.validity)
    }

    /// Signs a certificate for the guard's Service with a new key, and checks it as an API server does that trusts this
    /// authority alone.
    ///
    /// # Errors
    /// [`AuthorityError`]: the key does not belong to the authority, or the authority is not valid at the moment.
    pub fn leaf(&self, now: Timestamp, life: Duration) -> Result<Leaf, AuthorityError> {
        let issuer = Issuer::new(authority(self.generation), KeyPair::from_pem(&self.key)?);
        let key = KeyPair::generate()?;
        let host = format!("{}.{}.svc", own::SERVICE, own::NAMESPACE);
        let mut params = CertificateParams::new(vec![host.clone()])?;
        params.distinguished_name.push(DnType::CommonName, host.clone());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        // Never longer than its authority.
        let end = later(now, signed(life)).min(self.certificate.validity.end);
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(later(now, -HOUR))?;
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(end)?;
        let certificate = params.signed_by(&key, &issuer)?;
        self.check(certificate.der(), &host, now)?;
        let validity = Validity::of(certificate.der()).map_err(AuthorityError::Unreadable)?;
        let pair = CertificatePair {
            chain: pem::certificate(certificate.der()).into_bytes(),
            key: key.serialize_pem().into_bytes(),
        };
        Ok(Leaf { pair, fingerprint: text::short_hex(&Sha256::digest(certificate.der())), validity })
    }

    fn check(&self, leaf: &CertificateDer<'_>, host: &str, now: Timestamp) -> Result<(), AuthorityError> {
        let der = CertificateDer::from_pem_slice(self.certificate.pem.as_bytes());
        let der = der.map_err(|error| AuthorityError::Unreadable(error.to_string()))?;
        let anchor = anchor_from_trusted_cert(&der)?;
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let leaf = EndEntityCert::try_from(leaf)?;
        let algorithms = crate::tls::provider().signature_verification_algorithms.all;
        leaf.verify_for_usage(algorithms, &[anchor], &[], time, KeyUsage::server_auth(), None, None)?;
        let name = ServerName::try_from(host).map_err(|error| AuthorityError::Unreadable(error.to_string()))?;
        Ok(leaf.verify_is_valid_for_subject_name(&name)?)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("Authority").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// A certificate of the guard's Service with its key.
#[derive(Clone)]
pub struct Leaf {
    /// Both, as a TLS configuration takes them.
    pub pair: CertificatePair,
    /// The first half of the certificate's SHA-256, in hexadecimal.
    pub fingerprint: String,
    /// When it is valid.
    pub validity: Validity,
}

impl Leaf {
    /// When another certificate has to take its place: at two thirds of its life, less `spread`.
    pub fn renew_at(&self, spread: Duration) -> Timestamp {
        later(two_thirds(self.validity), -signed(spread))
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("Leaf").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// Why an authority cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// Keys or certificates cannot be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// The text is not one authority of the number that it should have.
    #[error("it is not the certificate of one authority, with its number in its name")]
    NotOne,
    /// A certificate that was made cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    /// What the authority signs is not trusted by those who trust the authority.
    #[error("what it signs is not trusted: {0}")]
    Untrusted(#[from] webpki::Error),
}

/// What an authority's name and key identifier are made from; both its own certificate and those that it signs carry
/// them.
fn authority(generation: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("{NAME}{generation}"));
    params
}

/// The number in an authority's name.
fn generation(subject: &[u8]) -> Option<u64> {
    let place = subject.windows(NAME.len()).position(|window| window == NAME.as_bytes())?;
    let digits = subject.get(place + NAME.len()..)?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|generation| *generation <= MOST)
}

/// Two thirds of a life that began an hour after the certificate says.
fn two_thirds(validity: Validity) -> Timestamp {
    let begin = later(validity.begin.unwrap_or(validity.end), HOUR).min(validity.end);
    later(begin, validity.end.duration_since(begin) * 2 / 3)
}

/// The time since the beginning of 1970, in whole seconds.
fn since_1970(at: Timestamp) -> Result<Duration, AuthorityError> {
    let seconds = u64::try_from(at.as_second()).map_err(|_| rcgen::Error::Time)?;
    Ok(Duration::from_secs(seconds))
}

/// A moment later or earlier; the last or first one where there is none.
pub(super) fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(now)
}

pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

const NAME: &str = "aksarc guard authority ";
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// Larger numbers are not of a guard.
const MOST: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn an_authority_is_read_as_it_was_made_and_its_certificates_are_trusted_by_those_who_trust_it() {
        let made = Authority::make(7, now(), DAY * 300).unwrap();
        let read = Authority::read(7, &made.certificate.pem, made.key().to_owned()).unwrap();
        assert_eq!(read, made);
        assert_eq!(made.certificate.validity.to_string(), "2026-06-01T11:00:00Z/2027-03-28T12:00:00Z");
        assert_eq!(made.renew_at(), later(now(), signed(DAY * 200)));
        let leaf = read.leaf(now(), DAY * 90).unwrap();
        assert_eq!(leaf.validity.to_string(), "2026-06-01T11:00:00Z/2026-08-30T12:00:00Z");
        assert_eq!(leaf.renew_at(Duration::ZERO), later(now(), signed(DAY * 60)));
        assert_eq!(leaf.fingerprint.len(), 32);
        assert_eq!(leaf.pair.load().unwrap().not_after, leaf.validity.end);
        // It names the key that signed it, and never outlives its authority.
        let key_id = made.certificate.pem.clone();
        let id = identifier(&key_id, &[0x55, 0x1d, 0x0e]);
        assert_eq!(identifier(std::str::from_utf8(&leaf.pair.chain).unwrap(), &[0x55, 0x1d, 0x23]), id);
        let late = later(now(), signed(DAY * 299));
        assert_eq!(made.leaf(late, DAY * 90).unwrap().validity.end, made.certificate.validity.end);
    }

    /// The last 20 bytes of an extension, which is a key identifier.
    fn identifier(pem: &str, extension: &[u8]) -> Vec<u8> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let place = der.windows(extension.len()).position(|window| window == extension).unwrap() + extension.len();
        let length = usize::from(der[place + 1]);
        der[place + 2 + length - 20..place + 2 + length].to_vec()
    }

    #[test]
    fn an_authority_with_anothers_key_or_out_of_its_time_signs_nothing() {
        let [one, other] = [1, 1].map(|generation| Authority::make(generation, now(), DAY).unwrap());
        let mixed = Authority::of_parts(1, one.certificate.clone(), other.key().to_owned());
        assert!(matches!(mixed.leaf(now(), DAY), Err(AuthorityError::Untrusted(_))));
        assert!(matches!(one.leaf(later(now(), signed(DAY * 2)), DAY), Err(AuthorityError::Untrusted(_))));
        let keyless = Authority::of_parts(1, one.certificate.clone(), "nothing".to_owned());
        assert!(matches!(keyless.leaf(now(), DAY), Err(AuthorityError::Make(_))));
        for text in ["", &*format!("{0}{0}", one.certificate.pem)] {
            assert!(matches!(Authority::read(1, text, String::new()), Err(AuthorityError::NotOne)), "{text}");
        }
        assert!(matches!(Authority::read(2, &one.certificate.pem, String::new()), Err(AuthorityError::NotOne)));
    }

    #[test]
    fn a_bundle_is_read_whatever_stands_between_its_authorities() {
        let [one, two] = [1, 2].map(|generation| Authority::make(generation, now(), DAY).unwrap().certificate);
        let bundle = format!("# old\n{}\n# new\r\n{}", one.pem.replace('\n', "\r\n"), two.pem);
        assert_eq!(TrustedCertificate::all(&bundle), [one.clone(), two]);
        assert_eq!(one.generation, Some(1));
        assert_eq!(TrustedCertificate::all("nothing"), []);
        let foreign = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
        let read = TrustedCertificate::all(&foreign.cert.pem());
        assert_eq!((read.len(), read[0].generation), (1, None));
    }

    #[test]
    fn nothing_that_is_printed_shows_a_key() {
        let authority = Authority::make(1, now(), DAY).unwrap();
        let leaf = authority.leaf(now(), DAY).unwrap();
        assert!(!format!("{authority:?}{leaf:?}").contains("PRIVATE"));
    }
}
