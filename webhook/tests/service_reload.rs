//! Configuration and certificates that change while the guard runs, in the way in which the kubelet changes them.

use std::fs;
use std::time::Duration;

use crate::support::{Authority, Client, Guard, Volume, config, denied_review, metric, restarted, tls_connect, until};
use aksarc_webhook::reload::Poll;
use aksarc_webhook::server::{CertificateSource, GuardServer, ServerOptions, StartError};

async fn allows(guard: &Guard) -> bool {
    guard.client().await.review(&denied_review()).await["allowed"] == true
}

#[tokio::test]
async fn a_configuration_is_swapped_twice_in_a_row() {
    let guard = Guard::start("observe", |_| ()).await;
    assert!(allows(&guard).await);
    // A review on a connection that is open already is judged by it too.
    let mut open = guard.client().await;
    for (mode, allowed) in [("enforce", false), ("warn", true), ("enforce", false)] {
        guard.config.swap(&[("guard.yaml", config(mode).as_bytes())]);
        assert_eq!(guard.server.reload(), (Poll::Loaded, Poll::Unchanged));
        assert_eq!(open.review(&denied_review()).await["allowed"], allowed, "{mode}");
        assert_eq!(allows(&guard).await, allowed, "{mode}");
    }
    assert_eq!(guard.server.reload(), (Poll::Unchanged, Poll::Unchanged));
    assert_eq!(guard.metric("aksarc_config_reload_failures_total", &[]), 0);
}

#[tokio::test]
async fn a_broken_configuration_is_refused_once_and_the_old_one_stays() {
    let guard = Guard::start("enforce", |_| ()).await;
    let hash = guard.metric("aksarc_config_hash", &[]);
    let broken = [
        "mode: [".to_owned(),
        config("sometimes"),
        format!("{}rules: {{AA999: deny}}\n", config("enforce")),
        String::new(),
    ];
    for (count, text) in (0..).zip(&broken) {
        guard.config.swap(&[("guard.yaml", text.as_bytes())]);
        assert_eq!(guard.server.reload().0, Poll::Refused, "{text}");
        assert_eq!(guard.server.reload().0, Poll::Unchanged, "{text}");
        assert!(!allows(&guard).await);
        assert_eq!(guard.metric("aksarc_config_reload_failures_total", &[]), count + 1);
        assert_eq!(guard.metric("aksarc_config_last_reload_successful", &[]), 0);
        assert_eq!(guard.metric("aksarc_config_hash", &[]), hash);
    }
    guard.config.swap(&[("guard.yaml", config("observe").as_bytes())]);
    assert_eq!(guard.server.reload().0, Poll::Loaded);
    assert!(allows(&guard).await);
    assert_eq!(guard.metric("aksarc_config_last_reload_successful", &[]), 1);
    assert!(guard.metric("aksarc_config_hash", &[]) != hash);
}

#[tokio::test]
async fn a_file_that_returns_to_the_configuration_in_use_counts_as_reloaded() {
    let guard = Guard::start("enforce", |_| ()).await;
    fs::remove_file(guard.config.path("guard.yaml")).unwrap();
    assert_eq!(guard.server.reload().0, Poll::Refused);
    assert_eq!(guard.metric("aksarc_config_last_reload_successful", &[]), 0);
    fs::write(guard.config.path("guard.yaml"), config("enforce")).unwrap();
    assert_eq!(guard.server.reload().0, Poll::Loaded);
    assert_eq!(guard.metric("aksarc_config_last_reload_successful", &[]), 1);
    assert!(!allows(&guard).await);
}

#[tokio::test]
async fn a_guard_without_a_configuration_observes_until_there_is_one() {
    let guard = Guard::unconfigured().await;
    let in_force = |mode: &str| guard.metric("aksarc_mode_info", &[&format!("mode=\"{mode}\"")]);
    let modes = || ["enforce", "observe", "warn"].map(in_force);
    assert!(allows(&guard).await);
    assert_eq!((modes(), guard.metric("aksarc_config_hash", &[])), ([0, 1, 0], 0));
    assert_eq!(guard.server.reload().0, Poll::Unchanged);
    // A first configuration that cannot be used changes nothing.
    guard.config.hold(&[("guard.yaml", b"mode: [")]);
    assert_eq!(guard.server.reload().0, Poll::Refused);
    assert!(allows(&guard).await);
    assert_eq!(guard.metric("aksarc_config_last_reload_successful", &[]), 0);
    for (mode, allowed, expected) in [("enforce", false, [1, 0, 0]), ("warn", true, [0, 0, 1])] {
        guard.config.hold(&[("guard.yaml", config(mode).as_bytes())]);
        assert_eq!(guard.server.reload().0, Poll::Loaded);
        assert_eq!((allows(&guard).await, modes()), (allowed, expected), "{mode}");
    }
    assert_eq!(guard.metric("aksarc_config_last_reload_successful", &[]), 1);
}

#[tokio::test]
async fn a_deleted_configuration_stays_in_use_and_shows_in_the_metrics() {
    let guard = Guard::start("enforce", |_| ()).await;
    let hash = guard.metric("aksarc_config_hash", &[]);
    // As the kubelet empties the volume of an optional ConfigMap.
    guard.config.hold(&[]);
    assert_eq!(guard.server.reload().0, Poll::Refused);
    assert_eq!(guard.server.reload().0, Poll::Unchanged);
    assert!(!allows(&guard).await);
    assert_eq!(guard.metric("aksarc_mode_info", &["mode=\"enforce\""]), 1);
    assert_eq!(guard.metric("aksarc_config_hash", &[]), hash);
    assert_eq!(guard.metric("aksarc_config_last_reload_successful", &[]), 0);
    assert_eq!(guard.metric("aksarc_config_reload_failures_total", &[]), 1);
    // A guard that starts now observes.
    let restarted = restarted(&guard.config).await.metrics();
    assert_eq!(metric(&restarted, "aksarc_mode_info", &["mode=\"observe\""]), 1);
    // The same file counts as reloaded, and another one is taken into use.
    guard.config.hold(&[("guard.yaml", config("enforce").as_bytes())]);
    assert_eq!(guard.server.reload().0, Poll::Loaded);
    assert_eq!(guard.metric("aksarc_config_last_reload_successful", &[]), 1);
    guard.config.hold(&[]);
    assert_eq!(guard.server.reload().0, Poll::Refused);
    guard.config.hold(&[("guard.yaml", config("observe").as_bytes())]);
    assert_eq!(guard.server.reload().0, Poll::Loaded);
    assert!(allows(&guard).await);
}

#[tokio::test]
async fn changes_are_found_by_polling() {
    let guard = Guard::start("observe", |options| options.poll = Some(Duration::from_millis(5))).await;
    let before = guard.metric("aksarc_config_hash", &[]);
    guard.config.swap(&[("guard.yaml", config("enforce").as_bytes())]);
    until(|| guard.metric("aksarc_config_hash", &[]), |hash| *hash != before).await;
    assert!(!allows(&guard).await);
}

#[tokio::test]
async fn a_certificate_is_swapped_twice_in_a_row_without_hurting_open_connections() {
    let guard = Guard::start("enforce", |_| ()).await;
    let mut open = guard.client().await;
    for _ in 0..2 {
        let next = Authority::new();
        // A client that trusts only the next authority does not trust the old certificate.
        let refused = tls_connect(guard.server.address(), &next.connector()).await.unwrap_err();
        assert!(refused.to_string().contains("certificate"), "{refused}");
        guard.certificates.swap_pair(&next.issue());
        assert_eq!(guard.server.reload(), (Poll::Unchanged, Poll::Loaded));
        let mut client = Client::connect(guard.server.address(), &next.connector()).await.unwrap();
        assert_eq!(client.review(&denied_review()).await["allowed"], false);
        assert_eq!(open.review(&denied_review()).await["allowed"], false);
    }
    assert!(guard.metric("aksarc_certificate_expiry_timestamp_seconds", &[]) > 1_700_000_000);
}

#[tokio::test]
async fn a_chain_of_two_is_served_whole() {
    let guard = Guard::start("enforce", |_| ()).await;
    let root = Authority::new();
    let intermediate = root.intermediate();
    let (leaf, key) = intermediate.issue();
    guard.certificates.swap_pair(&(leaf.clone() + &intermediate.pem(), key.clone()));
    assert_eq!(guard.server.reload().1, Poll::Loaded);
    let mut client = Client::connect(guard.server.address(), &root.connector()).await.unwrap();
    assert_eq!(client.review(&denied_review()).await["allowed"], false);
    // The proof that it was the chain: without the intermediate no client finds the way to the root.
    guard.certificates.swap_pair(&(leaf, key));
    assert_eq!(guard.server.reload().1, Poll::Loaded);
    let refused = tls_connect(guard.server.address(), &root.connector()).await.unwrap_err();
    assert!(refused.to_string().contains("UnknownIssuer"), "{refused}");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_refused_and_the_old_one_stays() {
    let guard = Guard::start("enforce", |_| ()).await;
    let (chain, key) = guard.authority.issue();
    let (_, other_key) = guard.authority.issue();
    let broken = [
        (chain.clone(), other_key),
        (String::new(), key.clone()),
        (chain.clone(), String::new()),
        (chain[..chain.len() / 2].to_owned(), key.clone()),
        (key.clone(), chain.clone()),
        // API servers would not take it, and go on without the guard.
        guard.authority.issue_until(2021),
    ];
    for (count, pair) in (0..).zip(&broken) {
        guard.certificates.swap_pair(pair);
        assert_eq!(guard.server.reload().1, Poll::Refused);
        assert_eq!(guard.server.reload().1, Poll::Unchanged);
        assert!(!allows(&guard).await);
        assert_eq!(guard.metric("aksarc_certificate_reload_failures_total", &[]), count + 1);
        assert_eq!(guard.metric("aksarc_certificate_last_reload_successful", &[]), 0);
    }
    guard.certificates.swap_pair(&(chain, key));
    assert_eq!(guard.server.reload().1, Poll::Loaded);
    assert_eq!(guard.metric("aksarc_certificate_last_reload_successful", &[]), 1);
    assert!(!allows(&guard).await);
}

#[tokio::test]
async fn nothing_is_served_from_a_broken_start() {
    let authority = Authority::new();
    let certificates = Volume::of_pair(&authority.issue());
    let broken = Volume::new(&[("guard.yaml", b"mode: ["), ("tls.crt", b"")]);
    let options = ServerOptions::loopback(certificates.directory());
    let certificates = CertificateSource::Directory(broken.directory().to_owned());
    let missing = ServerOptions { certificates, ..options.clone() };
    let error = GuardServer::start(missing).await.unwrap_err();
    assert!(matches!(&error, StartError::Certificate(text) if text.contains("tls.key")), "{error}");
    // An API server takes no certificate that is over. An authority's beside it is the API server's to judge.
    let over = authority.issue_until(2021);
    let certificates = Volume::of_pair(&over);
    let source = CertificateSource::Directory(certificates.directory().to_owned());
    let error = GuardServer::start(ServerOptions { certificates: source, ..options.clone() }).await.unwrap_err();
    let words = "tls.crt is valid until 2021-01-01T00:00:00Z";
    assert!(matches!(&error, StartError::Certificate(text) if text.contains(words)), "{error}");
    let (chain, key) = authority.issue();
    certificates.swap_pair(&(chain + &over.0, key));
    let source = CertificateSource::Directory(certificates.directory().to_owned());
    GuardServer::start(ServerOptions { certificates: source, ..options.clone() }).await.unwrap();
    // A missing directory means a wrong path; a missing file may come later.
    for file in ["guard.yaml", "nowhere/guard.yaml", ""] {
        let wrong = ServerOptions { config: Some(broken.path(file)), ..options.clone() };
        assert!(matches!(GuardServer::start(wrong).await.unwrap_err(), StartError::Config(_)), "{file}");
    }
    let first = GuardServer::start(options.clone()).await.unwrap();
    let taken = ServerOptions { listen: first.address(), ..options };
    assert!(matches!(GuardServer::start(taken).await.unwrap_err(), StartError::Listen { .. }));
}
