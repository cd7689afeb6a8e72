//! Faults of TLS in words for people: the library's own are for programmers.

use std::error::Error;
use std::io;

use aksarc_shared::text;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{AlertDescription, CertificateError, InvalidMessage};

/// Why there is no TLS connection, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsFault {
    pub(super) why: String,
    pub(super) hint: &'static str,
}

impl TlsFault {
    /// The fault of TLS in the chain of an error, if there is one that people can be told.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            // An I/O error names the source of the error within as its own.
            let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            let own = error.downcast_ref::<rustls::Error>();
            if let Some(tls) = own.or_else(|| within?.downcast_ref::<rustls::Error>()) {
                return TlsFault::told(tls);
            }
            next = within.map(|within| within as &(dyn Error + 'static)).or_else(|| error.source());
        }
        None
    }

    fn told(error: &rustls::Error) -> Option<Self> {
        let told = |why: &str, hint| Some(TlsFault { why: why.to_owned(), hint });
        match error {
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                told("the server speaks no TLS at this address", "does its address begin with http://?")
            }
            rustls::Error::InvalidCertificate(fault) => TlsFault::of_certificate(fault),
            rustls::Error::InconsistentKeys(_) => told(
                "the client's key does not belong to its certificate",
                "check --client-certificate and --client-key, or those of the user in the kubeconfig",
            ),
            rustls::Error::AlertReceived(
                alert @ (AlertDescription::BadCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRequired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA),
            ) => told(
                &format!("the server does not accept the client's certificate ({alert:?})"),
                "check --client-certificate, or that of the user in the kubeconfig",
            ),
            _ => None,
        }
    }

    fn of_certificate(fault: &CertificateError) -> Option<Self> {
        let told = |why: String, hint| Some(TlsFault { why, hint });
        match fault {
            CertificateError::Expired => told("the server's certificate has ended".to_owned(), RENEW),
            CertificateError::ExpiredContext { not_after, .. } => {
                told(format!("the server's certificate ended {}", day(*not_after)), RENEW)
            }
            CertificateError::NotValidYet => told("the server's certificate has not begun".to_owned(), CLOCK),
            CertificateError::NotValidYetContext { not_before, .. } => {
                told(format!("the server's certificate begins {}", day(*not_before)), CLOCK)
            }
            CertificateError::NotValidForName => told("the server's certificate has another name".to_owned(), NAME),
            CertificateError::NotValidForNameContext { expected, presented } => {
                let names = presented.iter().take(MAX_NAMES).map(|name| plain(name)).collect::<Vec<_>>().join(", ");
                let more = presented.len().saturating_sub(MAX_NAMES);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let own = if names.is_empty() { "names nothing".to_owned() } else { format!("is for {names}{more}") };
                told(format!("the server's certificate {own}, and not for {}", expected.to_str()), NAME)
            }
            CertificateError::UnknownIssuer => told(
                "the server's certificate is of an authority that is not trusted here".to_owned(),
                "check --certificate-authority, or that of the cluster in the kubeconfig",
            ),
            // The library has no name of its own for it.
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => told(
                "the server presents the certificate of an authority, which is none for a server".to_owned(),
                "give the server a certificate that the authority signed",
            ),
            _ => None,
        }
    }
}

/// `on 2026-11-30`, in UTC.
fn day(time: UnixTime) -> String {
    let moment = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    moment.map_or_else(String::new, |moment| format!("on {}", moment.to_zoned(TimeZone::UTC).date()))
}

/// A name in a certificate, as the library shows it: `DnsName("api.example")`.
fn plain(name: &str) -> String {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    text::line(inner.trim_end_matches(')').trim_matches('"'), MAX_NAME)
}

const RENEW: &str = "renew it, or check the clock of this machine";
const CLOCK: &str = "is the clock of this machine right?";
const NAME: &str = "check the address, or give the name by --tls-server-name";

/// Names of a certificate that are told.
const MAX_NAMES: usize = 4;

/// The longest name.
const MAX_NAME: usize = 100;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_rustls::rustls::pki_types::ServerName;

    use super::*;

    fn told(error: rustls::Error) -> String {
        // As a connection that failed holds it.
        let error = anyhow::Error::from(io::Error::other(error)).context("client error (Connect)");
        let fault = TlsFault::of(error.as_ref());
        fault.map(|fault| format!("{}; {}", fault.why, fault.hint)).unwrap_or_default()
    }

    #[test]
    fn faults_are_told_without_words_of_the_library() {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(1_796_083_201));
        let certificate = |fault| told(rustls::Error::InvalidCertificate(fault));
        let expired = certificate(CertificateError::ExpiredContext { time, not_after: time });
        assert_eq!(expired, format!("the server's certificate ended on 2026-12-01; {RENEW}"));
        let early = certificate(CertificateError::NotValidYetContext { time, not_before: time });
        assert_eq!(early, format!("the server's certificate begins on 2026-12-01; {CLOCK}"));
        let expected = ServerName::try_from("10.0.0.1").unwrap();
        let presented = ["a", "b", "c", "d", "proxy.example"].map(|name| format!("DnsName(\"{name}\")")).to_vec();
        let named = certificate(CertificateError::NotValidForNameContext { expected, presented });
        let words = "the server's certificate is for a, b, c, d and 1 more, and not for 10.0.0.1";
        assert_eq!(named, format!("{words}; {NAME}"));
        let plain = told(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType));
        assert_eq!(plain, "the server speaks no TLS at this address; does its address begin with http://?");
        let keys = told(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch));
        assert!(keys.starts_with("the client's key does not belong to its certificate; check --client-certificate"));
        assert_eq!(told(rustls::Error::DecryptError), "");
    }
}
