//! `versions`, and version tables from a file, which `support-check` takes too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use fake::{Cluster, Program, Ran, Server};
use serde_json::{Value, json};

/// `versions` on a settled day and platform.
fn shown(program: &Program, args: &[&str]) -> Ran {
    let mut all = vec!["versions", "--platform", "azure-local", "--as-of", "2026-06-01"];
    all.extend(args);
    program.run(&all)
}

/// The healthy cluster with one node left behind in a pool of its own.
fn left_behind() -> Cluster {
    let mut cluster = Cluster::healthy();
    let mut old = fake::node("moc-l4");
    old["metadata"]["labels"]["msft.microsoft/nodepool-name"] = json!("legacy");
    old["spec"]["providerID"] = json!("moc://legacy-md-abcde-x9");
    old["status"]["nodeInfo"]["kubeletVersion"] = json!("v1.29.13");
    cluster.add("/api/v1/nodes", "Node", old);
    cluster
}

#[test]
fn server_and_pools_stand_against_the_table() {
    let server = Server::of(left_behind());
    let program = Program::at(&server.url());
    let ran = shown(&program, &[]).exits(0);
    assert_eq!(ran.stderr, "");
    insta::assert_snapshot!(ran.screen(), @r"
    Kubernetes versions as of 2026-06-01

      cluster    test
      platform   azure-local (given with --platform)
      table      azure-local of 2026-05-18, 14 days old, built in

    WHAT          VERSION    NODES   PLATFORM      STATE       UNTIL         DAYS LEFT   LATEST PATCH
    server        v1.33.5    –       azure-local   supported   2027-03-20*   292         1.33.5
    pool legacy   v1.29.13   1       azure-local   retired     2025-10-31    –           1.29.13
    pool pool1    v1.33.5    3       azure-local   supported   2027-03-20*   292         1.33.5

    * projected from the table: no end is published
    ");
    let report = shown(&program, &["-o", "json"]).exits(0).json();
    assert_eq!(report["kind"], "VersionReport");
    assert_eq!(report["tables"][0]["ageDays"], 14);
    let items = report["items"].as_array().unwrap();
    let told: Vec<(&str, &str, &Value)> = items
        .iter()
        .map(|item| (item["pool"].as_str().unwrap(), item["on"][0]["state"].as_str().unwrap(), &item["nodes"]))
        .collect();
    assert_eq!(
        told,
        [("", "supported", &json!(0)), ("legacy", "retired", &json!(1)), ("pool1", "supported", &json!(3))]
    );
    assert_eq!(items[0]["on"][0]["daysLeft"], 292);
    // Only nodes, the namespaces that tell where to look, and the version are asked for.
    let asked: Vec<String> = server.requests().into_iter().map(|request| request.path).collect();
    assert!(
        asked.iter().all(|path| ["/version", "/api/v1/nodes", "/api/v1/namespaces"].contains(&&**path)),
        "{asked:?}"
    );
}

#[test]
fn a_cluster_of_unknown_platform_is_shown_against_every_table() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    let report = program.run(&["versions", "--as-of", "2026-06-01", "-o", "json"]).exits(0).json();
    let states: Vec<(&str, &str)> = report["items"][0]["on"]
        .as_array()
        .unwrap()
        .iter()
        .map(|on| (on["platform"].as_str().unwrap(), on["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("windows-server", "unknown"), ("hci-22h2", "unknown"), ("azure-local", "supported")]);
}

#[test]
fn an_old_table_is_called_old_with_the_flag_for_a_newer_one() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    let late = ["versions", "--platform", "azure-local", "--as-of", "2026-11-21"];
    let ran = program.run(&late).exits(0);
    assert!(ran.stdout.contains("187 days old: OLD, built in"), "{}", ran.stdout);
    assert!(ran.stderr.contains("Give a newer one with --versions FILE"), "{}", ran.stderr);
    // The advice works: the printed table, brought up to date, is accepted.
    let printed = program.run(&["versions", "--table"]).exits(0).stdout;
    program.write("own.yaml", &printed.replace("as_of: 2026-05-18", "as_of: 2026-11-01"));
    let ran = program.run(&[&late[..], &["--versions", "own.yaml"]].concat()).exits(0);
    assert!(
        ran.stdout.contains("20 days old, from --versions") && ran.stderr.is_empty(),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    // `support-check` accepts it too: the minor for which the built-in table was too old is in support again.
    let cluster = Cluster { version: "v1.31.13".to_owned(), ..Cluster::healthy() };
    let server = Server::of(cluster);
    let program = Program::at(&server.url());
    program.write("own.yaml", &printed.replace("as_of: 2026-05-18", "as_of: 2026-11-01"));
    let check =
        ["support-check", "--platform", "azure-local", "--as-of", "2026-11-21", "--only", "AA101", "-o", "json"];
    program.run(&check).exits(5);
    let report = program.run(&[&check[..], &["--versions", "own.yaml"]].concat()).exits(0).json();
    assert_eq!(report["policy"]["versionTableAsOf"], "2026-11-01");
}

#[test]
fn the_printed_table_needs_no_cluster() {
    let ran = Program::new().run(&["versions", "--table"]).exits(0);
    assert!(ran.stdout.contains("- platform: azure-local") && ran.stderr.is_empty());
    Program::new().run(&["versions", "--table", "-o", "json"]).exits(2);
}

const OWN: &str = "
- platform: windows-server
  as_of: 2026-11-01
  source: own
  confidence: doc
  window: {kind: listed, holds_days: 60}
  minors:
    - {minor: \"1.33\", state: supported, patches: [\"1.33.4\"]}
";

#[test]
fn files_that_are_no_tables_are_told_by_name_and_cause() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    program.write("empty.yaml", "");
    program.write("waivers.yaml", "- {name: W-1, rules: [AA101]}\n");
    program.write("minor.yaml", &OWN.replace("\"1.33\"", "latest"));
    program.write("patch.yaml", &OWN.replace("1.33.4", "1.32.4"));
    program.write("platform.yaml", &OWN.replace("windows-server", "windows"));
    program.write("twice.yaml", &format!("{OWN}{OWN}"));
    program.write("endless.yaml", &OWN.replace("holds_days: 60", "holds_days: 99999999"));
    program.write("later.yaml", &OWN.replace("2026-11-01", "2150-01-01"));
    for (file, word) in [
        ("missing.yaml", "missing.yaml"),
        ("empty.yaml", "holds no table"),
        ("waivers.yaml", "waivers.yaml"),
        ("minor.yaml", "latest"),
        ("patch.yaml", "1.32.4"),
        ("platform.yaml", "windows"),
        ("twice.yaml", "two tables"),
        ("endless.yaml", "holds_days 99999999"),
        ("later.yaml", "as_of 2150-01-01"),
    ] {
        for ran in [shown(&program, &["--versions", file]), program.check(&["--versions", file])] {
            let ran = ran.exits(2);
            assert_eq!(ran.stdout, "");
            assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(word), "{word:?}: {}", ran.stderr);
        }
    }
    assert!(server.requests().is_empty(), "a wrong file is told before anything is asked");
}

#[test]
fn a_table_may_be_of_a_later_day_than_the_one_that_is_judged_but_not_of_one_to_come() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let in_days = |days: i64| today.checked_add(jiff::ToSpan::days(days)).unwrap().to_string();
    for (of, as_of, code) in [
        (in_days(-1), "2026-06-01".to_owned(), 0),
        // Clocks and time zones may be a day apart; the day may begin while the test runs.
        (in_days(1), "2026-06-01".to_owned(), 0),
        (in_days(3), "2026-06-01".to_owned(), 2),
        (in_days(30), in_days(40), 0),
        (in_days(30), in_days(20), 2),
    ] {
        program.write("own.yaml", &OWN.replace("2026-11-01", &of));
        for command in ["versions", "support-check"] {
            let ran = program.run(&[
                command,
                "--platform",
                "windows-server",
                "--as-of",
                &as_of,
                "--versions",
                "own.yaml",
                "-o",
                "json",
            ]);
            assert_eq!(ran.code == 2, code == 2, "{command} {of} {as_of}: {}", ran.stderr);
            assert_eq!(ran.stderr.contains("is in the future"), code == 2, "{}", ran.stderr);
        }
    }
}

#[test]
fn a_file_that_does_not_help_says_so() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    program.write("other.yaml", OWN);
    program.write("older.yaml", &OWN.replace("2026-11-01", "2024-01-01"));
    for ran in [shown(&program, &["--versions", "other.yaml"]), program.check(&["--versions", "other.yaml"])] {
        let ran = ran.exits(0);
        assert!(ran.stderr.contains("other.yaml holds no table of azure-local"), "{}", ran.stderr);
    }
    let older = shown(&program, &["--versions", "older.yaml"]).exits(0);
    assert!(older.stderr.contains("older than the built-in one of 2024-06-11"), "{}", older.stderr);
}

#[test]
fn unread_nodes_are_not_shown_as_missing() {
    let cluster = Cluster { forbidden: vec!["/api/v1/nodes".to_owned()], ..Cluster::healthy() };
    let server = Server::of(cluster);
    let program = Program::at(&server.url());
    let ran = shown(&program, &["-o", "json"]).exits(0);
    assert_eq!(ran.json()["nodesRead"], false);
    assert!(ran.stderr.contains("the nodes could not be read"), "{}", ran.stderr);
    shown(&Program::at("http://127.0.0.1:1"), &[]).exits(1);
    shown(&Program::new(), &["--snapshot", "missing"]).exits(2);
}

#[test]
fn a_snapshot_shows_what_its_cluster_did() {
    let server = Server::of(left_behind());
    let program = Program::at(&server.url());
    program.run(&["snapshot", "-o", "s.json"]).exits(0);
    let essence = |mut report: Value| {
        report["context"] = Value::Null;
        report
    };
    let live = shown(&program, &["-o", "json"]).exits(0).json();
    let read = shown(&program, &["-o", "json", "--snapshot", "s.json"]).exits(0).json();
    assert_eq!(essence(live), essence(read));
}

#[test]
fn another_product_has_other_tables() {
    let mut cluster = Cluster::healthy();
    let (_, nodes) = cluster.lists.get_mut("/api/v1/nodes").unwrap();
    for node in nodes.iter_mut() {
        node["spec"]["providerID"] = json!("azure:///subscriptions/x");
    }
    let server = Server::of(cluster);
    let ran = shown(&Program::at(&server.url()), &[]).exits(2);
    assert!(ran.stderr.contains("not AKS enabled by Azure Arc"), "{}", ran.stderr);
}
