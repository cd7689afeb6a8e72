//! `waivers`: listing, checking, comparing with findings, and making waivers; and waivers that the cluster holds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use aksarc_shared::jiff::{SignedDuration, Timestamp};
use fake::{Cluster, Program, Ran, Reply, Server};
use serde_json::{Value, json};

const AS_OF: &str = "2026-06-01";
const PATH: &str = "/apis/aksarc.dev/v1alpha1/supportwaivers";

/// A waiver for the label of `object` that is wrong in [`Cluster::outside`].
fn waiver(name: &str, object: &str) -> Value {
    json!({"name": name, "rules": ["AA201"], "match": {"kind": "Node", "name": object}, "reason": "moves", "ticket": "OPS-1",
        "requestedBy": "alice", "approvedBy": "bob", "notBefore": "2026-05-01T00:00:00Z", "expires": "2026-06-20T00:00:00Z"})
}

fn with(mut waiver: Value, field: &str, value: Value) -> Value {
    waiver[field] = value;
    waiver
}

fn file(waivers: &[Value]) -> String {
    json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "SupportWaiverList", "items": waivers}).to_string()
}

fn resource(mut waiver: Value) -> Value {
    let name = waiver.as_object_mut().unwrap().remove("name").unwrap();
    json!({"metadata": {"name": name, "uid": "u", "creationTimestamp": "2026-05-01T00:00:00Z"}, "spec": waiver})
}

/// A waiver of every state.
fn every_state() -> Vec<Value> {
    vec![
        waiver("good", "moc-l2"),
        waiver("unused", "moc-l9"),
        with(waiver("over", "moc-l2"), "expires", json!("2026-05-20T00:00:00Z")),
        with(waiver("later", "moc-l2"), "notBefore", json!("2026-06-02T00:00:00Z")),
        with(waiver("selfish", "moc-l2"), "approvedBy", json!("Alice")),
        with(waiver("lapsed", "moc-l2"), "lapsesUnless", json!({"uid": "uid-of-old"})),
        with(waiver("for-changes", "azure-arc"), "rules", json!(["AA307"])),
    ]
}

fn item<'v>(document: &'v Value, name: &str) -> &'v Value {
    document["items"].as_array().unwrap().iter().find(|item| item["name"] == name).unwrap()
}

#[test]
fn a_list_shows_state_days_and_object_of_each_waiver() {
    let program = Program::new();
    program.write("w.json", &file(&every_state()));
    let list =
        |format: &str| program.run(&["waivers", "list", "w.json", "--as-of", AS_OF, "-o", format]).exits(0).stdout;
    let json: Value = serde_json::from_str(&list("json")).unwrap();
    let yaml: Value = serde_saphyr::from_str(&list("yaml")).unwrap();
    assert_eq!(json, yaml);
    assert_eq!(json["kind"], "WaiverStatusList");
    for (name, status, days) in
        [("good", "valid", 19), ("over", "expired", -12), ("later", "not-yet", 19), ("selfish", "invalid", 19)]
    {
        let item = item(&json, name);
        assert_eq!((item["status"].as_str(), item["daysLeft"].as_i64()), (Some(status), Some(days)), "{name}");
    }
    assert_eq!(item(&json, "selfish")["problems"], json!(["requestedBy and approvedBy are the same"]));
    assert_eq!(
        item(&json, "good")["waiver"],
        every_state()[0]
            .as_object()
            .map(|own| {
                let mut own = own.clone();
                own.insert("kind".to_owned(), json!("accepted"));
                Value::Object(own)
            })
            .unwrap()
    );
    let table = list("table");
    assert!(
        table.contains("node/moc-l2") && table.contains("7 waivers: 1 expired, 1 invalid, 1 not-yet, 4 valid"),
        "{table}"
    );
    assert!(table.contains("selfish does not count: requestedBy and approvedBy are the same"), "{table}");
}

#[test]
fn a_list_counts_to_the_second() {
    let program = Program::new();
    program.write("w.json", &file(&[waiver("w", "moc-l2")]));
    for (moment, status) in [
        ("2026-04-30T23:59:59Z", "not-yet"),
        ("2026-05-01T00:00:00Z", "valid"),
        ("2026-06-19T23:59:59Z", "valid"),
        ("2026-06-20T00:00:00Z", "expired"),
        ("2026-06-20T01:59:59+02:00", "valid"),
        ("2026-06-20T02:00:00+02:00", "expired"),
    ] {
        let list = program.run(&["waivers", "list", "w.json", "--as-of", moment, "-o", "json"]).exits(0).json();
        assert_eq!(item(&list, "w")["status"], status, "{moment}");
    }
}

const YAML: &str = "\
apiVersion: aksarc.dev/v1alpha1
kind: SupportWaiverList
items:
- name: bad
  rules: [AA30l, AA303]
  match: {kind: Pod, namespace: kube-system}
  reason: moves
  requestedBy: alice
  approvedBy: ALICE
  expires: 2026-06-20T00:00:00Z
- name: soon
  rules: [AA205]
  match: {kind: NodePool, name: pool1}
  reason: moves
  requestedBy: alice
  approvedBy: bob
  expires: 2026-06-03T00:00:00Z
";

#[test]
fn lint_names_every_problem_with_its_line() {
    let program = Program::new();
    program.write("w.yaml", YAML);
    let ran = program.run(&["waivers", "lint", "w.yaml", "--as-of", AS_OF]).exits(2);
    insta::assert_snapshot!(ran.stdout, @r"
    w.yaml:4:3: error: waiver bad: AA303 voids support, so a ticket is required
    w.yaml:4:3: error: waiver bad: AA303 voids support, so notBefore is required: such a waiver may run 90 days at most
    w.yaml:5:3: error: waiver bad: no rule has the code AA30l; did you mean AA301?
    w.yaml:6:3: error: waiver bad: match needs kind and name, or a fingerprint
    w.yaml:9:3: error: waiver bad: requestedBy and approvedBy are the same
    w.yaml:17:3: warning: waiver soon: it ends in 2 days, at 2026-06-03T00:00:00Z: the finding returns then
    w.yaml: 2 waivers, 5 errors, 1 warning
    ");
    let json = program.run(&["waivers", "lint", "w.yaml", "--as-of", AS_OF, "-o", "json"]).exits(2).json();
    assert_eq!((json["errors"].as_u64(), json["warnings"].as_u64()), (Some(5), Some(1)));
    assert_eq!(json["items"].as_array().unwrap().len(), ran.stdout.lines().count() - 1);
}

#[test]
fn lint_fails_only_for_what_is_invalid() {
    let program = Program::new();
    let lint = |waivers: &[Value], more: &[&str]| {
        program.write("w.json", &file(waivers));
        let mut args = vec!["waivers", "lint", "w.json", "--as-of", AS_OF];
        args.extend(more);
        program.run(&args)
    };
    assert_eq!(lint(&[waiver("w", "a")], &[]).exits(0).stdout, "w.json: 1 waiver, 0 errors, 0 warnings\n");
    assert_eq!(lint(&[], &[]).exits(0).stdout, "w.json: 0 waivers, 0 errors, 0 warnings\n");
    // Nineteen days are left.
    assert!(
        lint(&[waiver("w", "a")], &["--soon", "19"]).exits(0).stdout.contains("warning: waiver w: it ends in 19 days")
    );
    assert!(!lint(&[waiver("w", "a")], &["--soon", "18"]).exits(0).stdout.contains("warning: "));
    let over = with(waiver("w", "a"), "expires", json!("2026-05-20T00:00:00Z"));
    assert!(lint(&[over], &[]).exits(0).stdout.contains("it expired at 2026-05-20T00:00:00Z"));
    let longer = with(waiver("v", "a"), "expires", json!("2026-07-01T00:00:00Z"));
    assert!(
        lint(&[waiver("w", "a"), longer], &[])
            .exits(0)
            .stdout
            .contains("waiver w: v is for the same AA201 and ends later")
    );
    let mut invalid = waiver("longer", "a");
    invalid["approvedBy"] = invalid["requestedBy"].clone();
    invalid["expires"] = json!("2026-06-30T00:00:00Z");
    let ran = lint(&[waiver("w", "a"), invalid], &[]).exits(2).stdout;
    assert!(!ran.contains("ends later"), "one that does not count is never shown: {ran}");
    let mut lower = waiver("w", "a");
    lower["match"]["kind"] = json!("node");
    assert!(lint(&[lower], &[]).exits(0).stdout.contains("of the kind node; did you mean Node?"));
    let twins = lint(&[waiver("w", "a"), waiver("w", "b")], &[]).exits(2).stdout;
    assert_eq!(twins.matches("another waiver has the same name").count(), 2, "{twins}");
    assert!(lint(&[waiver("w", "moc-*")], &[]).exits(0).stdout.contains("names match exactly"));
    let year = with(with(waiver("w", "pool1"), "rules", json!(["AA205"])), "expires", json!("2029-01-01T00:00:00Z"));
    assert!(lint(&[year], &[]).exits(0).stdout.contains("more than a year"));
    let case = with(waiver("w", "a"), "supportCase", json!("1"));
    assert!(lint(&[case], &[]).exits(0).stdout.contains("microsoft-directed?"));
}

#[test]
fn files_that_hold_no_waivers_are_exit_2_by_every_command() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    program.write("typo.yaml", &YAML.replace("reason:", "raeson:"));
    program.write("zone.yaml", &YAML.replace("2026-06-03T00:00:00Z", "2026-06-03T00:00:00"));
    program.write("map.yaml", "apiVersion: v1\nkind: ConfigMap\n");
    program.write("broken.yaml", "apiVersion: [\n");
    std::fs::write(program.path("binary.yaml"), b"\xff\xfe\x00").unwrap();
    let huge = std::fs::File::create(program.path("huge.yaml")).unwrap();
    huge.set_len(17 << 20).unwrap();
    for (name, word) in [
        ("typo.yaml", "line 7"),
        ("zone.yaml", "line 17"),
        ("map.yaml", "ConfigMap"),
        ("broken.yaml", "line"),
        ("binary.yaml", "binary.yaml"),
        ("huge.yaml", "at most"),
        ("missing.yaml", "missing.yaml"),
        (".", "cannot read"),
    ] {
        for command in ["list", "lint", "audit"] {
            let ran = program.run(&["waivers", command, name]).exits(2);
            assert!(ran.stderr.contains(word), "{command} {name}: {}", ran.stderr);
            assert_eq!(ran.stdout, "", "{command} {name}");
        }
    }
    assert!(server.requests().is_empty(), "a file is read before a cluster is asked");
    for command in ["list", "audit"] {
        let ran = program.run(&["waivers", command]).exits(2);
        assert!(ran.stderr.contains("--waivers cluster"), "{}", ran.stderr);
    }
    program.run(&["waivers", "lint"]).exits(2);
    program.run(&["waivers"]).exits(2);
}

#[test]
fn names_that_would_steer_a_terminal_are_shown_not_sent() {
    let program = Program::new();
    program.write("w.json", &file(&[waiver("a\u{1b}[31mb\nwarning: forged", "moc-l2")]));
    for command in [&["waivers", "lint", "w.json"][..], &["waivers", "list", "w.json"]] {
        let ran = program.run(command);
        let text = ran.stdout + &ran.stderr;
        assert!(!text.contains('\u{1b}') && !text.contains("\nwarning: forged"), "{text}");
        assert!(text.contains("\\u{1b}"), "{text}");
    }
}

fn audit(program: &Program, more: &[&str]) -> Ran {
    let mut args = vec!["waivers", "audit", "--platform", "azure-local", "--as-of", AS_OF];
    args.extend(more);
    program.run(&args)
}

#[test]
fn an_audit_says_what_each_waiver_does() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    program.write("w.json", &file(&every_state()));
    let json = audit(&program, &["w.json", "-o", "json"]).exits(2).json();
    for (name, usage) in [
        ("good", "covers"),
        ("unused", "unused"),
        ("over", "not-in-force"),
        ("later", "not-in-force"),
        ("selfish", "not-in-force"),
        ("lapsed", "lapsed"),
        ("for-changes", "unknown"),
    ] {
        assert_eq!(item(&json, name)["use"], usage, "{name}: {json}");
    }
    let covered = &item(&json, "good")["covers"][0];
    assert_eq!((&covered["code"], &covered["after"]), (&json!("AA201"), &json!("edge-7")));
    assert_eq!(item(&json, "over")["wouldCover"][0]["object"]["name"], "moc-l2");
    assert!(item(&json, "lapsed")["lapsed"][0]["why"].as_str().unwrap().contains("uid-moc-l2 instead of uid-of-old"));
    assert!(item(&json, "for-changes")["why"].as_str().unwrap().contains("AA307"));
    assert_eq!(json["verdict"], "within", "the finding is waived");
    let table = audit(&program, &["w.json"]).exits(2).stdout;
    assert!(
        table.contains("covers AA201 voids node/moc-l2 metadata.labels[kubernetes.io/hostname]: moc-l2 → edge-7"),
        "{table}"
    );
    assert!(table.contains("! it covers nothing that was found"), "{table}");

    // A snapshot gives the same result.
    program.run(&["snapshot", "-o", "s.json"]).exits(0);
    let offline = audit(&program, &["w.json", "-o", "json", "--snapshot", "s.json"]).exits(2).json();
    assert_eq!(offline["items"], json["items"]);
}

#[test]
fn an_audit_of_a_snapshot_is_as_of_the_moment_when_it_was_taken() {
    let program = Program::new();
    let snapshot = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clusters/drifted");
    let index: Value = serde_json::from_slice(&std::fs::read(format!("{snapshot}/index.json")).unwrap()).unwrap();
    let taken: Timestamp = index["takenAt"].as_str().unwrap().parse().unwrap();
    let later = |hours| (taken + SignedDuration::from_hours(hours)).to_string();
    // A day that is past whenever this runs.
    let of_its_days = with(waiver("then", "moc-l8c2ongw6ra"), "notBefore", json!(later(-24)));
    program.write(
        "w.json",
        &file(&[with(of_its_days, "expires", json!((taken + SignedDuration::from_secs(1)).to_string()))]),
    );
    let audit = |more: &[&str]| {
        let args = ["waivers", "audit", "w.json", "--snapshot", snapshot, "-o", "json"];
        program.run(&[&args, more].concat()).exits(0).json()
    };
    let own = audit(&[]);
    assert_eq!(own["asOf"], taken.to_string());
    assert_eq!(item(&own, "then")["use"], "covers");
    for moment in [&*later(24), "now"] {
        assert_eq!(item(&audit(&["--as-of", moment]), "then")["use"], "not-in-force", "{moment}");
    }
}

#[test]
fn an_audits_exit_code_is_as_strict_as_asked() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    let mut all = every_state();
    let mut keep = |names: &[&str]| {
        let some: Vec<Value> = all
            .iter_mut()
            .filter(|own| names.contains(&own["name"].as_str().unwrap()))
            .map(|own| own.clone())
            .collect();
        program.write("w.json", &file(&some));
    };
    for (names, lenient, strict) in [
        (&["good", "later"][..], 0, 0),
        (&["unused"], 0, 4),
        (&["over"], 0, 4),
        (&["lapsed"], 0, 4),
        (&["for-changes", "unused"], 0, 5),
        (&["selfish", "for-changes", "unused"], 2, 2),
    ] {
        keep(names);
        audit(&program, &["w.json"]).exits(lenient);
        audit(&program, &["w.json", "--strict"]).exits(strict);
    }
}

#[test]
fn nothing_is_unused_where_nodes_cannot_be_read() {
    let mut blind = Cluster::outside();
    blind.forbidden = vec!["/api/v1/nodes".to_owned()];
    let server = Server::of(blind);
    let program = Program::at(&server.url());
    program.write("w.json", &file(&[waiver("w", "moc-l2")]));
    let json = audit(&program, &["w.json", "-o", "json"]).exits(0).json();
    assert_eq!(item(&json, "w")["use"], "unknown");
    assert!(item(&json, "w")["why"].as_str().unwrap().contains("list nodes"), "{json}");
    let ran = program.check(&["--waivers", "w.json"]).exits(5);
    assert!(!ran.stderr.contains("covers nothing"), "{}", ran.stderr);
}

#[test]
fn a_cluster_that_cannot_be_asked_is_exit_1() {
    let program = Program::at("http://127.0.0.1:1");
    program.write("w.json", &file(&[]));
    audit(&program, &["w.json", "--timeout", "5s"]).exits(1);
    program.run(&["waivers", "list", "--waivers", "cluster", "--timeout", "5s"]).exits(1);
    audit(&program, &["w.json", "--snapshot", "missing"]).exits(2);
}

fn keeping(waivers: &[Value]) -> Cluster {
    let mut cluster = Cluster::outside();
    for waiver in waivers {
        cluster.add(PATH, "SupportWaiver", waiver.clone());
    }
    cluster
}

#[test]
fn waivers_of_the_cluster_count_as_those_of_a_file_do() {
    let objects: Vec<Value> = every_state().into_iter().map(resource).collect();
    let server = Server::of(keeping(&objects));
    let program = Program::at(&server.url());
    program.write("w.json", &file(&every_state()));
    let live = program.check(&["--waivers", "cluster", "-o", "json"]).exits(0);
    let from_file = program.check(&["--waivers", "w.json", "-o", "json"]).exits(0);
    assert_eq!(live.json()["findings"], from_file.json()["findings"]);
    assert_eq!(live.json()["clocks"], from_file.json()["clocks"]);
    assert_eq!(live.stderr, from_file.stderr);
    assert!(
        live.stderr.contains("waiver selfish does not count") && live.stderr.contains("waiver lapsed"),
        "{}",
        live.stderr
    );

    // One GET list, page by page.
    let before = server.requests().len();
    let list =
        program.run(&["waivers", "list", "--waivers", "cluster", "--as-of", AS_OF, "-o", "json", "--chunk-size", "3"]);
    let own = program.run(&["waivers", "list", "w.json", "--as-of", AS_OF, "-o", "json"]).exits(0).json();
    assert_eq!(list.exits(0).json(), own);
    let asked: Vec<_> = server.requests().split_off(before);
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|request| request.method == "GET" && request.path == PATH));

    let audited = audit(&program, &["--waivers", "cluster", "-o", "json"]).exits(2).json();
    assert_eq!(item(&audited, "good")["use"], "covers");
    // The variable names a source of waivers, and a typed file takes precedence.
    let mut command = program.command();
    command.args(["waivers", "list", "-o", "json"]).env("KUBECTL_AKSARC_WAIVERS", "cluster");
    assert_eq!(Ran::of(&command.output().unwrap()).exits(0).json()["items"].as_array().unwrap().len(), 7);
}

#[test]
fn a_cluster_without_the_resource_has_no_waivers_and_says_so() {
    let mut cluster = Cluster::outside();
    cluster.absent.push("/apis/aksarc.dev".to_owned());
    let server = Server::of(cluster);
    let program = Program::at(&server.url());
    let ran = program.check(&["--waivers", "cluster"]).exits(3);
    assert!(ran.stderr.contains("does not serve supportwaivers.aksarc.dev"), "{}", ran.stderr);
    let ran = program.run(&["waivers", "list", "--waivers", "cluster"]).exits(0);
    assert!(ran.stdout.contains("no waivers") && ran.stderr.contains("deploy/supportwaiver.yaml"), "{ran:?}");
}

#[test]
fn waivers_that_may_not_be_read_end_the_check_with_a_message() {
    let mut cluster = keeping(&[resource(waiver("good", "moc-l2"))]);
    cluster.forbidden = vec!["/apis/aksarc.dev".to_owned()];
    let server = Server::of(cluster);
    let program = Program::at(&server.url());
    for args in [
        &["support-check", "--waivers", "cluster"][..],
        &["waivers", "list", "--waivers", "cluster"],
        &["waivers", "audit", "--waivers", "cluster"],
        &["dry-run", "label", "node", "moc-l2", "a=b", "--waivers", "cluster"],
    ] {
        let ran = program.run(args).exits(1);
        assert!(ran.stderr.contains("you may not list supportwaivers.aksarc.dev"), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("aksarc-waiver-reader"), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    assert!(server.requests().iter().all(|request| request.path == PATH), "nothing else was asked");
}

#[test]
fn an_object_that_is_no_waiver_does_not_count_and_hides_no_other() {
    let broken = json!({"metadata": {"name": "broken"}, "spec": {"rules": "AA201"}});
    let server = Server::of(keeping(&[broken, resource(waiver("good", "moc-l2"))]));
    let program = Program::at(&server.url());
    let ran = program.check(&["--waivers", "cluster"]).exits(0);
    assert!(ran.stderr.contains("SupportWaiver broken cannot be read, so it does not count"), "{}", ran.stderr);
    let ran = audit(&program, &["--waivers", "cluster"]).exits(2);
    assert!(ran.stdout.contains("SupportWaiver broken"), "{}", ran.stdout);
}

#[test]
fn waivers_of_a_cluster_are_for_checks_of_a_cluster() {
    let program = Program::new();
    program.write("m.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n");
    for args in [&["--snapshot", "s"][..], &["-f", "m.yaml"]] {
        let ran = program.check(&[args, &["--waivers", "cluster"]].concat()).exits(2);
        assert!(ran.stderr.contains("kubectl get supportwaivers -o yaml"), "{}", ran.stderr);
    }
}

#[test]
fn an_answer_of_another_kind_is_no_list_of_waivers() {
    let server = Server::start(|_, _| {
        Reply::Json(200, json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": []}))
    });
    let program = Program::at(&server.url());
    let ran = program.run(&["waivers", "list", "--waivers", "cluster"]).exits(1);
    assert!(ran.stderr.contains("a NodeList instead of a SupportWaiverList"), "{}", ran.stderr);
}

const PEOPLE: [&str; 8] = ["--reason", "moves", "--ticket", "OPS-1", "--requested-by", "alice", "--approved-by", "bob"];

fn new(program: &Program, args: &[&str]) -> Ran {
    program.run(&[&["waivers", "new"][..], &PEOPLE, args].concat())
}

#[test]
fn a_new_waiver_covers_the_finding_it_was_made_for() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    let report = program.check(&["--save", "result.json", "-o", "json"]).exits(3).json();
    let print = report["findings"][0]["fingerprint"].as_str().unwrap().to_owned();
    let start = ["--not-before", "2026-05-20", "--days", "30"];
    for finding in [
        &[&*print][..],
        &[&print[..8]],
        &["AA201", "node/moc-l2"],
        &["AA201", "no/moc-l2"],
        &["aa201", "moc-l2", "--pin"],
    ] {
        let made = new(&program, &[&["--from", "result.json"], finding, &start].concat()).exits(0).stdout;
        program.write("w.yaml", &made);
        program.run(&["waivers", "lint", "w.yaml", "--as-of", AS_OF]).exits(0);
        let checked = program.check(&["--waivers", "w.yaml", "-o", "json"]).exits(0).json();
        let mut waived = checked["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "AA201");
        assert_eq!(waived.next().unwrap()["waiver"]["name"], "aa201-moc-l2", "{made}");
    }
    let pinned = program.read("w.yaml");
    assert!(pinned.contains("uid-moc-l2") && pinned.contains("edge-7"), "{pinned}");
    // The thirty days end to the second.
    for (moment, code) in [("2026-06-18T23:59:59Z", 0), ("2026-06-19T00:00:00Z", 3)] {
        program
            .run(&["support-check", "--platform", "azure-local", "--waivers", "w.yaml", "--as-of", moment])
            .exits(code);
    }
    // The same as an object of the cluster.
    let object =
        new(&program, &[&["--from", "result.json", &print, "--resource"], &start[..]].concat()).exits(0).stdout;
    let object: Value = serde_saphyr::from_str(&object).unwrap();
    assert_eq!((&object["kind"], &object["metadata"]["name"]), (&json!("SupportWaiver"), &json!("aa201-moc-l2")));
    assert!(object["spec"].get("name").is_none());
}

#[test]
fn a_remediation_of_microsofts_has_ready_waivers_by_the_number_of_the_case() {
    let program = Program::new();
    let made = |args: &[&str]| {
        let given = ["waivers", "new", "--case", "2311", "--requested-by", "alice", "--days", "365", "--remediation"];
        program.run(&[&given, args].concat())
    };
    let list: Value = serde_saphyr::from_str(&made(&["calicorefresh"]).exits(0).stdout).unwrap();
    let items = list["items"].as_array().unwrap();
    assert!(
        items.iter().any(|item| item["match"]["name"] == "calico-node" && item["match"]["namespace"] == "kube-system")
    );
    for item in items {
        assert_eq!((&item["kind"], &item["supportCase"]), (&json!("microsoft-directed"), &json!("2311")));
        assert!(item["lapsesUnless"]["changedBefore"].is_string() && item.get("approvedBy").is_none(), "{item}");
    }
    let nodes = made(&["EnableNodeLocalCRISocket", "--node", "moc-l1", "--node", "moc-l2"]).exits(0).stdout;
    assert_eq!(nodes.matches("cri-socket").count(), 2, "{nodes}");
    // The printed waiver can be read again, and breaks no term.
    program.write("w.yaml", &nodes);
    program.run(&["waivers", "lint", "w.yaml"]).exits(0);

    let refused = |args: &[&str]| made(args).exits(2).stderr;
    assert!(refused(&["EnableNodeLocalCRISocket"]).contains("--node"));
    assert!(refused(&["OsDiskCacheMode"]).contains("nothing in the cluster"));
    assert!(refused(&["Nonsense"]).contains("CalicoRefresh"));
}

#[test]
fn a_new_waiver_that_will_cover_nothing_says_so() {
    let program = Program::new();
    for (kind, namespace, word) in [
        ("deployment", "kube-system", "did you mean Deployment?"),
        ("Deployment", "", "match gives none"),
        ("Node", "kube-system", "match gives one"),
        ("Deployment", "kube-system", ""),
    ] {
        let args = ["--rule", "AA303", "--kind", kind, "--namespace", namespace, "--name", "log-agent", "--days", "30"];
        let ran = new(&program, &args).exits(0);
        assert_eq!(ran.stderr.contains("will cover nothing"), !word.is_empty(), "{}", ran.stderr);
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
}

#[test]
fn a_new_waiver_comes_from_flags_too() {
    let program = Program::new();
    let args = [
        "--rule",
        "unmanaged-add-on",
        "--kind",
        "Deployment",
        "-n",
        "kube-system",
        "--name",
        "log-agent",
        "--path",
        "spec",
    ];
    let made = new(
        &program,
        &[&args[..], &["--expires", "2026-06-30", "--not-before", "2026-06-01", "--support-case", "2311"]].concat(),
    );
    insta::assert_snapshot!(made.exits(0).stdout, @r#"
    apiVersion: aksarc.dev/v1alpha1
    kind: SupportWaiverList
    items:
    - name: aa303-log-agent
      rules:
      - AA303
      match:
        kind: Deployment
        namespace: kube-system
        name: log-agent
        path: spec
      reason: moves
      ticket: OPS-1
      requestedBy: alice
      approvedBy: bob
      notBefore: "2026-06-01T00:00:00Z"
      expires: "2026-06-30T00:00:00Z"
      kind: microsoft-directed
      supportCase: "2311"
    "#);
    // Without a beginning it begins now, on a whole second.
    let made = new(&program, &[&args[..], &["--days", "90"]].concat()).exits(0).stdout;
    program.write("w.yaml", &made);
    let list = program.run(&["waivers", "list", "w.yaml", "-o", "json"]).exits(0).json();
    assert_eq!(list["items"][0]["status"], "valid");
    assert!(!list["items"][0]["waiver"]["notBefore"].as_str().unwrap().contains('.'));
}

#[test]
fn a_waiver_that_lint_would_refuse_is_not_made() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    program.check(&["--save", "result.json"]).exits(3);
    program.write("other.json", "{\"kind\": \"DryRunReport\", \"findings\": []}");
    program.write("list.json", "[1]");
    let object = ["--kind", "Node", "--name", "moc-l2"];
    let flags = |more: &[&'static str]| [&object[..], more].concat();
    let from = |more: &[&'static str]| [&["--from", "result.json", "--days", "30"][..], more].concat();
    for (args, word) in [
        (flags(&["--rule", "AA201", "--days", "91"]), "90 days at most"),
        (flags(&["--rule", "AA20l", "--days", "30"]), "AA201"),
        (flags(&["--rule", "2xx", "--days", "30"]), "names each"),
        (flags(&["--rule", "AA201", "--expires", "2020-01-01"]), "expires is not after notBefore"),
        (flags(&["--rule", "AA201"]), "--days"),
        (flags(&["--rule", "AA201", "--days", "0"]), "--days"),
        (flags(&["--rule", "AA201", "--days", "30", "--waiver-name", "a\u{7}"]), "control"),
        (flags(&["--rule", "AA201", "--days", "30", "--waiver-name", "W-7", "--resource"]), "lower case"),
        (flags(&["--rule", "AA201", "--days", "30", "AA201"]), "--from"),
        (flags(&["--days", "30"]), "--rule"),
        (vec!["--rule", "AA201", "--days", "30"], "--kind and --name"),
        (from(&[]), "which finding"),
        (from(&["abc"]), "at least 8"),
        (from(&["00000000"]), "It has:\n"),
        (from(&["AA201", "moc-l1"]), "node/moc-l2"),
        (from(&["AA201", "moc-l2", "-n", "shop"]), "no findings"),
        (vec!["--from", "missing.json", "x", "--days", "1"], "missing.json"),
        (vec!["--from", "other.json", "AA201", "moc-l2", "--days", "1"], "DryRunReport"),
        (vec!["--from", "list.json", "AA201", "moc-l2", "--days", "1"], "SupportReport"),
    ] {
        let ran = new(&program, &args).exits(2);
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    let selfish = ["--reason", "r", "--ticket", "t", "--requested-by", "alice", "--approved-by", " Alice"];
    let ran =
        program.run(&[&["waivers", "new", "--rule", "AA201", "--days", "1"], &object[..], &selfish].concat()).exits(2);
    assert!(ran.stderr.contains("requestedBy and approvedBy are the same"), "{}", ran.stderr);
    let no_ticket = ["--reason", "r", "--requested-by", "alice", "--approved-by", "bob"];
    let ran = program
        .run(&[&["waivers", "new", "--rule", "AA201", "--days", "1"], &object[..], &no_ticket].concat())
        .exits(2);
    assert!(ran.stderr.contains("ticket is required"), "{}", ran.stderr);
}

#[test]
fn a_file_gets_one_more_and_loses_none() {
    let program = Program::new();
    let make = |name: &str, file: &str| {
        let args = [
            "--rule",
            "AA201",
            "--kind",
            "Node",
            "--name",
            "moc-l2",
            "--days",
            "9",
            "--waiver-name",
            name,
            "--output-file",
            file,
        ];
        new(&program, &args)
    };
    make("one", "w.yaml").exits(0);
    make("two", "w.yaml").exits(0);
    let list = program.run(&["waivers", "list", "w.yaml", "-o", "json"]).exits(0).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let before = program.read("w.yaml");
    assert!(make("two", "w.yaml").exits(2).stderr.contains("holds a waiver two already"));
    program.write("map.yaml", "apiVersion: v1\nkind: ConfigMap\n");
    assert!(make("one", "map.yaml").exits(2).stderr.contains("left as it is"));
    program.write("w.json", &file(&[waiver("w", "a")]));
    assert!(make("one", "w.json").exits(2).stderr.contains("by hand"));
    assert_eq!(program.read("w.yaml"), before);
    assert_eq!(program.read("map.yaml"), "apiVersion: v1\nkind: ConfigMap\n");
    make("one", "no/where.yaml").exits(1);
}

#[test]
fn a_waiver_of_the_cluster_counts_for_a_dry_run_too() {
    let mut broken = waiver("twin", "moc-l2");
    broken["approvedBy"] = json!("alice");
    let server = Server::of(keeping(&[resource(broken)]));
    let program = Program::at(&server.url());
    let ran = program.run(&["dry-run", "label", "node", "moc-l2", "a=b", "--waivers", "cluster"]);
    assert!(ran.stderr.contains("waiver twin does not count: requestedBy and approvedBy are the same"), "{ran:?}");
    assert_eq!(server.requests()[0].path, PATH);
}

#[test]
fn words_are_completed() {
    let complete = |words: &[&str]| {
        let output =
            std::process::Command::new(env!("CARGO_BIN_EXE_kubectl_complete-aksarc")).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let commands = complete(&["waivers", ""]);
    assert!(["audit\t", "lint\t", "list\t", "new\t"].iter().all(|word| commands.contains(word)), "{commands}");
    assert!(complete(&["waivers", "new", "--rule", "AA20"]).contains("AA201\tsystem-label-changed"));
    assert_eq!(complete(&["waivers", "lint", ""]), ":0\n");
    assert_eq!(complete(&["waivers", "list", "-o", "y"]), "yaml\tThe same as YAML\n:4\n");
}
