//! The contents of a support ticket: comparisons of results, results without names, and bundles.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;

use fake::{Cluster, Program, Server};
use serde_json::{Value, json};

const DRIFTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clusters/drifted");

const KEY: &str = "0123456789abcdef0123456789abcdef\n";

/// The result of the drifted sample, in a file.
fn result(program: &Program, name: &str, more: &[&str]) -> Value {
    let mut args = vec!["support-check", "--snapshot", DRIFTED, "--platform", "azure-local", "-o", "json"];
    args.extend(more);
    let report = program.run(&args);
    program.write(name, &report.stdout);
    report.json()
}

/// What a support engineer asks first.
#[test]
fn the_case_page_names_the_resource_in_azure_and_the_snapshot() {
    let program = Program::new();
    let id =
        "/subscriptions/1b2c3d4e/resourceGroups/contoso-rg/providers/Microsoft.Kubernetes/connectedClusters/contoso-7";
    let meta = json!({"name": "clustermetadata", "namespace": "azure-arc", "uid": "1"});
    let object = json!({"apiVersion": "arc.azure.com/v1beta1", "kind": "ConnectedCluster", "metadata": meta, "spec": {"azureResourceId": id}});
    program.write("snapshot.json", &object.to_string());
    let check = ["support-check", "--snapshot", "snapshot.json", "--platform", "azure-local", "--save", "result.json"];
    let page = program.run(&[&check[..], &["--show", "case"]].concat()).stdout;
    let named = format!("   Azure resource id    {id}, named by ConnectedCluster azure-arc/clustermetadata\n");
    assert!(page.contains(&named), "{page}");
    let result: Value = serde_json::from_str(&program.read("result.json")).unwrap();
    let digest = result["input"]["digest"].as_str().unwrap();
    assert!(digest.len() == 64 && page.contains(&format!("   SHA-256 of snapshot  {digest}\n")), "{page}");
    let public = program.run(&["report", "redact", "result.json"]).exits(0).stdout;
    for name in ["1b2c3d4e", "contoso-rg", "contoso-7"] {
        assert!(!public.contains(name), "{name} in {public}");
    }
    let bundle = ["report", "bundle", "result.json", "--snapshot", "snapshot.json", "-o", "case.tar.gz", "--force"];
    assert_eq!(program.run(&bundle).exits(0).stderr, "");
    program.write("snapshot.json", &format!("{object}\n"));
    let warned = program.run(&bundle).exits(0).stderr;
    let expected =
        format!("warning: snapshot.json is not the snapshot that the result is of, whose SHA-256 is {digest}\n");
    assert_eq!(warned, expected);
}

fn diff(program: &Program, old: &str, new: &str, code: i32) -> Value {
    program.run(&["report", "diff", old, new, "-o", "json"]).exits(code).json()
}

#[test]
fn results_are_compared_by_fingerprints_and_undecided_findings_are_not_new() {
    let program = Program::new();
    let whole = result(&program, "whole.json", &[]);
    let count = whole["findings"].as_array().unwrap().len();
    let same = diff(&program, "whole.json", "whole.json", 0);
    assert_eq!(same["summary"], json!({"new": 0, "fixed": 0, "not-comparable": 0, "unchanged": count}));

    let mut fewer = whole.clone();
    let removed = fewer["findings"].as_array_mut().unwrap().remove(0);
    program.write("fewer.json", &fewer.to_string());
    let worse = diff(&program, "fewer.json", "whole.json", 1);
    let first = &worse["findings"][0];
    assert_eq!((&first["change"], &first["fingerprint"]), (&json!("new"), &removed["fingerprint"]));
    let better = diff(&program, "whole.json", "fewer.json", 0);
    assert_eq!((&better["summary"]["fixed"], &better["summary"]["new"]), (&json!(1), &json!(0)));
    let table = program.run(&["report", "diff", "whole.json", "fewer.json"]).exits(0).stdout;
    assert!(table.contains("fixed") && table.contains(&format!("{} unchanged · exit 0", count - 1)), "{table}");

    // A rule that was not run says nothing, in either direction.
    result(&program, "some.json", &["--only", "AA201"]);
    for (old, new) in [("some.json", "whole.json"), ("whole.json", "some.json")] {
        let partly = diff(&program, old, new, 5);
        assert!(partly["circumstances"].to_string().contains("of 1 rules"), "{partly}");
        let apart = partly["findings"].as_array().unwrap().iter().filter(|own| own["change"] == "not-comparable");
        let remarks: Vec<&str> = apart.map(|own| own["remark"].as_str().unwrap()).collect();
        assert!(
            !remarks.is_empty() && remarks.iter().all(|remark| remark.contains("was not run in the")),
            "{remarks:?}"
        );
    }
    // Nor does one that is unknown.
    let mut unknown = fewer.clone();
    for rule in unknown["rules"].as_array_mut().unwrap() {
        if rule["code"] == removed["code"] {
            rule["outcome"] = json!("unknown");
            rule["reason"] = json!("no right to list nodes");
        }
    }
    program.write("unknown.json", &unknown.to_string());
    let apart = diff(&program, "unknown.json", "whole.json", 5);
    assert!(apart.to_string().contains("was unknown (no right to list nodes) in the earlier result"), "{apart}");

    // A finding that is accepted now is not new, and one that is no longer accepted is.
    let mut waived = whole.clone();
    waived["findings"][0]["waiver"] = json!({"name": "W-1", "reason": "r", "expires": "2027-01-01T00:00:00Z"});
    program.write("waived.json", &waived.to_string());
    diff(&program, "fewer.json", "waived.json", 0);
    assert!(diff(&program, "waived.json", "whole.json", 1).to_string().contains("waiver W-1 accepted it"));

    let mut other = whole.clone();
    other["cluster"]["context"] = json!("elsewhere\u{1b}[2J");
    other["tool"]["version"] = json!("9.9.9");
    program.write("other.json", &other.to_string());
    let told = program.run(&["report", "diff", "whole.json", "other.json"]).exits(0).stdout;
    assert!(
        told.contains("note: different clusters: ") && told.contains("note: different versions of the program"),
        "{told}"
    );
    assert!(!told.contains('\u{1b}'), "{told}");
    program.write("none.json", "{}");
    program.run(&["report", "diff", "whole.json", "none.json"]).exits(2);
    program.run(&["report", "diff", "gone.json", "none.json"]).exits(2);
}

/// The names in the drifted sample that tell whose cluster it is.
fn names() -> BTreeSet<String> {
    let read = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(Path::new(DRIFTED).join(name)).unwrap()).unwrap()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut names = BTreeSet::new();
    for node in read("nodes.json")["items"].as_array().unwrap() {
        names.insert(text(&node["metadata"]["name"]));
        let addresses = node["status"]["addresses"].as_array().cloned().unwrap_or_default();
        names.extend(addresses.iter().map(|own| text(&own["address"])));
    }
    let known = ["argocd", "azure-arc", "azure-arc-release", "calico-system", "default", "tigera-operator"];
    for namespace in read("namespaces.json")["items"].as_array().unwrap() {
        let name = text(&namespace["metadata"]["name"]);
        if !name.starts_with("kube-") && !known.contains(&&*name) {
            names.insert(name);
        }
    }
    names.remove("");
    assert!(names.len() > 7 && names.contains("shop"), "{names:?}");
    names
}

/// Whether a text holds a name as a word of its own.
fn holds(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let joins = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        !joins(text[..at].chars().next_back()) && !joins(text[at + name.len()..].chars().next())
    })
}

#[test]
fn a_result_without_names_is_a_result() {
    let program = Program::new();
    program.write("key", KEY);
    let whole = result(&program, "result.json", &[]).to_string();
    let redact = ["report", "redact", "result.json", "--snapshot", DRIFTED, "--pseudonyms", "key"];
    let redacted = program.run(&redact).exits(0);
    program.write("redacted.json", &redacted.stdout);
    let seen = names().into_iter().filter(|name| holds(&whole, name)).collect::<Vec<_>>();
    assert!(seen.len() > 3, "{seen:?}");
    for name in &seen {
        assert!(!holds(&redacted.stdout, name), "{name}");
    }
    assert!(!redacted.stdout.contains(DRIFTED), "the path of the snapshot");
    program.run(&["report", "redacted.json", "-o", "short"]).exits(3);
    let again = program.run(&redact).exits(0);
    assert_eq!(again.stdout, redacted.stdout, "the same names, the same pseudonyms");
    let lost = program.run(&redact[..5]).exits(0);
    assert!(lost.stdout != redacted.stdout && seen.iter().all(|name| !holds(&lost.stdout, name)));
    // The way back.
    let table = program.run(&[&redact[..], &["--names"]].concat()).exits(0).stdout;
    let back: BTreeMap<&str, &str> = table
        .lines()
        .skip(1)
        .map(|line| line.split_once(' ').unwrap())
        .map(|(one, other)| (one, other.trim()))
        .collect();
    let bare = |mut report: Value| {
        report["findings"].as_array_mut().unwrap().iter_mut().for_each(|own| own["fingerprint"] = Value::Null);
        report["findings"].to_string()
    };
    let restored = back.iter().fold(bare(redacted.json()), |text, (one, other)| text.replace(one, other));
    assert_eq!(restored, bare(serde_json::from_str(&whole).unwrap()));
    for finding in serde_json::from_str::<Value>(&whole).unwrap()["findings"].as_array().unwrap() {
        assert!(!redacted.stdout.contains(finding["fingerprint"].as_str().unwrap()), "a guess could be confirmed");
    }
    for (key, words) in [("short", "holds 4 characters"), ("gone", "cannot read gone")] {
        program.write("short", "1234");
        let ran = program.run(&["report", "redact", "result.json", "--pseudonyms", key]).exits(2);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    program.run(&["report", "redact", "result.json", "--names"]).exits(2);
}

/// The files of a bundle, in their order.
fn unpacked(program: &Program, name: &str) -> Vec<(String, String)> {
    let file = std::fs::File::open(program.path(name)).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (path, text)
    });
    entries.collect()
}

#[test]
fn a_bundle_holds_what_a_ticket_needs_and_no_name_under_pseudonyms() {
    let program = Program::new();
    program.write("key", KEY);
    result(&program, "result.json", &[]);
    let bundle = |name: &str, more: &[&str]| {
        let mut args = vec!["report", "bundle", "result.json", "--snapshot", DRIFTED, "-o", name];
        args.extend(more);
        program.run(&args).exits(0);
        unpacked(&program, name)
    };
    let plain = bundle("plain.tar.gz", &[]);
    let order: Vec<&str> = plain.iter().map(|(name, _)| name.as_str()).take(6).collect();
    assert_eq!(
        order,
        ["00-CONTENTS.txt", "01-case.md", "02-changes.tsv", "03-versions.txt", "04-report.html", "05-result.json"]
    );
    let contents = &plain[0].1;
    for words in
        ["Inside", "Left out", "Secrets, which are never read", "--pseudonyms KEYFILE", "SHA-256", "06-snapshot/"]
    {
        assert!(contents.contains(words), "{words}: {contents}");
    }
    for (name, _) in &plain[1..] {
        assert!(contents.contains(name.as_str()), "{name} is not in {contents}");
    }
    assert!(plain[2].1.contains("kubectl-label\tUpdate\tnode/moc-l3xk9p0bd7t"), "{}", plain[2].1);
    let names = names();
    let all = |files: &[(String, String)]| {
        let texts: Vec<String> = files.iter().map(|(name, text)| format!("{name}\n{text}")).collect();
        texts.join("\n")
    };
    let told = all(&plain);
    assert!(names.iter().all(|name| holds(&told, name)), "the test looks for names that are there");

    let hidden = bundle("hidden.tar.gz", &["--pseudonyms", "key"]);
    let text = all(&hidden);
    for name in &names {
        assert!(!holds(&text, name), "{name}");
    }
    assert!(hidden[0].1.contains("has a pseudonym, the same one everywhere"), "{}", hidden[0].1);
    assert!(
        told.contains("contoso") && !text.contains("contoso"),
        "the owner's name, in hosts, pools and keys of labels"
    );
    assert!(!text.contains("-----BEGIN") && !text.contains("caBundle"), "certificates hold names of hosts");
    // The snapshot inside is one, and judged as before but for what was left out.
    for (name, text) in &hidden {
        program.write(&format!("open/{name}"), text);
    }
    let again = program
        .run(&["support-check", "--snapshot", "open/06-snapshot", "--platform", "azure-local", "-o", "json"])
        .exits(3);
    let codes = |report: &Value| -> Vec<Value> {
        report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].clone()).collect()
    };
    let before: Value = serde_json::from_str(&program.read("result.json")).unwrap();
    assert_eq!(codes(&again.json()), codes(&before));
    // The pseudonyms in the result are those of the snapshot.
    let result: Value = serde_json::from_str(&hidden[5].1).unwrap();
    let node = result["findings"].as_array().unwrap().iter().find(|own| own["object"]["kind"] == "Node").unwrap();
    let node = node["object"]["name"].as_str().unwrap();
    assert!(
        node.starts_with("moc-") && hidden.iter().any(|(name, text)| name.contains("nodes") && text.contains(node))
    );

    let ran = program.run(&["report", "bundle", "result.json", "-o", "plain.tar.gz"]).exits(2);
    assert!(ran.stderr.contains("is there already"), "{}", ran.stderr);
    program.run(&["report", "bundle", "result.json", "-o", "plain.tar.gz", "--force"]).exits(0);
    let alone = unpacked(&program, "plain.tar.gz");
    assert!(alone.len() == 6 && alone[0].1.contains("the snapshot: none was given"), "{}", alone[0].1);
    let ran = program.run(&["report", "bundle", "result.json", "-o", "plain.zip"]).exits(2);
    assert!(ran.stderr.contains("a bundle is NAME.tar.gz"), "{}", ran.stderr);
}

#[test]
fn a_bundle_is_made_of_a_cluster_in_one_go() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    program.write("key", KEY);
    let run = |more: &[&str]| {
        let mut args = vec!["report", "bundle", "--live", "--platform", "azure-local", "-o", "case.tar.gz", "--force"];
        args.extend(more);
        program.run(&args).exits(0);
        unpacked(&program, "case.tar.gz")
    };
    let files = run(&[]);
    let result: Value = serde_json::from_str(&files[5].1).unwrap();
    assert_eq!((&result["verdict"], &result["cluster"]["context"]), (&json!("outside"), &json!("test")));
    assert!(files.iter().any(|(name, _)| name == "06-snapshot/nodes.json"), "{:?}", files[0]);
    let hidden = run(&["--pseudonyms", "key"]);
    let text: String = hidden.iter().map(|(_, text)| text.as_str()).collect();
    for name in ["moc-l1", "moc-l2", "moc-l3"] {
        assert!(!holds(&text, name), "{name}");
    }
    assert!(server.requests().iter().all(|request| request.method == "GET"));
}
