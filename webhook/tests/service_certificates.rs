//! The guard's own certificate: when it is served, when the guard is ready, and what it says when it cannot look after
//! it. How replicas agree is for `tests/prop_certificates.rs`, and a real API server for `tests/e2e_certificates.rs`.

use std::sync::Arc;
use std::time::Duration;

use crate::support::api_server::{ApiServer, status};
use crate::support::{Client, DEADLINE, NAME, admin, config, denied_review, metric, until};
use aksarc_shared::jiff::{SignedDuration, Timestamp};
use aksarc_webhook::certificates::authority::Authority;
use aksarc_webhook::certificates::record::{CertificateRecord, ReplicaReport, TrustStep};
use aksarc_webhook::certificates::{CertificateOptions, CertificateTimes};
use aksarc_webhook::server::{CertificateSource, GuardServer, ServerOptions};
use aksarc_webhook::tls;
use http::StatusCode;
use serde_json::json;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[tokio::test]
async fn the_certificate_is_of_the_authority_in_the_record_and_is_renewed_in_time() {
    let authority = made(3);
    let step = TrustStep::Steady { authority: authority.clone() };
    let (secret, bundle) = (secret(&record(step.clone()).text()), step.bundle());
    let api = ApiServer::start(move |asked| cluster(asked, Some(&secret), &bundle)).await;
    let guard =
        Own::start(&api, CertificateTimes { leaf: Duration::from_secs(6), ..CertificateTimes::default() }).await;
    guard.ready(true).await;
    assert_eq!(guard.metric("aksarc_certificate_authority_generation", &[]), 3);
    assert_eq!(guard.metric("aksarc_certificate_trusted", &[]), 1);
    assert_eq!(guard.metric("aksarc_certificate_authority_step_info", &["step=\"steady\""]), 1);
    assert_eq!(guard.metric("aksarc_certificate_authority_step_info", &["step=\"trust\""]), 0);
    let end = guard.metric("aksarc_certificate_authority_expiry_timestamp_seconds", &[]);
    assert_eq!(end, authority.certificate.validity.end.as_second());
    let mut open = guard.connect(&authority).await.unwrap();
    let first = guard.metric("aksarc_certificate_expiry_timestamp_seconds", &[]);
    until(|| guard.metric("aksarc_certificate_expiry_timestamp_seconds", &[]), |end| *end > first).await;
    // Connections that are open go on, and new ones are made.
    open.review(&denied_review()).await;
    guard.connect(&authority).await.unwrap().review(&denied_review()).await;
    // Nobody is asked to trust what is trusted already.
    assert!(api.requests().iter().all(|asked| !asked.starts_with("PATCH")), "{:?}", api.requests());
}

#[tokio::test]
async fn a_guard_is_not_ready_until_it_has_a_certificate_that_is_trusted() {
    let api = ApiServer::start(|_| status(StatusCode::SERVICE_UNAVAILABLE, "not yet")).await;
    let guard = Own::start(&api, CertificateTimes::default()).await;
    guard.passes("refused").await;
    assert_eq!(guard.ready(false).await, "no certificate that the API server trusts yet\n");
    let authority = made(1);
    assert!(guard.connect(&authority).await.is_err());
    let secret = secret(&record(TrustStep::Steady { authority: authority.clone() }).text());
    let untrusting = secret.clone();
    api.answer(move |asked| match asked.split(' ').next() {
        Some("PATCH") => status(StatusCode::FORBIDDEN, "no right"),
        _ => cluster(asked, Some(&untrusting), ""),
    });
    guard.passes("forbidden").await;
    assert_eq!(guard.ready(false).await, "no certificate that the API server trusts yet\n");
    assert!(guard.connect(&authority).await.is_err());
    let bundle = authority.certificate.pem.clone();
    api.answer(move |asked| cluster(asked, Some(&secret), &bundle));
    guard.ready(true).await;
    guard.connect(&authority).await.unwrap();
    // Once it was trusted, an API server that does not answer changes nothing.
    api.answer(|_| status(StatusCode::INTERNAL_SERVER_ERROR, "no"));
    let before = guard.passed("refused");
    until(|| guard.passed("refused"), |passed| *passed > before + 1).await;
    guard.ready(true).await;
    guard.connect(&authority).await.unwrap();
}

#[tokio::test]
async fn a_record_of_a_later_version_is_left_alone() {
    let later = secret(r#"{"version": 2}"#);
    let api = ApiServer::start(move |asked| cluster(asked, Some(&later), "")).await;
    let guard = Own::start(&api, CertificateTimes::default()).await;
    guard.passes("newer").await;
    guard.ready(false).await;
    assert!(api.requests().iter().all(|asked| asked.starts_with("GET")), "{:?}", api.requests());
}

#[tokio::test]
async fn what_cannot_be_used_is_made_anew() {
    let [one, other] = [1, 2].map(made);
    let mixed = Authority::of_parts(1, one.certificate.clone(), "no key".to_owned());
    let ended =
        Authority::make(1, Timestamp::now() - SignedDuration::from_hours(48), Duration::from_hours(24)).unwrap();
    for text in [
        "rubbish".to_owned(),
        record(TrustStep::Steady { authority: mixed }).text(),
        record(TrustStep::Steady { authority: ended }).text(),
        record(TrustStep::Steady { authority: one }).text().replace("steady", "steadier"),
    ] {
        let rubbish = secret(&text);
        let bundle = other.certificate.pem.clone();
        let api = ApiServer::start(move |asked| cluster(asked, Some(&rubbish), &bundle)).await;
        let guard = Own::start(&api, CertificateTimes::default()).await;
        let asked =
            || api.requests().iter().any(|asked| asked.starts_with("PUT /api/v1/namespaces/aksarc-system/secrets"));
        until(asked, |asked| *asked).await;
        drop(guard);
    }
    // One that is not there is created, and in a cluster without a webhook configuration nothing else is written.
    let api = ApiServer::start(|asked| match asked {
        asked if asked.starts_with("GET") => status(StatusCode::NOT_FOUND, "not found"),
        _ => Some((StatusCode::CREATED, "{}".to_owned())),
    })
    .await;
    let _guard = Own::start(&api, CertificateTimes::default()).await;
    let created = "POST /api/v1/namespaces/aksarc-system/secrets?fieldManager=aksarc-guard";
    until(|| api.requests().iter().any(|asked| asked == created), |created| *created).await;
    assert!(api.requests().iter().all(|asked| asked.starts_with("GET") || asked == created), "{:?}", api.requests());
}

/// A guard that makes its own certificate.
struct Own(GuardServer);

impl Own {
    async fn start(api: &ApiServer, times: CertificateTimes) -> Self {
        let every = Duration::from_millis(20);
        let options = CertificateOptions { access: api.access(), replica: "guard-a".to_owned(), every, times };
        let certificates = CertificateSource::Own(Box::new(options));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("guard.yaml");
        std::fs::write(&path, config("enforce")).unwrap();
        let mut options = ServerOptions { certificates, config: Some(path), ..ServerOptions::loopback("") };
        options.limits.review = DEADLINE;
        Own(GuardServer::start(options).await.unwrap())
    }

    /// Waits until it is ready, or is not; what it says.
    async fn ready(&self, ready: bool) -> String {
        let wanted = if ready { 200 } else { 503 };
        let wait = async {
            loop {
                let (code, said) = admin(self.0.probe_address(), "/readyz").await.unwrap();
                if code == wanted {
                    return said;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("a change of readiness")
    }

    async fn passes(&self, outcome: &str) {
        let before = self.passed(outcome);
        until(|| self.passed(outcome), |passed| *passed > before).await;
    }

    fn passed(&self, outcome: &str) -> i64 {
        self.metric("aksarc_certificate_passes_total", &[&format!("outcome=\"{outcome}\"")])
    }

    fn metric(&self, name: &str, labels: &[&str]) -> i64 {
        metric(&self.0.metrics(), name, labels)
    }

    async fn connect(&self, authority: &Authority) -> std::io::Result<Client> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.certificate.pem.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = tokio::net::TcpStream::connect(self.0.address()).await?;
        let name = ServerName::try_from(NAME).unwrap();
        Client::over(TlsConnector::from(Arc::new(config)).connect(name, tcp).await?).await
    }
}

/// The answers of a cluster with this Secret and this `caBundle`, in which nothing that is written stays.
fn cluster(asked: &str, secret: Option<&str>, bundle: &str) -> Option<(StatusCode, String)> {
    let configuration = json!({"metadata": {"resourceVersion": "1"},
        "webhooks": [{"name": "a", "clientConfig": {"caBundle": base64(bundle)}}]});
    match secret {
        _ if asked.contains("validatingwebhookconfigurations") => Some((StatusCode::OK, configuration.to_string())),
        Some(secret) => Some((StatusCode::OK, secret.to_owned())),
        None => status(StatusCode::NOT_FOUND, "not found"),
    }
}

fn secret(text: &str) -> String {
    json!({"kind": "Secret", "metadata": {"resourceVersion": "1"}, "data": {"record.json": base64(text)}}).to_string()
}

fn base64(text: &str) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}

fn record(step: TrustStep) -> CertificateRecord {
    let report = ReplicaReport { generation: 1, leaf: "00".to_owned(), at: Timestamp::now() };
    CertificateRecord { step, replicas: [("guard-b".to_owned(), report)].into() }
}

fn made(generation: u64) -> Authority {
    Authority::make(generation, Timestamp::now(), Duration::from_hours(24)).unwrap()
}
