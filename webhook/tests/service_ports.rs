//! The plain ports: their answers, and that no client can fill them.

use crate::support::{Guard, admin, read_to_close, until};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn probes_have_a_port_of_their_own_and_scrapers_another() {
    let guard = Guard::start("observe", |_| ()).await;
    let (probe, metrics) = (guard.server.probe_address(), guard.server.admin_address());
    for path in ["/livez", "/readyz"] {
        assert_eq!(admin(probe, path).await.unwrap(), (200, "ok\n".to_owned()), "{path}");
        // Older manifests send their probes here.
        assert_eq!(admin(metrics, path).await.unwrap().0, 200, "{path}");
    }
    for (address, path) in [(probe, "/metrics"), (probe, "/validate"), (metrics, "/validate")] {
        assert_eq!(admin(address, path).await.unwrap().0, 404, "{path}");
    }
    let (status, text) = admin(metrics, "/metrics").await.unwrap();
    assert_eq!(status, 200);
    assert!(text.contains("aksarc_build_info{version="), "{text}");
    for address in [probe, metrics] {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(b"POST /readyz HTTP/1.1\r\nhost: g\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let text = read_to_close(&mut tcp).await;
        assert!(text.starts_with("HTTP/1.1 405") && text.contains("allow: GET, HEAD"), "{text}");
    }
}

#[tokio::test]
async fn silent_connections_are_evicted_on_the_plain_ports() {
    let guard = Guard::start("observe", |_| ()).await;
    for (address, port) in [(guard.server.probe_address(), "probe"), (guard.server.admin_address(), "metrics")] {
        // Each plain port is served by a thread of its own.
        let limit = until(|| guard.metric("aksarc_connections_limit", &[port]), |limit| *limit > 0).await;
        let mut silent = Vec::new();
        while guard.metric("aksarc_connections_saturated_total", &[port]) == 0 {
            silent.push(TcpStream::connect(address).await.unwrap());
            tokio::task::yield_now().await;
            assert!(silent.len() < 10_000, "the port was never full");
        }
        assert_eq!(admin(address, "/readyz").await.unwrap().0, 200);
        assert!(guard.metric("aksarc_connections_evicted_total", &[port]) > 0);
        assert_eq!(read_to_close(&mut silent[0]).await, "");
        until(|| guard.metric("aksarc_connections", &[port]), |open| *open <= limit).await;
    }
}

#[tokio::test]
async fn a_plain_connection_carries_one_request() {
    let guard = Guard::start("observe", |_| ()).await;
    let mut tcp = TcpStream::connect(guard.server.probe_address()).await.unwrap();
    let request = b"GET /livez HTTP/1.1\r\nhost: g\r\n\r\nGET /livez HTTP/1.1\r\nhost: g\r\n\r\n";
    tcp.write_all(request).await.unwrap();
    let text = read_to_close(&mut tcp).await;
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 1, "{text}");
    assert!(text.contains("connection: close"), "{text}");
}
