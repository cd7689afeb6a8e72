//! Stopping: every request that was sent gets its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Client, Guard, admin, denied_review, read_to_close, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn raw_review() -> (String, String) {
    let body = denied_review().to_string();
    let head = "POST /validate HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: ";
    let (first, second) = body.split_at(body.len() / 2);
    (format!("{head}{}\r\n\r\n{first}", body.len()), second.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_in_flight_is_lost_under_load() {
    let guard = Guard::start("enforce", |options| options.limits.linger = Duration::from_millis(300)).await;
    let (address, connector) = (guard.server.address(), guard.authority.connector());
    let body = denied_review().to_string();
    let answered = Arc::new(AtomicUsize::new(0));
    let gone = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (connector, body) = (connector.clone(), body.clone());
            let (answered, gone) = (Arc::clone(&answered), Arc::clone(&gone));
            tokio::spawn(async move {
                let mut lost = 0;
                // Until connections are refused: from then on no request can get lost.
                while let Ok(mut client) = Client::connect(address, &connector).await {
                    loop {
                        let Ok(answer) = client.try_post(body.clone()).await else {
                            lost += 1;
                            break;
                        };
                        assert_eq!(answer.status, 200);
                        answered.fetch_add(1, Ordering::Relaxed);
                        if answer.closes {
                            break;
                        }
                    }
                    if gone.load(Ordering::Relaxed) {
                        break;
                    }
                }
                lost
            })
        })
        .collect();
    until(|| answered.load(Ordering::Relaxed), |count| *count > 200).await;
    assert!(guard.server.stop().await);
    gone.store(true, Ordering::Relaxed);
    for client in clients {
        assert_eq!(client.await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_stopping_guard_is_not_ready_but_serves_and_sends_connections_elsewhere() {
    let guard = Guard::start("enforce", |options| options.limits.linger = Duration::from_secs(2)).await;
    let (address, probes) = (guard.server.address(), guard.server.probe_address());
    let connector = guard.authority.connector();
    let mut open = guard.client().await;
    assert!(!open.post(denied_review().to_string()).await.closes);
    let stopping = tokio::spawn(guard.server.stop());
    while admin(probes, "/readyz").await.unwrap().0 == 200 {}
    assert_eq!(admin(probes, "/livez").await.unwrap().0, 200);
    assert!(open.post(denied_review().to_string()).await.closes);
    let mut new = Client::connect(address, &connector).await.unwrap();
    assert!(new.post(denied_review().to_string()).await.closes);
    assert!(stopping.await.unwrap());
    // Nobody listens any more: a refusal by the server's own means would be another kind of error.
    let refused = Client::connect(address, &connector).await.err().map(|error| error.kind());
    assert_eq!(refused, Some(std::io::ErrorKind::ConnectionRefused));
}

#[tokio::test]
async fn a_request_that_is_half_sent_is_answered() {
    let guard = Guard::start("enforce", |_| ()).await;
    let (first, second) = raw_review();
    let mut tls = guard.tls().await;
    tls.write_all(first.as_bytes()).await.unwrap();
    // An answer on another connection shows that the server has seen the half request.
    guard.client().await.review(&denied_review()).await;
    let address = guard.server.address();
    let stopping = tokio::spawn(guard.server.stop());
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    tls.write_all(second.as_bytes()).await.unwrap();
    let text = read_to_close(&mut tls).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("connection: close"), "{text}");
    assert!(stopping.await.unwrap());
}

#[tokio::test]
async fn a_new_connection_gets_its_first_answer_and_an_idle_one_is_closed() {
    let guard = Guard::start("enforce", |_| ()).await;
    let mut new = guard.tls().await;
    let mut idle = guard.tls().await;
    let (first, second) = raw_review();
    idle.write_all((first.clone() + &second).as_bytes()).await.unwrap();
    let mut start = [0; 12];
    idle.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    let stopping = tokio::spawn(guard.server.stop());
    read_to_close(&mut idle).await;
    new.write_all((first + &second).as_bytes()).await.unwrap();
    let text = read_to_close(&mut new).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("connection: close"), "{text}");
    assert!(stopping.await.unwrap());
}

#[tokio::test]
async fn a_request_that_never_ends_is_given_up_at_the_deadline() {
    let guard = Guard::start("enforce", |options| {
        options.limits.body = Duration::from_mins(1);
        options.limits.drain = Duration::from_millis(50);
    })
    .await;
    let mut tls = guard.tls().await;
    tls.write_all(raw_review().0.as_bytes()).await.unwrap();
    guard.client().await.review(&denied_review()).await;
    assert!(!guard.server.stop().await);
    assert_eq!(read_to_close(&mut tls).await, "");
}

#[tokio::test]
async fn a_server_that_is_dropped_takes_its_ports_with_it() {
    let guard = Guard::start("enforce", |_| ()).await;
    let (address, probes) = (guard.server.address(), guard.server.probe_address());
    let mut tls = guard.tls().await;
    drop(guard);
    assert_eq!(read_to_close(&mut tls).await, "");
    while tokio::net::TcpStream::connect(address).await.is_ok() {}
    while tokio::net::TcpStream::connect(probes).await.is_ok() {}
}
