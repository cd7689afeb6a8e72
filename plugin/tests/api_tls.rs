//! TLS: the servers that are trusted, and the identity that is presented to them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use std::net::SocketAddr;
use std::sync::Arc;

use fake::{Cluster, Program, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// An authority that signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key in PEM.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// TLS in front of a server. With `clients`, it accepts only clients whose certificate that authority signed.
fn tls(server: &Server, (certificate, key): (String, String), clients: Option<&Authority>) -> SocketAddr {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()));
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).map(Result::unwrap).collect();
    let config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, upstream) = (listener.local_addr().unwrap(), server.address);
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                    let mut plain = tokio::net::TcpStream::connect(upstream).await.unwrap();
                    let _gone = tokio::io::copy_bidirectional(&mut stream, &mut plain).await;
                });
            }
        });
    });
    address
}

#[test]
fn a_server_is_believed_by_its_authority_and_name_only() {
    let authority = Authority::new();
    let server = Server::of(Cluster::healthy());
    let address = tls(&server, authority.sign("api.example"), None);
    let program = Program::at(&format!("https://{address}"));
    program.write("ca.pem", &authority.0.pem());
    program.write("other.pem", &Authority::new().0.pem());
    let ran = program.check(&[]).exits(1);
    assert!(
        ran.stderr.contains("--certificate-authority") && ran.stderr.contains("Nothing was checked"),
        "{}",
        ran.stderr
    );
    program.check(&["--certificate-authority", "ca.pem"]).exits(1);
    program.check(&["--certificate-authority", "other.pem", "--tls-server-name", "api.example"]).exits(1);
    assert!(server.requests().is_empty(), "nothing is sent to a server that is not believed");
    program.check(&["--certificate-authority", "ca.pem", "--tls-server-name", "api.example"]).exits(0);
    program.check(&["--insecure-skip-tls-verify"]).exits(0);
    program.check(&["--insecure-skip-tls-verify", "--certificate-authority", "ca.pem"]).exits(2);
    let ran = program.check(&["--certificate-authority", "missing.pem"]).exits(2);
    assert!(ran.stderr.contains("missing.pem"), "{}", ran.stderr);
}

#[test]
fn a_client_certificate_comes_from_flags_kubeconfig_or_plugin() {
    let authority = Authority::new();
    let server = Server::of(Cluster::healthy());
    let address = tls(&server, authority.sign("api.example"), Some(&authority));
    let program = Program::at(&format!("https://{address}"));
    let (certificate, key) = authority.sign("alice");
    program.write("ca.pem", &authority.0.pem());
    program.write("client.pem", &certificate);
    program.write("client.key", &key);
    let server_flags = ["--certificate-authority", "ca.pem", "--tls-server-name", "api.example"];
    program.check(&server_flags).exits(1);
    let with: Vec<&str> =
        server_flags.into_iter().chain(["--client-certificate", "client.pem", "--client-key", "client.key"]).collect();
    program.check(&with).exits(0);
    program.kubeconfig(
        &format!("https://{address}"),
        &json!({"client-certificate": "client.pem", "client-key": "client.key"}),
    );
    program.check(&server_flags).exits(0);
    let answer =
        json!({"kind": "ExecCredential", "status": {"clientCertificateData": certificate, "clientKeyData": key}});
    program.write("answer", &answer.to_string());
    let exec = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "cat", "args": [program.path("answer")]}});
    program.kubeconfig(&format!("https://{address}"), &exec);
    program.check(&server_flags).exits(0);
}

/// The outcome of AA606, and its objects.
fn certificate(ran: &fake::Ran) -> (String, String) {
    let report = ran.json();
    let rules = report["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["code"] == "AA606").unwrap();
    let seen = report["findings"][0]["evidence"][0]["detail"].as_str().or(rule["reason"].as_str()).unwrap();
    (rule["outcome"].as_str().unwrap().to_owned(), seen.to_owned())
}

#[test]
fn the_end_of_the_servers_certificate_is_seen_whoever_is_asked_for_one() {
    let authority = Authority::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["api.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2025, 6, 10);
    params.not_after = rcgen::date_time_ymd(2099, 6, 10);
    let own = params.signed_by(&key, &authority.0).unwrap();
    let flags = ["-o", "json", "--only", "AA606", "--tls-server-name", "api.example"];
    for clients in [None, Some(&authority)] {
        let server = Server::of(Cluster::healthy());
        let address = tls(&server, (own.pem(), key.serialize_pem()), clients);
        let program = Program::at(&format!("https://{address}"));
        program.write("ca.pem", &authority.0.pem());
        let (certificate_of_client, key_of_client) = authority.sign("alice");
        program.write("client.pem", &certificate_of_client);
        program.write("client.key", &key_of_client);
        program.kubeconfig(
            &format!("https://{address}"),
            &json!({"client-certificate": "client.pem", "client-key": "client.key"}),
        );
        let at = |day: &str, trust: &[&str]| {
            let day = ["support-check", "--platform", "azure-local", "--as-of", day];
            certificate(&program.run(&[&day[..], &flags[..], trust].concat()).exits(0))
        };
        let trusted = ["--certificate-authority", "ca.pem"];
        assert_eq!(at("2026-06-01", &trusted).0, "pass");
        let seen = "holds from 2025-06-10T00:00:00Z to 2099-06-10T00:00:00Z";
        assert_eq!(at("2099-06-01", &trusted), ("violated".to_owned(), seen.to_owned()));
        assert_eq!(at("2099-06-01", &["--insecure-skip-tls-verify"]), ("violated".to_owned(), seen.to_owned()));
    }
}
