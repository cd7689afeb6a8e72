//! `kubectl aksarc dry-run` does the same as kubectl: both run the same command lines against one API server, whose
//! audit log shows their requests. The table of kubectl's flags is compared with the real kubectl.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests are tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aksarc_tests::audit::AuditEvent;
use aksarc_tests::binaries::Tool;
use aksarc_tests::{ControlPlane, Finished, Identity, Kubernetes, product, wait};
use kubectl_aksarc::cli::kubectl_flags::{FLAGS, KubectlVerb};
use serde_json::{Value, json};

#[test]
fn the_lines_of_kubectl_are_the_same_requests_and_the_same_refusals_here() {
    let cluster = cluster();
    let lines = lines();
    let here = directory(&cluster);
    let (kubectl, plugin) = (Tool::Kubectl.path().unwrap(), product::plugin().unwrap());
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..RUNNERS {
            scope.spawn(|| {
                while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let number = line.number;
                    let theirs =
                        run(&cluster, &here, &kubectl, &format!("kubectl-{number}"), "", line, "--dry-run=server");
                    let ours = run(&cluster, &here, &plugin, &format!("ours-{number}"), "dry-run", line, "-o json");
                    done.lock().unwrap().insert(number, (theirs, ours));
                }
            });
        }
    });
    let done = done.into_inner().unwrap();
    let events = events(&cluster);
    let (mut differences, mut accepted, mut requests) = (Vec::new(), 0, 0);
    for line in &lines {
        let (theirs, ours) = &done[&line.number];
        let (asked, own) =
            (writes(&events, &format!("kubectl-{}", line.number)), writes(&events, &format!("ours-{}", line.number)));
        accepted += usize::from(theirs.code == Some(0));
        requests += own.len();
        if let Some(difference) = difference(theirs, ours, &asked, &own) {
            differences.push(format!("line {}: {}\n{difference}", line.number, line.text));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {} lines differ:\n\n{}",
        differences.len(),
        lines.len(),
        differences.join("\n")
    );
    assert!(accepted >= ACCEPTED, "kubectl accepts {accepted} of {} lines", lines.len());
    // For readers of a run's log.
    eprintln!("{} lines compared, of which kubectl accepts {accepted}; {requests} writes rehearsed", lines.len());
}

/// A line of lines.txt.
struct Line {
    number: usize,
    text: String,
}

fn lines() -> Vec<Line> {
    let text = fs::read_to_string(folder().join("lines.txt")).unwrap();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(at, text)| Line { number: at + 1, text: text.to_owned() }).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kubectl")
}

/// A control plane without controllers, so that nothing happens by itself, with the objects of cluster.yaml.
fn cluster() -> ControlPlane {
    let cluster = ControlPlane::start(Kubernetes::NEWEST).unwrap();
    let apply = |name: &str| {
        let text = fs::read_to_string(folder().join(name)).unwrap();
        cluster.kubectl_with(&Identity::Admin, ["apply", "-f", "-"], &text).unwrap()
    };
    apply("cluster.yaml").succeeded().unwrap();
    wait::until("the definition of widgets to be served", LIMIT, || {
        apply("widget.yaml").succeeded().map(drop).map_err(|error| error.to_string())
    })
    .unwrap();
    cluster
}

/// A copy of the files that the lines name.
fn directory(cluster: &ControlPlane) -> PathBuf {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let target = to.join(path.file_name().unwrap());
            if path.is_dir() {
                copy(&path, &target);
            } else {
                fs::copy(&path, target).unwrap();
            }
        }
    }
    let here = cluster.directory().join("lines");
    copy(&folder().join("files"), &here);
    here
}

/// Runs a line in bash as a user of its own, by whose name its requests are found.
fn run(
    cluster: &ControlPlane,
    here: &Path,
    program: &Path,
    user: &str,
    verb: &str,
    line: &Line,
    more: &str,
) -> Finished {
    let bash = Path::new("bash");
    let mut command = cluster.command(&Identity::Admin, bash).unwrap();
    let tools = Tool::Kubectl.path().unwrap();
    let path = format!("{}:{}", tools.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let script = format!(
        "k() {{ '{}' {verb} \"$@\" --as={user} --as-group=system:masters {more}; }}; k {}",
        program.display(),
        line.text
    );
    command.args(["-c", &script]).current_dir(here).env("PATH", path);
    Finished::run(&mut command, None).unwrap()
}

/// All requests so far. The log lags: the last of them is waited for.
fn events(cluster: &ControlPlane) -> Vec<AuditEvent> {
    cluster.kubectl(&Identity::Admin, ["get", "--raw", "/version?last=1"]).unwrap().succeeded().unwrap();
    cluster.audit_event("the last request", |event| event.request_uri.contains("last=1")).unwrap();
    cluster.audit_events().unwrap()
}

/// A write: method, path and query, the body, and the result.
type Rehearsed = (String, String, Value, u16, Value);

fn writes(events: &[AuditEvent], user: &str) -> Vec<Rehearsed> {
    let own = events.iter().filter(|event| event.impersonated_user.as_ref().is_some_and(|own| own.username == user));
    let writes = own.filter(|event| !matches!(&*event.verb, "get" | "list") && !is_question(event));
    // A refused write changes nothing, and may be refused here before it is sent; whether both refuse is compared
    // separately.
    let writes = writes.filter(|event| event.response_status.code < 300 && !is_bookkeeping(event));
    let mut writes: Vec<Rehearsed> = writes
        .map(|event| {
            let sent = event.request_object.clone().unwrap_or_default();
            // In a delete kubectl puts it into the body alone.
            let is_dry_run = event.is_dry_run() || sent["dryRun"] == json!(["All"]);
            assert!(is_dry_run, "{user}: {} {}", event.verb, event.request_uri);
            let sent = without_noise(sent);
            let came = without_noise(event.response_object.clone().unwrap_or_default());
            (event.verb.clone(), sorted(&event.request_uri), sent, event.response_status.code, came)
        })
        .collect();
    writes.sort_by_key(|(verb, uri, ..)| (uri.clone(), verb.clone()));
    // After such bookkeeping kubectl applies once more.
    writes.dedup();
    writes
}

/// Whether a request is a question about identity or rights, which creates nothing.
fn is_question(event: &AuditEvent) -> bool {
    event.object_ref.resource.ends_with("reviews")
}

/// Whether kubectl, after a server-side apply, only moves what it wrote before by client-side ones: its annotation and its entries
/// of managedFields.
fn is_bookkeeping(event: &AuditEvent) -> bool {
    let sent = event.request_object.as_ref().map(|sent| sent[0]["path"].clone());
    event.request_uri.contains("fieldManager=kubectl-last-applied") || sent == Some(json!("/metadata/managedFields"))
}

/// A URI with its query in order, without limits of time and without the mark of a dry run, which all have somewhere.
fn sorted(uri: &str) -> String {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let query = query.split('&').filter(|pair| !pair.starts_with("timeout=") && *pair != "dryRun=All");
    let query: BTreeSet<&str> = query.collect();
    format!("{path}?{}", Vec::from_iter(query).join("&"))
}

/// An object without fields that differ between two equal requests.
fn without_noise(mut object: Value) -> Value {
    if object["kind"] == "DeleteOptions" {
        return json!({"grace": object["gracePeriodSeconds"], "propagation": object["propagationPolicy"], "dryRun": object["dryRun"]});
    }
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["creationTimestamp", "deletionTimestamp", "managedFields", "resourceVersion", "uid"] {
            meta.remove(field);
        }
        // The text is the same apart from its spaces.
        if let Some(Value::String(text)) = meta.get_mut("annotations").and_then(|own| own.get_mut(LAST_APPLIED)) {
            let value: Value = serde_json::from_str(text).unwrap();
            *text = value.to_string();
        }
    }
    if object["kind"] == "Status" {
        object["details"].as_object_mut().map(|details| details.remove("uid"));
    }
    object
}

/// The difference between the two runs of a line, if there is one.
fn difference(theirs: &Finished, ours: &Finished, asked: &[Rehearsed], own: &[Rehearsed]) -> Option<String> {
    let said = |finished: &Finished| format!("{:?}: {}{}", finished.code, cut(&finished.stderr), cut(&finished.stdout));
    if asked != own {
        let show = |writes: &[Rehearsed]| {
            let lines = writes
                .iter()
                .map(|(verb, uri, sent, code, came)| format!("    {verb} {uri} {code}\n      {sent}\n      {came}"));
            lines.collect::<Vec<_>>().join("\n")
        };
        return Some(format!("  kubectl {}\n{}\n  ours {}\n{}", said(theirs), show(asked), said(ours), show(own)));
    }
    // A finding outweighs a refusal in the exit code, so the refusal is read from the result.
    let report: Option<Value> = serde_json::from_str(&ours.stdout).ok();
    let refused = match &report {
        Some(report) => report["changes"].as_array().unwrap().iter().any(|change| !change["refusal"].is_null()),
        None => true,
    };
    let code = ours.code.unwrap_or(-1);
    let told = if refused { matches!(code, 1 | 2 | 3 | 6) } else { matches!(code, 0 | 3 | 4) };
    if refused == (theirs.code == Some(0)) || !told {
        return Some(format!("  kubectl {}\n  ours {}", said(theirs), said(ours)));
    }
    None
}

fn cut(text: &str) -> String {
    text.chars().take(600).collect()
}

#[test]
fn the_table_of_flags_is_that_of_the_real_kubectl() {
    let kubectl = Tool::Kubectl.path().unwrap();
    let help = |words: &[&str]| {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(&kubectl);
        command.env_clear().env("HOME", home.path()).args(words);
        Finished::run(&mut command, None).unwrap()
    };
    for verb in KubectlVerb::ALL {
        let theirs = flags(help(&[verb.as_str(), "--help"]).succeeded().unwrap());
        let own =
            FLAGS.iter().filter(|flag| flag.is_of(verb) && !flag.hidden).map(|flag| flag.name.to_owned()).collect();
        assert!(theirs.contains("dry-run"), "{theirs:?}");
        assert_eq!(theirs, own, "{}", verb.as_str());
        for hidden in FLAGS.iter().filter(|flag| flag.is_of(verb) && flag.hidden) {
            help(&[verb.as_str(), &format!("--{}", hidden.name), "--help"]).succeeded().unwrap();
        }
    }
    let own = FLAGS.iter().filter(|flag| flag.verbs.is_empty()).map(|flag| flag.name.to_owned()).collect();
    assert_eq!(flags(help(&["options"]).succeeded().unwrap()), own, "kubectl options");
}

/// The long flags of a help text.
fn flags(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    lines.filter_map(|line| Some(line.split_once("--")?.1.split(['=', ' ', ':']).next()?.to_owned())).collect()
}

/// Long against the second in which definitions are served.
const LIMIT: Duration = Duration::from_secs(30);

/// Lines that run at the same time: as many as the machines of pipelines have cores.
const RUNNERS: usize = 2;

/// The least number of lines that kubectl accepts.
const ACCEPTED: usize = 150;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
