//! From when to when certificates hold, and where a cluster publishes those it stands on.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use crate::k8s::object::Object;

/// From when to when a certificate holds. As text: `BEGIN/END`, both RFC 3339, or the end alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first moment, where it is known.
    pub begin: Option<Timestamp>,
    /// The last.
    pub end: Timestamp,
}

impl Validity {
    /// From its text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.split_once('/') {
            Some((begin, end)) => {
                Some(Validity { begin: Some(begin.trim().parse().ok()?), end: end.trim().parse().ok()? })
            }
            None => Some(Validity { begin: None, end: text.parse().ok()? }),
        }
    }

    /// Of a certificate in DER.
    ///
    /// # Errors
    /// Why it cannot be read, for people.
    pub fn of(der: &[u8]) -> Result<Self, String> {
        // webpki tells when a certificate holds to whoever asks at a time when it does not, and checks that before anything else:
        // so it is asked at the beginning and at the end of time, and nothing is trusted by the answers.
        let der = CertificateDer::from(der);
        let certificate = EndEntityCert::try_from(&der).map_err(|error| format!("cannot read it: {error}"))?;
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
        Ok(Validity { begin: Some(at(0)?), end })
    }

    /// How long it lasts, where that is known.
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

/// The certificates of a PEM bundle, in its order: from when to when each holds, or why it cannot be read. What stands around
/// them is no part of it.
pub fn bundle(pem: &str) -> Vec<Result<Validity, String>> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    certificates.map(|der| Validity::of(&der.map_err(|error| format!("no certificate in PEM: {error}"))?)).collect()
}

/// A bundle of authorities that Kubernetes publishes in a ConfigMap of kube-system, for everybody who has to trust them.
#[derive(Debug)]
pub struct Published {
    /// The ConfigMap.
    pub name: &'static str,
    /// The key of its `data`.
    pub key: &'static str,
    /// What they are, for people.
    pub what: &'static str,
}

impl Published {
    /// Those that an object holds, if it is one of these ConfigMaps.
    pub fn in_map(namespace: &str, name: &str) -> impl Iterator<Item = &'static Published> {
        PUBLISHED.iter().filter(move |own| namespace == NAMESPACE && own.name == name)
    }

    /// As [`Published::in_map`], of a ConfigMap that was read.
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

/// The namespace of every one of them.
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
    fn what_is_no_certificate_has_no_end() {
        for bytes in [&b""[..], b"x", b"\x30\x03\x02\x01\x00"] {
            assert!(Validity::of(bytes).is_err());
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
