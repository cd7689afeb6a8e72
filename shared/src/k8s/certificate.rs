//! The validity of certificates, and the ConfigMaps in which a cluster publishes its authorities.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::k8s::object::Object;

/// The validity of a certificate. Its text is `BEGIN/END`, both RFC 3339, or the end alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment, where it is known.
    pub begin: Option<Timestamp>,
    /// The last moment.
    pub end: Timestamp,
}

impl Validity {
    /// The validity in a text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.split_once('/') {
            Some((begin, end)) => {
                Some(Validity { begin: Some(begin.trim().parse().ok()?), end: end.trim().parse().ok()? })
            }
            None => Some(Validity { begin: None, end: text.parse().ok()? }),
        }
    }

    /// The validity of a certificate in DER.
    ///
    /// # Errors
    /// The reason why it cannot be read, for people.
    pub fn of(der: &[u8]) -> Result<Self, String> {
        // webpki checks the validity before anything else and reports it in its error. So it is asked about the
        // beginning and the end of time, and its answers are not used as proof of trust.
        let der = CertificateDer::from(der);
        let certificate = EndEntityCert::try_from(&der).map_err(|error| format!("cannot read it: {error}"))?;
        let at = |seconds| {
            let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            match certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None) {
                Err(
                    webpki::Error::CertNotValidYet { not_before: time, .. }
                    | webpki::Error::CertExpired { not_after: time, .. },
                ) => moment(time),
                // If the certificate is valid at the beginning of time, it began then.
                Err(_) | Ok(_) if seconds == 0 => Ok(Timestamp::UNIX_EPOCH),
                Err(error) => Err(format!("cannot read it: {error}")),
                Ok(_) => Err("it never ends".to_owned()),
            }
        };
        let end = at(u64::MAX)?;
        Ok(Validity { begin: Some(at(0)?), end })
    }

    /// The length of the validity, where its beginning is known.
    pub fn length(self) -> Option<SignedDuration> {
        self.begin.map(|begin| self.end.duration_since(begin))
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.begin {
            Some(begin) => write!(f, "{begin}/{}", self.end),
            None => self.end.fmt(f),
        }
    }
}

/// The validity of each certificate of a PEM bundle, in order, or the reason why it cannot be read. Text around the
/// certificates is ignored.
pub fn bundle(pem: &str) -> Vec<Result<Validity, String>> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    certificates.map(|der| Validity::of(&der.map_err(|error| format!("no certificate in PEM: {error}"))?)).collect()
}

/// A bundle of authorities that Kubernetes publishes in a ConfigMap of kube-system, for all who have to trust them.
#[derive(Debug)]
pub struct Published {
    /// The ConfigMap.
    pub name: &'static str,
    /// The key of its `data`.
    pub key: &'static str,
    /// A description for people.
    pub what: &'static str,
}

impl Published {
    /// The bundles in a ConfigMap, if it is one of those that Kubernetes publishes.
    pub fn in_map(namespace: &str, name: &str) -> impl Iterator<Item = &'static Published> {
        PUBLISHED.iter().filter(move |own| namespace == NAMESPACE && own.name == name)
    }

    /// The bundles in a ConfigMap that was read, as [`Published::in_map`] finds them.
    pub fn in_object(map: &Object<'_>) -> impl Iterator<Item = &'static Published> {
        Published::in_map(&map.meta.namespace, &map.meta.name)
    }

    /// The path of the key, as findings name it.
    pub fn path(&self) -> String {
        if self.key.contains('.') { format!("data[{}]", self.key) } else { format!("data.{}", self.key) }
    }
}

fn moment(time: UnixTime) -> Result<Timestamp, String> {
    let seconds = i64::try_from(time.as_secs()).map_err(|error| error.to_string())?;
    Timestamp::from_second(seconds).map_err(|error| error.to_string())
}

/// The namespace of all of them.
pub const NAMESPACE: &str = "kube-system";

/// kubernetes/kubernetes: pkg/controlplane/controller/clusterauthenticationtrust writes the first ConfigMap from the API servers'
/// flags, pkg/controller/certificates/rootcacertpublisher the second from the controller-manager's.
static PUBLISHED: [Published; 3] = [
    Published { name: AUTHENTICATION, key: "client-ca-file", what: "the authority of client certificates" },
    Published { name: AUTHENTICATION, key: "requestheader-client-ca-file", what: "the authority of the front proxy" },
    Published { name: "kube-root-ca.crt", key: "ca.crt", what: "the authority by which pods know the API server" },
];

const AUTHENTICATION: &str = "extension-apiserver-authentication";

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(year: i32, is_ca: IsCa) -> rcgen::Certificate {
        let mut params = CertificateParams::new(vec!["a".to_owned()]).unwrap();
        params.not_before = date_time_ymd(1990, 1, 1);
        params.not_after = date_time_ymd(year, 3, 4);
        params.is_ca = is_ca;
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    #[test]
    fn life_of_a_certificate_is_read_to_the_second() {
        for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained), IsCa::Ca(BasicConstraints::Constrained(0))]
        {
            for year in [1999, 2027, 2049, 2051, 9999] {
                let life = Validity::of(certificate(year, is_ca).der()).unwrap();
                let text = format!("1990-01-01T00:00:00Z/{year}-03-04T00:00:00Z");
                assert_eq!(life.to_string(), text);
                assert_eq!(Validity::parse(&text), Some(life));
            }
        }
    }

    #[test]
    fn a_text_that_is_no_certificate_is_an_error() {
        for bytes in [&b""[..], b"x", b"\x30\x03\x02\x01\x00"] {
            let said = Validity::of(bytes).unwrap_err();
            assert!(said.starts_with("cannot read it: "), "{said}");
        }
        for text in ["", "soon", "/", "2026-06-01T00:00:00Z/", "2026-06-01"] {
            assert_eq!(Validity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_bundle_is_read_certificate_by_certificate_whatever_stands_around_them() {
        let (old, new) = (certificate(2027, IsCa::NoCa).pem(), certificate(2051, IsCa::NoCa).pem());
        let ends = |pem: &str| -> Vec<Option<String>> {
            bundle(pem).into_iter().map(|life| life.ok().map(|life| life.end.to_string()[..4].to_owned())).collect()
        };
        let year = |year: &str| Some(year.to_owned());
        assert_eq!(ends(&format!("# old\n{old}\n\n# new\r\n{new}")), [year("2027"), year("2051")]);
        let torn = old.replace("-----END", "!!\n-----END");
        assert_eq!(ends(&format!("{torn}{new}")), [None, year("2051")]);
        let empty = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
        assert_eq!(ends(&format!("{new}{empty}")), [year("2051"), None]);
        assert_eq!(ends(&new.replace("-----END CERTIFICATE-----", "")), [None]);
        for nothing in ["", "soon", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
            assert_eq!(bundle(nothing), [], "{nothing}");
        }
    }

    #[test]
    fn bundles_are_known_by_their_map_and_its_namespace() {
        let keys = |namespace, name| Published::in_map(namespace, name).map(Published::path).collect::<Vec<_>>();
        assert_eq!(keys(NAMESPACE, AUTHENTICATION), ["data.client-ca-file", "data.requestheader-client-ca-file"]);
        assert_eq!(keys(NAMESPACE, "kube-root-ca.crt"), ["data[ca.crt]"]);
        assert_eq!(keys("default", "kube-root-ca.crt"), [""; 0]);
        assert_eq!(keys(NAMESPACE, "coredns"), [""; 0]);
    }
}
