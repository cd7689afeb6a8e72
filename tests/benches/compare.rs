//! The cost of a review in the guard, beside Gatekeeper and Kyverno with the same policy in the same run.
//!
//! ```sh
//! cargo run --profile dist -p aksarc-tests --bin bench-compare [-- --json FILE]
//! ```
//!
//! All stand beside one real API server. The guard is the program of the image. The others are the real programs, built
//! from pinned Go modules, with the objects, arguments and environment of their own manifests. What is set otherwise spares
//! them work:
//!
//! - Gatekeeper: its webhook alone, without the audit, which is a pod of its own; a certificate from outside instead of
//!   its rotation.
//! - Kyverno: its admission controller alone; no admission reports, which the reports controller would collect; nodes are
//!   taken out of the kinds that it leaves alone by default.
//! - Neither has the memory limit of its manifest, so that their garbage collectors run less often than in a cluster.
//!   Log levels are their own, and the guard's too.
//!
//! The policy is written in each language that they have, and judged in the webhook: Gatekeeper in Rego and in CEL, Kyverno
//! in JMESPath and in CEL. Before anything is measured, each has to answer every review of a set as it is owed, and so as
//! all others do. Then eight connections send one review of 23 KB, a lawful one, to the guard and to the other in turn,
//! straight to their ports. CPU is what the kernel counted for the threads of each process; the median of the rounds'
//! ratios counts. Work that they put off until after the answer counts only as far as it is done within their own round.

// What bench-guard asks with.
#[path = "guard/client.rs"]
mod client;
#[allow(dead_code, reason = "some edits are bench-guard's alone")]
#[path = "guard/review.rs"]
mod review;
#[path = "guard/server.rs"]
mod server;
#[path = "guard/turns.rs"]
mod turns;

mod compare {
    pub(crate) mod peers;
    pub(crate) mod policy;
    pub(crate) mod reviews;
}

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aksarc_tests::figures::{self, median};
use aksarc_tests::image::{Architecture, Program, static_program, target};
use aksarc_tests::{ControlPlane, Http, Identity, Kubernetes, root, wait};
use anyhow::{Context, ensure};
use client::{Clients, Webhook};
use compare::peers::{self, Peer};
use compare::policy::{self, Resource};
use compare::reviews::{self, Answer};
use hyper::body::Bytes;
use serde_json::{Value, json};
use server::Server;
use tokio::runtime::Runtime;
use turns::{Turns, turns};

/// The cost of a review, as a multiple of the guard's, that none of the others may fall below.
const LEAST: f64 = 25.0;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let file = figures::file(&arguments)?;
    // One thread for the clients, so that they leave the servers a processor of two.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let result = measure(&runtime)?;
    fs::write(file, serde_json::to_string_pretty(&result)?)?;
    ensure!(result.get("below") == Some(&json!([])), "below the bar: {}", result.get("below").unwrap_or(&Value::Null));
    Ok(())
}

/// One that is asked, with what it is called and how its denials are told.
struct Asked<'s> {
    name: String,
    server: &'s Server,
    webhook: Arc<Webhook>,
    says: &'static str,
}

fn measure(runtime: &Runtime) -> anyhow::Result<Value> {
    let cluster = ControlPlane::start(Kubernetes::NEWEST)?;
    let admin = cluster.http(&Identity::Admin)?;
    let program = static_program(Program::Guard, Architecture::HOST, &root(), &target(Architecture::HOST))?;
    let start = |name, config: &Value| start_guard(runtime, &cluster, &program, name, config);
    let (alone, webhook) = start("guard", &policy::guard())?;
    let (whole, whole_webhook) = start("guard-whole", &policy::guard_with_all_rules())?;
    let ours = Asked { name: "guard".to_owned(), server: &alone, webhook, says: policy::RULE };
    agree(runtime, &ours)?;
    let all_rules = Asked { name: "guard, all rules".to_owned(), server: &whole, webhook: whole_webhook, ..ours };
    agree(runtime, &all_rules)?;
    let gatekeeper = peers::gatekeeper(&cluster)?;
    let kyverno = peers::kyverno(&cluster)?;

    let mut table = Table::new(runtime)?;
    table.row(&ours, &all_rules, None)?;
    let of = |peer: &'static str, language: &str, version: &str| format!("{peer} {version}, {language}");
    for (language, resources) in [("Rego", policy::gatekeeper_rego()), ("CEL", policy::gatekeeper_cel())] {
        let asked = Asked {
            name: of("Gatekeeper", language, &gatekeeper.version),
            server: &gatekeeper.server,
            webhook: Arc::clone(&gatekeeper.webhook),
            says: policy::MESSAGE,
        };
        create(&admin, &resources, &gatekeeper)?;
        judge(runtime, &asked, Answer::Denied).with_context(|| gatekeeper.log_tail())?;
        agree(runtime, &asked)?;
        table.row(&ours, &asked, Some(LEAST))?;
        delete(&admin, &resources)?;
        judge(runtime, &asked, Answer::Allowed)?;
    }
    for (language, resources) in [("JMESPath", policy::kyverno_jmespath()), ("CEL", policy::kyverno_cel())] {
        create(&admin, &resources, &kyverno)?;
        let Webhook { name, authority, .. } = &*kyverno.webhook;
        let path = peers::kyverno_path(&cluster).with_context(|| kyverno.log_tail())?;
        let asked = Asked {
            name: of("Kyverno", language, &kyverno.version),
            server: &kyverno.server,
            webhook: Arc::new(Webhook { name: name.clone(), path, authority: authority.clone() }),
            says: policy::MESSAGE,
        };
        judge(runtime, &asked, Answer::Denied).with_context(|| kyverno.log_tail())?;
        agree(runtime, &asked)?;
        table.row(&ours, &asked, Some(LEAST))?;
        delete(&admin, &resources)?;
    }
    let idle = table.idle(&[("guard", &alone), ("Gatekeeper", &gatekeeper.server), ("Kyverno", &kyverno.server)])?;
    Ok(json!({"reviewBytes": reviews::lawful().len(), "reviews": table.rows, "atRest": idle, "below": table.below}))
}

/// The guard, with its service account and the intervals that it is shipped with.
fn start_guard(
    runtime: &Runtime,
    cluster: &ControlPlane,
    program: &Path,
    name: &str,
    config: &Value,
) -> anyhow::Result<(Server, Arc<Webhook>)> {
    let directory = cluster.directory().join(name);
    fs::create_dir_all(&directory)?;
    let webhook = Webhook::of_guard(&directory)?;
    fs::write(directory.join("config.yaml"), config.to_string())?;
    let account = aksarc_tests::guard::account(cluster)?;
    let kubeconfig = cluster.kubeconfig(&account)?.display().to_string();
    let server = runtime.block_on(Server::start_guard(program, &directory, &["--kubeconfig", &kubeconfig]))?;
    Ok((server, webhook))
}

/// Creates a policy. A constraint can be made once Gatekeeper has made its definition.
fn create(admin: &Http, resources: &[Resource], peer: &Peer) -> anyhow::Result<()> {
    for Resource { collection, object } in resources {
        wait::until(collection, LIMIT, || {
            let answer = admin.post(collection, object).map_err(|error| format!("{error:#}"))?;
            if answer.is_success() { Ok(()) } else { Err(format!("{}\n{}", answer.body, peer.log_tail())) }
        })?;
    }
    Ok(())
}

/// Deletes a policy, what was made last first.
fn delete(admin: &Http, resources: &[Resource]) -> anyhow::Result<()> {
    for Resource { collection, object } in resources.iter().rev() {
        let name = object.pointer("/metadata/name").and_then(Value::as_str).context("no name")?;
        admin.delete(&format!("{collection}/{name}"))?.object()?;
    }
    Ok(())
}

/// Waits until the change of a system label gets this answer: a policy takes a moment to count, and to count no more.
fn judge(runtime: &Runtime, asked: &Asked<'_>, wanted: Answer) -> anyhow::Result<()> {
    wait::until(&format!("{} to answer {wanted:?}", asked.name), LIMIT, || {
        let given = answer(runtime, asked, &reviews::unlawful()).map_err(|error| format!("{error:#}"))?;
        if given == wanted { Ok(()) } else { Err(format!("{given:?}")) }
    })
}

/// Fails unless every review gets the answer that it is owed.
fn agree(runtime: &Runtime, asked: &Asked<'_>) -> anyhow::Result<()> {
    for owed in reviews::all()? {
        let given = answer(runtime, asked, &owed.body)?;
        ensure!(given == owed.answer, "{}: {:?} for {}, which is owed {:?}", asked.name, given, owed.what, owed.answer);
    }
    Ok(())
}

fn answer(runtime: &Runtime, asked: &Asked<'_>, body: &Bytes) -> anyhow::Result<Answer> {
    let answer =
        runtime.block_on(async { Clients::connect(asked.server, &asked.webhook, 1).await?.answer(body).await })?;
    let review: Value = serde_json::from_slice(&answer)?;
    match review.pointer("/response/allowed").and_then(Value::as_bool) {
        Some(true) => Ok(Answer::Allowed),
        Some(false) if review.to_string().contains(asked.says) => Ok(Answer::Denied),
        _ => anyhow::bail!("{} answers {review}", asked.name),
    }
}

/// Measured pairs, printed as they come.
struct Table<'r> {
    runtime: &'r Runtime,
    rows: Vec<Value>,
    /// Names of those that are below their bar.
    below: Vec<String>,
}

impl<'r> Table<'r> {
    fn new(runtime: &'r Runtime) -> anyhow::Result<Self> {
        writeln!(
            io::stdout(),
            "{:>28}  {:>12}  {:>12}  {:>6}  {:>5}  {:>12}  {:>12}  {:>10}",
            "webhook",
            "CPU",
            "guard's CPU",
            "ratio",
            "least",
            "median wait",
            "guard's wait",
            "memory"
        )?;
        Ok(Table { runtime, rows: Vec::new(), below: Vec::new() })
    }

    /// Measures one beside the guard.
    fn row(&mut self, ours: &Asked<'_>, other: &Asked<'_>, least: Option<f64>) -> anyhow::Result<()> {
        let Pair { cost, wait, our_wait } = self.runtime.block_on(pair(ours, other))?;
        let Turns { first: own, second: cost, ratio } = cost;
        let memory = other.server.resident()?;
        let bar = least.map_or_else(String::new, |least| least.to_string());
        writeln!(
            io::stdout(),
            "{:>28}  {cost:>9.1} µs  {own:>9.1} µs  {ratio:>6.1}  {bar:>5}  {wait:>9.0} µs  {our_wait:>9.0} µs  {:>6} MiB",
            other.name,
            memory >> 20
        )?;
        if least.is_some_and(|least| ratio < least) {
            self.below.push(other.name.clone());
        }
        self.rows.push(json!({
            "webhook": other.name, "microseconds": cost, "guardMicroseconds": own, "ratio": ratio, "memoryBytes": memory,
            "medianWaitMicroseconds": wait, "guardMedianWaitMicroseconds": our_wait,
        }));
        Ok(())
    }

    /// CPU and memory while nobody is asked.
    fn idle(&self, servers: &[(&str, &Server)]) -> anyhow::Result<Vec<Value>> {
        let before = servers.iter().map(|(_, server)| server.cpu()).collect::<anyhow::Result<Vec<_>>>()?;
        // Nothing is awaited: this is the time that is measured.
        self.runtime.block_on(async { tokio::time::sleep(IDLE).await });
        let mut rows = Vec::new();
        for ((name, server), before) in servers.iter().zip(before) {
            let cpu = (server.cpu()? - before) / 1_000.0 / IDLE.as_secs_f64();
            let memory = server.resident()?;
            writeln!(io::stdout(), "{name:>28}  {cpu:>9.1} µs of CPU in a second at rest, {} MiB", memory >> 20)?;
            rows.push(json!({"webhook": name, "microsecondsPerSecond": cpu, "memoryBytes": memory}));
        }
        Ok(rows)
    }
}

/// The CPU of the guard and of another, and their median waits in microseconds.
struct Pair {
    cost: Turns,
    wait: f64,
    our_wait: f64,
}

async fn pair(ours: &Asked<'_>, other: &Asked<'_>) -> anyhow::Result<Pair> {
    let body = reviews::lawful();
    let mut of_ours = Clients::connect(ours.server, &ours.webhook, CONNECTIONS).await?;
    let mut of_other = Clients::connect(other.server, &other.webhook, CONNECTIONS).await?;
    Ok(Pair {
        cost: turns(&mut of_ours, &mut of_other, &body, REVIEWS, ROUNDS).await?,
        wait: wait(other, &body).await?,
        our_wait: wait(ours, &body).await?,
    })
}

/// The median time until an answer, on one connection in turn.
async fn wait(asked: &Asked<'_>, body: &Bytes) -> anyhow::Result<f64> {
    let mut clients = Clients::connect(asked.server, &asked.webhook, 1).await?;
    let mut times = Vec::new();
    for _ in 0..REVIEWS {
        let begun = Instant::now();
        clients.answer(body).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(times))
}

const CONNECTIONS: usize = 8;
/// Reviews of one round.
const REVIEWS: usize = 400;
const ROUNDS: usize = 25;
const IDLE: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_mins(2);
