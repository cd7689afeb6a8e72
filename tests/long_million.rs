//! The memory of the guard, as it is shipped, over a million reviews of many people about many nodes: it is the same as after
//! the first hundred thousand.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "helpers of tests are tests")]

// The same load as that of `bench-guard`.
#[path = "benches/guard"]
mod guard {
    pub(crate) mod client;
    #[allow(dead_code, reason = "bench-guard uses the rest")]
    pub(crate) mod review;
    #[allow(dead_code, reason = "bench-guard uses the rest")]
    pub(crate) mod server;
}

use std::fs;
use std::time::Instant;

use aksarc_tests::image::{self, Architecture, Program};
use aksarc_tests::root;
use guard::client::{Clients, Webhook};
use guard::review::{Edit, NODE, PERSON, review};
use guard::server::Server;
use hyper::body::Bytes;
use serde_json::json;

#[test]
fn a_million_reviews_leave_the_guard_with_the_memory_of_the_first_hundred_thousand() {
    let program =
        image::static_program(Program::Guard, Architecture::HOST, &root(), &image::target(Architecture::HOST)).unwrap();
    // One thread for the clients, so that they leave the guard a processor of two.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let webhook = Webhook::of_guard(directory).unwrap();
        let config = json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "GuardConfig", "mode": "enforce", "platform": "azure-local"});
        fs::write(directory.join("config.yaml"), config.to_string()).unwrap();
        let guard = Server::start_guard(&program, directory, &["--log-level", "error"]).await.unwrap();
        let mut clients = Clients::connect(&guard, &webhook, CONNECTIONS).await.unwrap();
        let begun = Instant::now();
        send(&mut clients, 0..FIRST).await;
        let first = guard.resident().unwrap();
        send(&mut clients, FIRST..ALL).await;
        let last = guard.resident().unwrap();
        let (kib, took) = (|bytes: u64| bytes >> 10, begun.elapsed());
        eprintln!("{} KiB after {FIRST} reviews, {} KiB after {ALL}, in {took:.0?}", kib(first), kib(last));
        assert!(last <= MOST, "{} KiB", kib(last));
        assert!(last <= first + FLAT, "{} KiB and then {} KiB", kib(first), kib(last));
    });
}

/// Sends the reviews of these numbers. Each hundred of them is of a person and a node of its own, and they are owed all answers in
/// turn.
async fn send(clients: &mut Clients<'_>, numbers: std::ops::Range<usize>) {
    for number in numbers.step_by(OF_ONE) {
        let edit = [Edit::Lawful, Edit::Warned, Edit::Denied][number / OF_ONE % 3];
        let own = |text: &str, name: &str| text.replace(name, &format!("{name}-{number}"));
        let body = Bytes::from(own(&own(&review(edit, BYTES), PERSON), NODE));
        let answer = clients.answer(&body).await.unwrap();
        assert!(edit.is_answered_by(&answer), "{}", String::from_utf8_lossy(&answer));
        clients.cost(&body, OF_ONE).await.unwrap();
    }
}

/// As many as an API server opens.
const CONNECTIONS: usize = 8;
/// Reviews of one person about one node.
const OF_ONE: usize = 96;
const FIRST: usize = 100_000;
const ALL: usize = 1_000_000;
/// Bytes of a review.
const BYTES: usize = 5 << 10;
/// Bytes of memory at most, and how many more there may be than after the first reviews.
const MOST: u64 = 20 << 20;
const FLAT: u64 = 1 << 20;
