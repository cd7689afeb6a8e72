//! The cost of reading a snapshot or a manifest grows with its bytes and with nothing else: whoever hands one over chooses what
//! is in it.
//!
//! As in `prop_cost`, one size is compared with sixteen times as much.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod cost {
    #[allow(dead_code, reason = "prop_cost has more axes")]
    pub(crate) mod objects;
    #[allow(dead_code, reason = "prop_cost judges reviews")]
    pub(crate) mod reviews;
    pub(crate) mod tally;
}

use std::fs;
use std::path::Path;

use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::k8s::kinds::{DAEMON_SET, SERVICE};
use aksarc_shared::k8s::read::json;
use aksarc_shared::rules::derive;
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::ToolVersion;
use aksarc_shared::verdict::report::v1::{InputKindV1, InputV1, ReportV1};
use cost::objects::object;
use cost::tally::Tally;
use kubectl_aksarc::input::documents::Depth;
use kubectl_aksarc::input::manifests::{self, Given, Manifest};
use kubectl_aksarc::input::places::FilePositions;
use kubectl_aksarc::snapshot::read;
use serde_json::{Value, json};

#[test]
fn a_text_costs_by_the_byte_whatever_is_large_in_it() {
    let mut tally = Tally::default();
    for (name, text) in TEXTS {
        let texts = [SMALL, SMALL * TIMES].map(|n| text(n).into_bytes());
        tally.compare(&format!("a manifest with {name}"), &texts, &mut |text| drop(manifest(text)));
        tally.compare(&format!("a snapshot with {name}"), &texts, &mut |text| drop(snapshot("snapshot.yaml", text)));
    }
    tally.done();
}

#[test]
fn objects_of_a_kind_cost_by_the_byte_however_many_there_are() {
    let mut tally = Tally::default();
    for (kind, _) in derive::listed() {
        let many = |n: usize, same: bool| {
            let one = |at: usize| {
                let mut one = object(kind);
                if !same {
                    let name = one["metadata"]["name"].as_str().unwrap();
                    one["metadata"]["name"] = json!(format!("{name}-{at}"));
                }
                one
            };
            let items: Vec<_> = (0..n).map(one).collect();
            json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string().into_bytes()
        };
        for (same, what) in [(false, "names of their own"), (true, "one name")] {
            let texts = [SMALL, SMALL * TIMES].map(|n| many(n, same));
            let what = format!("{} with {what}", kind.qualified());
            tally.compare(&format!("manifests of {what}"), &texts, &mut |text| drop(manifest(text)));
            tally.compare(&format!("a snapshot of {what}"), &texts, &mut |text| drop(snapshot("snapshot.json", text)));
        }
    }
    tally.done();
}

#[test]
fn objects_that_are_compared_cost_by_the_byte_however_many_there_are() {
    let pods = |n: usize| {
        let mut workload = object(&DAEMON_SET);
        let name = workload["metadata"]["name"].clone();
        let containers = (0..n).map(|at| json!({"name": format!("c{at}"), "image": "contoso.example/x:1"}));
        workload["spec"]["template"]["spec"]["containers"] = containers.collect();
        let pod = |at: usize| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("p{at}"), "namespace": "kube-system",
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": name, "uid": "u", "controller": true}]},
                "spec": {"containers": [{"name": format!("c{at}"), "image": "contoso.example/x:1"}]}})
        };
        (0..n).map(pod).chain([workload.clone()]).collect::<Vec<_>>()
    };
    let services = |n: usize| {
        let address = |at: usize| format!("10.{}.{}.{}", at >> 16, at >> 8 & 255, at & 255);
        let mut managed = object(&SERVICE);
        managed["spec"]["clusterIPs"] = (0..n).map(address).collect();
        let own = |at: usize| {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": format!("s{at}"), "namespace": "shop"},
                "spec": {"externalIPs": [address(at)]}})
        };
        (0..n).map(own).chain([managed.clone()]).collect::<Vec<_>>()
    };
    let mut tally = Tally::default();
    let list = |items: Vec<Value>| json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string().into_bytes();
    for (what, texts) in [
        ("pods of a workload", [pods(SMALL), pods(SMALL * TIMES)].map(list)),
        ("addresses of Services", [services(SMALL), services(SMALL * TIMES)].map(list)),
    ] {
        tally.compare(&format!("manifests: {what}"), &texts, &mut |text| drop(manifest(text)));
        tally.compare(&format!("a snapshot: {what}"), &texts, &mut |text| drop(snapshot("snapshot.json", text)));
    }
    tally.done();
}

#[test]
fn positions_cost_by_the_byte_however_many_documents_there_are() {
    let mut tally = Tally::default();
    let texts = [SMALL, SMALL * TIMES].map(|n| "{}\n".repeat(16 * n).into_bytes());
    tally.compare("documents of JSON", &texts, &mut |text| drop(FilePositions::of(std::str::from_utf8(text).unwrap())));
    tally.done();
}

/// A kind of text, and the text of it whose large part has `n` items.
type KindOfText = (&'static str, fn(usize) -> String);

/// Texts with one large part.
const TEXTS: &[KindOfText] = &[
    ("documents of JSON", |n| format!("{NODE_JSON}\n").repeat(n)),
    ("documents of YAML", |n| format!("---\n{NODE}").repeat(n)),
    ("documents of nothing", |n| format!("{}{NODE}", "---\n".repeat(n))),
    ("keys", |n| format!("{NODE}spec:\n{}", lines(n, |at| format!("  k{at}: v\n")))),
    ("keys in one line", |n| format!("{NODE}spec: {{{}}}\n", lines(n, |at| format!("k{at}: v, ")))),
    ("equal keys", |n| format!("{NODE}spec:\n{}", "  k: v\n".repeat(n))),
    ("keys of maps", |n| format!("{NODE}spec:\n{}", "  ? {a: b}\n  : c\n".repeat(n))),
    ("items", |n| format!("{NODE}spec:\n{}", "  - v\n".repeat(n))),
    ("empty items", |n| format!("{NODE}spec:\n{}", "  -\n".repeat(n))),
    ("items in one line", |n| format!("{NODE}spec: [{}]\n", "v, ".repeat(n))),
    ("lists of lists", |n| format!("{NODE}spec:\n{}", "  - - - - - - - - v\n".repeat(n))),
    ("open brackets", |n| format!("{NODE}spec: {}", "[".repeat(4 * n))),
    ("open braces", |n| format!("{NODE}spec: {}", "{a: ".repeat(n))),
    ("open dashes", |n| format!("{NODE}spec:\n  {}", "- ".repeat(4 * n))),
    ("open questions", |n| format!("{NODE}spec:\n  {}", "? ".repeat(4 * n))),
    ("open keys of JSON", |n| format!("{}{{\"a\":", "{\"a\":".repeat(n))),
    ("a staircase", |n| format!("{NODE}spec:\n{}", lines(n.min(60), |at| format!("{}k:\n", " ".repeat(at + 1))))),
    ("a long word", |n| format!("{NODE}spec: {}\n", "word".repeat(8 * n))),
    ("a long word over lines", |n| format!("{NODE}spec:\n{}", "  word word\n".repeat(n))),
    ("a long quoted text", |n| format!("{NODE}spec: '{}'\n", "it''s ".repeat(4 * n))),
    ("a long text with escapes", |n| format!("{NODE}spec: \"{}\"\n", "\\u00e9\\n\\\n  ".repeat(2 * n))),
    ("a long block", |n| format!("{NODE}spec: |\n{}", "  line\n".repeat(n))),
    ("a long folded block", |n| format!("{NODE}spec: >\n{}", "  line\n\n   more\n".repeat(n))),
    ("blocks", |n| format!("{NODE}spec:\n{}", lines(n, |at| format!("  k{at}: |\n\n\n    a\n\n")))),
    ("a long key", |n| format!("{NODE}? {}\n: v\n", "key ".repeat(8 * n))),
    ("comments", |n| format!("{}{NODE}", "# a comment\n".repeat(n))),
    ("comments behind values", |n| format!("{NODE}spec:\n{}", lines(n, |at| format!("  k{at}: v # why\n")))),
    ("empty lines", |n| format!("{NODE}{}spec: {{}}\n", "\n".repeat(8 * n))),
    ("blanks", |n| format!("{NODE}spec:{}v\n", " ".repeat(16 * n))),
    ("anchors", |n| format!("{NODE}spec:\n{}", lines(n, |at| format!("  k{at}: &a{at} v\n")))),
    ("anchors around anchors", |n| {
        format!("{NODE}spec:\n{}", lines(n.min(60), |at| format!("{}- &a{at}\n", " ".repeat(at + 1))))
    }),
    ("aliases", |n| format!("{NODE}spec:\n  a: &a v\n  l: [{}]\n", "*a, ".repeat(n))),
    ("aliases of many", |n| {
        let own = lines(n, |at| format!("    a{at}: &a{at} v\n"));
        format!("{NODE}spec:\n  a:\n{own}  l: [{}]\n", lines(n, |at| format!("*a{at}, ")))
    }),
    ("aliases of a list", |n| format!("{NODE}spec:\n  a: &a [{}]\n{}", "v, ".repeat(n), anchors(n))),
    ("aliases of a map", |n| {
        format!("{NODE}spec:\n  a: &a {{{}}}\n{}", lines(n, |at| format!("k{at}: v, ")), anchors(n))
    }),
    ("aliases of a long text", |n| format!("{NODE}spec:\n  a: &a {}\n{}", "word".repeat(n), anchors(n))),
    ("aliases of aliases", |n| {
        let more = lines(n, |at| format!("  b{}: &b{} [*b{at}, *b{at}]\n", at + 1, at + 1));
        format!("{NODE}spec:\n  b0: &b0 v\n{more}")
    }),
    ("merged maps", |n| {
        let own = lines(n, |at| format!("k{at}: v, "));
        format!("{NODE}spec:\n  a: &a {{{own}}}\n  l:\n{}{}", "  - <<: *a\n".repeat(n / 2), anchors(n))
    }),
    ("tags", |n| format!("{NODE}spec:\n{}", lines(n, |at| format!("  k{at}: !!str v\n")))),
    ("directives", |n| format!("{}---\n{NODE}", lines(n, |at| format!("%TAG !t{at}! tag:contoso.example,2026:\n")))),
    ("numbers", |n| format!("{NODE}spec: {}\n", "1".repeat(16 * n))),
    ("other characters", |n| format!("{NODE}spec: {}\n", "é \u{1f600}".repeat(4 * n))),
    ("line breaks of Windows", |n| format!("{NODE}spec:\r\n{}", "  - v\r\n".repeat(n))),
    ("lists in lists", |n| {
        let depth = n.min(20);
        let begin = r#"{"apiVersion":"v1","kind":"List","items":["#;
        format!("{}{}{}", begin.repeat(depth), [NODE_JSON].repeat(n).join(","), "]}".repeat(depth))
    }),
];

const NODE: &str = "apiVersion: v1\nkind: Node\nmetadata: {name: edge-1}\n";
const NODE_JSON: &str = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"edge-1"}}"#;

fn lines(n: usize, line: impl Fn(usize) -> String) -> String {
    (0..n).map(line).collect()
}

/// As many aliases as there may be of few anchors, and more.
fn anchors(n: usize) -> String {
    let more = lines(n / 8, |at| format!("  b{at}: &b{at} v\n"));
    format!("{more}  l: [{}]\n", "*a, ".repeat(n))
}

/// What a check says of a manifest, and where; an error is an answer too.
fn manifest(text: &[u8]) -> anyhow::Result<String> {
    let directory = memory();
    let file = directory.path().join("manifest.yaml");
    fs::write(&file, text)?;
    let mut check = check();
    let mut all = Vec::new();
    manifests::each(Given::Files(&[file], Depth::Flat), &mut |Manifest { at, object, .. }| {
        let bytes = serde_json::to_vec(&object)?;
        check.manifest(json::object(&bytes)?);
        all.extend(at);
        Ok(())
    })?;
    let positions = FilePositions::of(std::str::from_utf8(text)?);
    for at in all {
        positions.field(&at, "metadata.labels").unwrap();
    }
    report(check, InputKindV1::Manifests)
}

fn snapshot(name: &str, text: &[u8]) -> anyhow::Result<String> {
    let directory = memory();
    fs::write(directory.path().join(name), text)?;
    let mut check = check();
    read::judge(directory.path(), &mut check)?;
    report(check, InputKindV1::Snapshot)
}

fn check() -> Check<'static> {
    let now = "2026-06-03T00:00:00Z".parse().unwrap();
    Check::new(embedded(), Params { platform: Some(Platform::AzureLocal), ..Params::at(now) })
}

fn report(check: Check<'_>, kind: InputKindV1) -> anyhow::Result<String> {
    let report = check.finish(ToolVersion::default(), "", "").map_err(|_| anyhow::anyhow!("not of this platform"))?;
    Ok(serde_json::to_string(&ReportV1::new(report, InputV1::of(kind, None)))?)
}

/// A directory in memory, where the system has one.
fn memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// The number of items at first.
const SMALL: usize = 128;

/// The factor by which they grow.
const TIMES: usize = 16;
