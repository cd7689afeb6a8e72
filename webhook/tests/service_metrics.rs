//! The series: their two formats, and that nobody who sends reviews can add one.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::program::Program;
use crate::support::{Guard, UID, admin, denied_review, node_update, unjudged};

#[tokio::test]
async fn a_scraper_gets_the_format_that_it_reads() {
    let guard = Guard::start("observe", |_| ()).await;
    let address = guard.server.admin_address();
    let (_, plain) = admin(address, "/metrics").await.unwrap();
    assert!(plain.contains("# TYPE aksarc_reviews_total counter\n") && !plain.contains("# EOF"), "{plain}");
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5";
    let request = format!("GET /metrics HTTP/1.1\r\nhost: g\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut open = String::new();
    tcp.read_to_string(&mut open).await.unwrap();
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0"), "{open}");
    assert!(open.contains("# TYPE aksarc_reviews counter\n") && open.ends_with("# EOF\n"), "{open}");
    assert_eq!(series(&plain), series(open.split_once("\r\n\r\n").unwrap().1));
    // The process is this one, which has been running for a moment.
    for name in ["process_resident_memory_bytes", "process_start_time_seconds", "process_open_fds"] {
        let value = plain.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        assert!(value.is_some_and(|value| value > 0.0), "{name} in {plain}");
    }
}

#[tokio::test]
async fn neither_users_nor_objects_add_series_or_stand_in_labels() {
    let guard = Guard::start("enforce", |_| ()).await;
    let mut client = guard.client().await;
    let before = series(&guard.server.metrics());
    for number in 0..200 {
        let user = format!("user-{number}@contoso.example");
        let old = json!({"kubernetes.io/hostname": "moc-l1"});
        let new = json!({"kubernetes.io/hostname": format!("edge-{number}")});
        let mut review = node_update(&user, &old, &new);
        let request = &mut review["request"];
        for object in ["object", "oldObject"] {
            request[object]["metadata"]["name"] = json!(format!("moc-{number}"));
        }
        request["userInfo"]["groups"] = json!([format!("group-{number}")]);
        request["options"]["fieldManager"] = json!(format!("manager-{number}"));
        assert_eq!(client.review(&review).await["allowed"], false);
        request_of(&mut review, "subResource", json!(format!("sub-{number}")));
        assert_eq!(client.review(&review).await["auditAnnotations"], unjudged("subresource"));
    }
    let text = guard.server.metrics();
    assert_eq!(series(&text), before);
    for name in ["user-", "edge-", "group-", "manager-", "sub-", "moc-"] {
        assert!(!text.contains(name), "{name} in {text}");
    }
}

/// Beside the one for findings: a line for what was not judged, and for what was judged in part.
#[tokio::test]
async fn the_log_names_the_uid_of_each_review_that_it_tells_of() {
    let mut program = Program::start(Stdio::piped, &["--log-format", "json"]).await;
    let mut client = program.client().await.unwrap();
    client.review(&denied_review()).await;
    let mut other = denied_review();
    request_of(&mut other, "subResource", json!("other"));
    client.review(&other).await;
    let mut stderr = program.child.stderr.take().unwrap();
    assert_eq!(program.terminate().await.code(), Some(0));
    let mut log = String::new();
    stderr.read_to_string(&mut log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for message in ["finding in a change", "a review was not judged, or not as a whole"] {
        let line = lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{message}: {log}"));
        assert_eq!((&line["uid"], &line["user"]), (&json!(UID), &json!("alice@contoso.example")), "{line}");
    }
}

fn request_of(review: &mut Value, field: &str, value: Value) {
    review["request"][field] = value;
}

/// The series of a scrape, without their values.
fn series(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}
