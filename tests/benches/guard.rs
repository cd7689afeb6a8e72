//! The cost of the guard, against a bare responder on the same TLS and HTTP that reads the body and allows everything.
//!
//! ```sh
//! cargo run --profile dist -p aksarc-tests --bin bench-guard [-- --json FILE]
//! ```
//!
//! Both run as processes of their own, with the C library of this machine; the image's, musl, makes both dearer. CPU is
//! what the kernel counted for each of their threads, so only the ratio within one run says something. Many short rounds
//! of both alternate, so that a busy machine makes both dearer, and the median of the rounds' ratios counts. Clients and
//! servers have processors of their own, and no processor halts while one connection waits in turn: see
//! `guard/processors.rs`. Needs Linux with two processors, and `taskset` and `chrt` of util-linux.

// What prop_cost judges too.
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the objects are our own")]
#[path = "../cost/objects.rs"]
mod objects;
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "the objects are our own")]
#[path = "../cost/reviews.rs"]
mod reviews;

mod guard {
    pub(crate) mod bare;
    pub(crate) mod client;
    pub(crate) mod patches;
    pub(crate) mod processors;
    pub(crate) mod review;
    pub(crate) mod server;
    pub(crate) mod turns;
    pub(crate) mod worst;
}

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::Mode;
use aksarc_tests::figures;
use aksarc_tests::product;
use anyhow::ensure;
use guard::client::{Clients, Webhook};
use guard::processors::{Apart, Awake};
use guard::review::{Edit, review};
use guard::server::Server;
use guard::turns::{Turns, turns};
use guard::{bare, patches, processors, worst};
use hyper::body::Bytes;
use serde_json::{Value, json};

/// One kind of review, sent in one way, with the bar for its cost.
struct Case {
    name: &'static str,
    edit: Edit,
    bytes: usize,
    connections: usize,
    /// Reviews of one round.
    reviews: usize,
    /// The cost at most, as a multiple of the bare responder's.
    most: Option<f64>,
}

/// Most requests that an API server sends are lawful. With all connections busy the servers do least beside a review,
/// so the ratio tells most.
const CASES: [Case; 6] = [
    Case { name: "5 KB", edit: Edit::Lawful, bytes: 5 << 10, connections: 1, reviews: 600, most: None },
    Case { name: "23 KB", edit: Edit::Lawful, bytes: 23 << 10, connections: 1, reviews: 600, most: Some(1.35) },
    Case {
        name: "23 KB, eight at once",
        edit: Edit::Lawful,
        bytes: 23 << 10,
        connections: 8,
        reviews: 800,
        most: Some(1.7),
    },
    Case { name: "23 KB warned", edit: Edit::Warned, bytes: 23 << 10, connections: 1, reviews: 600, most: Some(1.6) },
    Case { name: "23 KB denied", edit: Edit::Denied, bytes: 23 << 10, connections: 1, reviews: 600, most: Some(1.6) },
    Case { name: "1 MB", edit: Edit::Lawful, bytes: 1 << 20, connections: 1, reviews: 10, most: None },
];

/// The guard's program, as it is shipped. Nearly all of the idle memory is the program itself.
const MOST_PROGRAM: u64 = 9_000_000;
/// Resident memory before any review, and after all of them.
const MOST_IDLE: u64 = 10 << 20;
const MOST_AFTER: u64 = 20 << 20;
/// What a patch through the API server may take longer with the guard than with the bare responder, in milliseconds.
const MOST_WAIT: f64 = 0.3;
/// The sizes of the dearest reviews; the last is nearly the largest that is read.
const WORST: [usize; 4] = [23 << 10, 5 << 10, 1 << 20, 19 << 20];
/// The guard's own deadline.
const MOST_WORST: Duration = Duration::from_secs(2);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [word, directory] = arguments.as_slice()
        && word == "--bare"
    {
        return bare::serve(Path::new(directory));
    }
    if arguments.first().is_some_and(|word| word == processors::SPIN) {
        processors::spin();
    }
    let file = figures::file(&arguments)?;
    // One thread for the clients, so that they leave the servers a processor of two.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let result = runtime.block_on(measure())?;
    fs::write(file, serde_json::to_string_pretty(&result)?)?;
    ensure!(result.get("past") == Some(&json!([])), "past a bar: {}", result.get("past").unwrap_or(&Value::Null));
    Ok(())
}

async fn measure() -> anyhow::Result<Value> {
    let directory = tempfile::tempdir()?;
    let directory = directory.path();
    let webhook = Webhook::of_guard(directory)?;
    let bare = bare::start(directory)?;
    // All rules that judge changes are on, also those that are off by default.
    let off = catalogue::ALL.iter().filter(|rule| rule.change.is_some() && rule.mode == Mode::Off);
    let on: serde_json::Map<String, Value> = off.map(|rule| (rule.code.to_string(), json!("warn"))).collect();
    let config = json!({
        "apiVersion": "aksarc.dev/v1alpha1", "kind": "GuardConfig", "mode": "enforce", "platform": "azure-local", "rules": on,
    });
    fs::write(directory.join("config.yaml"), config.to_string())?;
    let program = product::webhook()?;
    let guard = Server::start_guard(&program, directory, &["--log-level", "error"]).await?;
    let mut limits = Limits::default();

    let idle = guard.resident()?;
    let rows = cases(&bare, &guard, &webhook, &mut limits).await?;
    let after = memory(&guard, &webhook).await?;
    let mut out = io::stdout();
    writeln!(out, "resident memory of the guard: {} idle, {} after {FURTHER} further reviews", mib(idle), mib(after))?;
    limits.hold("idle memory", idle <= MOST_IDLE);
    let program = fs::metadata(program)?.len();
    writeln!(out, "program of the guard: {program} bytes")?;
    limits.hold("the program", program <= MOST_PROGRAM);
    limits.hold("memory after all reviews", after <= MOST_AFTER);

    let worst = worst::of_each(&WORST)?;
    for row in &worst {
        writeln!(out, "dearest of {:>8} bytes: {:>9.0} µs, {}", row.bytes, row.time.as_secs_f64() * 1e6, row.what)?;
        limits.hold("the dearest review", row.time <= MOST_WORST);
    }
    let worst: Vec<Value> = worst
        .iter()
        .map(|row| json!({"bytes": row.bytes, "microseconds": row.time.as_micros(), "review": row.what}))
        .collect();

    let patches = patches::measure(&bare, &guard, directory)?;
    writeln!(
        out,
        "a label of a node through an API server, median: {:.2} ms asking nobody, {:.2} ms the bare responder, {:.2} ms the guard",
        patches.none, patches.bare, patches.guard
    )?;
    limits.hold("a patch", patches.guard - patches.bare <= MOST_WAIT);
    Ok(json!({
        "reviews": rows, "programBytes": program, "idleBytes": idle, "afterBytes": after, "reviewsForMemory": FURTHER, "dearest": worst,
        "patchMilliseconds": {"nobody": patches.none, "bare": patches.bare, "guard": patches.guard},
        "past": limits.past,
    }))
}

/// The limits that were passed.
#[derive(Default)]
struct Limits {
    past: Vec<String>,
}

impl Limits {
    fn hold(&mut self, what: &str, is_held: bool) {
        if !is_held {
            self.past.push(what.to_owned());
        }
    }
}

/// Measures every case and prints a table.
async fn cases(
    bare: &Server,
    guard: &Server,
    webhook: &Arc<Webhook>,
    limits: &mut Limits,
) -> anyhow::Result<Vec<Value>> {
    let mut out = io::stdout();
    writeln!(out, "{:>20}  {:>12}  {:>12}  {:>6}  {:>6}", "review", "bare CPU", "guard CPU", "ratio", "most")?;
    let mut rows = Vec::new();
    let _apart = Apart::put(&[bare, guard])?;
    for Case { name, edit, bytes, connections, reviews, most } in CASES {
        let body = Bytes::from(review(edit, bytes));
        let mut of_bare = Clients::connect(bare, webhook, connections).await?;
        let mut of_guard = Clients::connect(guard, webhook, connections).await?;
        // Where more connections wait, no processor has time to halt.
        let _awake = (connections == 1).then(Awake::keep).transpose()?;
        let answer = of_guard.answer(&body).await?;
        ensure!(edit.is_answered_by(&answer), "{name}: {}", String::from_utf8_lossy(&answer));
        let Turns { first: bare, second: guard, ratio } =
            turns(&mut of_bare, &mut of_guard, &body, reviews, ROUNDS).await?;
        let bar = most.map_or_else(String::new, |most| most.to_string());
        writeln!(out, "{name:>20}  {bare:>9.1} µs  {guard:>9.1} µs  {ratio:>6.2}  {bar:>6}")?;
        limits.hold(name, most.is_none_or(|most| ratio <= most));
        rows.push(json!({"review": name, "bytes": body.len(), "connections": connections, "bareMicroseconds": bare, "guardMicroseconds": guard, "ratio": ratio}));
    }
    Ok(rows)
}

/// The guard's memory after many more reviews, of every answer, from as many connections as an API server opens.
async fn memory(guard: &Server, webhook: &Arc<Webhook>) -> anyhow::Result<u64> {
    let mut clients = Clients::connect(guard, webhook, 8).await?;
    let bodies = [Edit::Lawful, Edit::Warned, Edit::Denied].map(|edit| Bytes::from(review(edit, 5 << 10)));
    let turns = 40;
    for turn in 0..turns {
        if let Some(body) = bodies.get(turn % bodies.len()) {
            clients.cost(body, FURTHER / turns).await?;
        }
    }
    guard.resident()
}

fn mib(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}

const ROUNDS: usize = 31;
/// Reviews after which memory is measured again. `tests/long_million.rs` sends more.
const FURTHER: usize = 50_000;
