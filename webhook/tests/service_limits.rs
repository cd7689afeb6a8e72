//! The limits on what a client can do slowly, often or at length.

use std::time::Duration;

use crate::support::{Guard, denied_review, post, read_to_close, until};
use aksarc_webhook::server::ServerLimits;
use http::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const SHORT: Duration = Duration::from_millis(50);

async fn guard(change: impl FnOnce(&mut ServerLimits)) -> Guard {
    Guard::start("enforce", |options| change(&mut options.limits)).await
}

#[tokio::test]
async fn a_handshake_that_never_begins_is_closed() {
    let guard = guard(|limits| limits.handshake = SHORT).await;
    let mut tcp = TcpStream::connect(guard.server.address()).await.unwrap();
    assert_eq!(read_to_close(&mut tcp).await, "");
    until(|| guard.metric("aksarc_handshake_timeouts_total", &[]), |count| *count == 1).await;
    until(|| guard.metric("aksarc_connections", &[]), |open| *open == 0).await;
}

#[tokio::test]
async fn a_handshake_that_is_no_tls_is_closed_and_counted() {
    let guard = guard(|_| ()).await;
    let mut tcp = TcpStream::connect(guard.server.address()).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    read_to_close(&mut tcp).await;
    until(|| guard.metric("aksarc_handshake_failures_total", &[]), |count| *count == 1).await;
}

#[tokio::test]
async fn a_first_header_that_never_ends_is_closed() {
    let guard = guard(|limits| limits.first_header = SHORT).await;
    let mut tls = guard.tls().await;
    tls.write_all(b"POST /validate HTTP/1.1\r\nhost: ").await.unwrap();
    assert_eq!(read_to_close(&mut tls).await, "");
    assert_eq!(guard.metric("aksarc_header_timeouts_total", &[]), 1);
}

#[tokio::test]
async fn a_connection_in_use_outlives_the_deadline_of_its_first_header_but_not_idleness() {
    let guard = guard(|limits| {
        limits.first_header = SHORT;
        limits.idle = SHORT * 4;
    })
    .await;
    let mut tls = guard.tls().await;
    let body = denied_review().to_string();
    let head = format!(
        "POST /validate HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    tls.write_all((head + &body).as_bytes()).await.unwrap();
    let text = read_to_close(&mut tls).await;
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    assert_eq!(guard.metric("aksarc_header_timeouts_total", &[]), 0);
}

#[tokio::test]
async fn a_header_beyond_its_size_is_refused() {
    let guard = guard(|limits| limits.header_bytes = 8 << 10).await;
    let mut tls = guard.tls().await;
    let head = format!("POST /validate HTTP/1.1\r\nhost: g\r\nx-long: {}\r\n\r\n", "x".repeat(16 << 10));
    tls.write_all(head.as_bytes()).await.unwrap();
    let text = read_to_close(&mut tls).await;
    assert!(text.starts_with("HTTP/1.1 431"), "{text}");
}

#[tokio::test]
async fn a_body_that_never_ends_gets_a_408() {
    let guard = guard(|limits| limits.body = SHORT).await;
    let mut tls = guard.tls().await;
    let head = "POST /validate HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    tls.write_all(head.as_bytes()).await.unwrap();
    let text = read_to_close(&mut tls).await;
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert_eq!(guard.metric("aksarc_requests_refused_total", &["timeout"]), 1);
}

#[tokio::test]
async fn a_body_that_announces_too_much_gets_a_413() {
    let guard = guard(|limits| limits.body_bytes = 100_000).await;
    let answer = guard.client().await.post(vec![b' '; 100_001]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.closes);
    assert_eq!(guard.metric("aksarc_requests_refused_total", &["too-large"]), 1);
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_gets_a_413() {
    let guard = guard(|limits| limits.body_bytes = 100_000).await;
    let mut tls = guard.tls().await;
    let head =
        "POST /validate HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    tls.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..11 {
        tls.write_all(format!("2710\r\n{}\r\n", " ".repeat(10_000)).as_bytes()).await.unwrap();
    }
    tls.write_all(b"0\r\n\r\n").await.unwrap();
    let text = read_to_close(&mut tls).await;
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
    assert_eq!(guard.metric("aksarc_requests_refused_total", &["too-large"]), 1);
}

#[tokio::test]
async fn a_review_of_two_objects_of_the_largest_size_is_judged() {
    let guard = guard(|_| ()).await;
    let mut review = denied_review();
    for object in ["object", "oldObject"] {
        let annotations = serde_json::json!({"example.com/large": "x".repeat(3 << 20)});
        review["request"][object]["metadata"]["annotations"] = annotations;
    }
    let response = guard.client().await.review(&review).await;
    assert_eq!(response["allowed"], false);
}

#[tokio::test]
async fn a_chunked_review_is_judged() {
    let guard = guard(|_| ()).await;
    let mut tls = guard.tls().await;
    let body = denied_review().to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let head = "POST /validate HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\nconnection: close\r\n\
                transfer-encoding: chunked\r\n\r\n";
    tls.write_all((head.to_owned() + &chunk(first)).as_bytes()).await.unwrap();
    tls.flush().await.unwrap();
    tls.write_all((chunk(second) + "0\r\n\r\n").as_bytes()).await.unwrap();
    let text = read_to_close(&mut tls).await;
    assert!(text.contains("\"code\":403"), "{text}");
}

#[tokio::test]
async fn large_bodies_wait_for_memory_and_are_refused_when_none_becomes_free() {
    let guard = guard(|limits| {
        limits.body_bytes = 200_000;
        limits.body_budget = 200_000;
        // The holder keeps its memory for this long, and the next request waits for half of that time.
        limits.body = Duration::from_secs(5);
    })
    .await;
    let head = "POST /validate HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: 190000\r\n\r\n";
    // A client that only announces much takes no memory from others.
    let mut silent = guard.tls().await;
    silent.write_all(head.as_bytes()).await.unwrap();
    // This client sends it, and holds the whole budget while its body does not end.
    let mut holder = guard.tls().await;
    holder.write_all(head.as_bytes()).await.unwrap();
    holder.write_all(&vec![b' '; 189_999]).await.unwrap();
    // Small reviews are not affected, and show that the holder's bytes have been read.
    let mut client = guard.client().await;
    assert_eq!(client.review(&denied_review()).await["allowed"], false);
    let answer = guard.client().await.post(vec![b' '; 190_000]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(guard.metric("aksarc_requests_refused_total", &["overload"]), 1);
    read_to_close(&mut holder).await;
    // The whole budget is free again.
    let answer = guard.client().await.post(vec![b' '; 190_000]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_new_connection_takes_the_slot_of_the_longest_idle_one_and_of_none_in_a_request() {
    let guard = guard(|limits| limits.connections = 3).await;
    let body = denied_review().to_string();
    let (start, end) = body.split_at(body.len() / 2);
    let head = format!(
        "POST /validate HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{start}",
        body.len()
    );
    let mut sending = guard.tls().await;
    sending.write_all(head.as_bytes()).await.unwrap();
    until(|| guard.metric("aksarc_connections", &["receiving"]), |count| *count == 1).await;
    let mut idle = guard.client().await;
    assert_eq!(idle.review(&denied_review()).await["allowed"], false);
    let mut busy = guard.client().await;
    assert_eq!(busy.review(&denied_review()).await["allowed"], false);
    assert_eq!(guard.metric("aksarc_connections_saturated_total", &["review"]), 0);

    let mut newcomer = guard.client().await;
    assert_eq!(newcomer.review(&denied_review()).await["allowed"], false);
    // Its place was taken: the connection was closed without an answer.
    let closed = idle.try_post(body.clone()).await.unwrap_err();
    assert!(closed.is_canceled() || closed.is_incomplete_message(), "{closed:?}");
    assert_eq!(busy.review(&denied_review()).await["allowed"], false);
    sending.write_all(end.as_bytes()).await.unwrap();
    let text = read_to_close(&mut sending).await;
    assert!(text.contains("\"code\":403"), "{text}");
    assert_eq!(guard.metric("aksarc_connections_saturated_total", &["review"]), 1);
    assert_eq!(guard.metric("aksarc_connections_evicted_total", &["review", "idle"]), 1);
    assert_eq!(guard.metric("aksarc_connections_accepted_total", &["review"]), 4);
}

#[tokio::test]
async fn the_slowest_sender_is_evicted_when_no_connection_is_idle() {
    let guard = guard(|limits| {
        limits.connections = 2;
        limits.body = Duration::from_mins(1);
    })
    .await;
    let head = "POST /validate HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    let mut senders = Vec::new();
    for count in 1..=2 {
        let mut sender = guard.tls().await;
        sender.write_all(head.as_bytes()).await.unwrap();
        until(|| guard.metric("aksarc_connections", &["receiving"]), |receiving| *receiving == count).await;
        senders.push(sender);
    }
    assert_eq!(guard.client().await.review(&denied_review()).await["allowed"], false);
    assert_eq!(read_to_close(&mut senders[0]).await, "");
    assert_eq!(guard.metric("aksarc_connections_evicted_total", &["review", "slow"]), 1);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_body_is_counted() {
    let guard = guard(|_| ()).await;
    let mut tls = guard.tls().await;
    let head = "POST /validate HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    tls.write_all(head.as_bytes()).await.unwrap();
    drop(tls);
    until(|| guard.metric("aksarc_connections", &[]), |open| *open == 0).await;
}

/// Each of these requests is answered at once, and frees its slot.
#[tokio::test]
async fn refused_requests_close_their_connection() {
    let guard = guard(|_| ()).await;
    let refused = |answer: crate::support::Answer, status: StatusCode| {
        assert_eq!(answer.status, status);
        assert!(answer.closes);
    };
    let mut other = post("{}");
    *other.uri_mut() = "/mutate".parse().unwrap();
    refused(guard.client().await.send(other).await.unwrap(), StatusCode::NOT_FOUND);
    let mut get = post("");
    *get.method_mut() = http::Method::GET;
    refused(guard.client().await.send(get).await.unwrap(), StatusCode::METHOD_NOT_ALLOWED);
    for content_type in [None, Some("text/plain"), Some("application/json-patch+json")] {
        let mut request = post("{}");
        request.headers_mut().remove("content-type");
        if let Some(content_type) = content_type {
            request.headers_mut().insert("content-type", content_type.parse().unwrap());
        }
        refused(guard.client().await.send(request).await.unwrap(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    assert_eq!(guard.metric("aksarc_requests_refused_total", &["content-type"]), 3);
}
