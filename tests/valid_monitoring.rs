//! What operators watch the guard with: its metrics, the alerts and their runbook, and the dashboard, by promtool and by
//! real scrapes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use aksarc_tests::binaries::Tool;
use aksarc_tests::root;
use aksarc_webhook::api::Access;
use aksarc_webhook::certificates::{CertificateOptions, CertificateTimes};
use aksarc_webhook::server::{CertificateSource, GuardServer, ServerOptions};
use rcgen::generate_simple_self_signed;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn scrapes_are_clean_for_promtool() {
    for scrape in &*SCRAPES {
        let (is_clean, words) = metrics_checked(scrape);
        assert!(is_clean && words.is_empty(), "{words}\n{scrape}");
    }
    let twice = SCRAPES[0].clone() + "aksarc_config_hash 3\n";
    let (is_clean, words) = metrics_checked(&twice);
    assert!(!is_clean && words.contains("aksarc_config_hash"), "{words}");
}

#[test]
fn alerts_are_valid_for_promtool_and_each_fires_when_it_should_and_only_then() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.json");
    fs::write(&rules, alerts()["spec"].to_string()).unwrap();
    let checked = promtool(&["check", "rules", "--lint=all", "--lint-fatal"], &rules);
    assert!(checked.0, "{}", checked.1);

    let cases: Cases = serde_saphyr::from_str(&read("tests/monitoring/cases.yaml")).unwrap();
    let tests = directory.path().join("tests.json");
    let run = |cases: &Cases| {
        fs::write(&tests, unit_tests(cases).to_string()).unwrap();
        promtool(&["test", "rules"], &tests)
    };
    let (passed, words) = run(&cases);
    assert!(passed, "{words}");
    let fired: BTreeSet<&str> =
        cases.cases.iter().filter(|case| !case.fires.is_empty()).map(|case| &*case.alert).collect();
    let all: Vec<Value> = rules_of_alerts();
    let names: BTreeSet<&str> = all.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();
    assert_eq!(fired, names, "every alert has a case in which it fires");
    assert_eq!(names.len(), all.len(), "two alerts have one name");

    // promtool would notice an alert that does not fire, and one that fires on what is healthy.
    let mut wrong = cases.clone();
    wrong.cases[0].minute = 1;
    assert!(!run(&wrong).0);
    let mut sick = cases;
    sick.healthy.insert("aksarc_certificate_trusted{instance=\"b\"}".to_owned(), "0+0x200".to_owned());
    assert!(!run(&sick).0);
}

#[test]
fn every_alert_has_a_severity_sentences_and_a_section_in_the_runbook() {
    let runbook = read("deploy/monitoring/RUNBOOK.md");
    let sections: BTreeSet<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_lowercase).collect();
    let mut named = BTreeSet::new();
    for rule in rules_of_alerts() {
        let alert = rule["alert"].as_str().unwrap();
        assert!(matches!(rule["labels"]["severity"].as_str(), Some("critical" | "warning" | "info")), "{alert}");
        let text = |field: &str| rule["annotations"][field].as_str().unwrap_or_default().to_owned();
        assert!(!text("summary").is_empty() && text("description").ends_with('.'), "{alert}");
        let url = text("runbook_url");
        let (file, anchor) = url.split_once('#').unwrap_or_else(|| panic!("{alert}: {url}"));
        assert!(root().join(file).is_file() && anchor == alert.to_lowercase(), "{alert}: {url}");
        named.insert(anchor.to_owned());
    }
    assert_eq!(named, sections, "alerts, and sections of RUNBOOK.md");
}

#[test]
fn alerts_and_dashboard_ask_for_series_that_exist() {
    let mut expressions: Vec<String> =
        rules_of_alerts().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect();
    expressions.extend(panels().iter().flat_map(targets));
    let series: Vec<&str> =
        SCRAPES.iter().flat_map(|scrape| scrape.lines().filter(|line| !line.starts_with('#'))).collect();
    for expression in &expressions {
        let asked = selectors(expression);
        assert!(!asked.is_empty(), "{expression}");
        for (name, matchers) in asked.into_iter().filter(|(name, _)| !name.starts_with("apiserver_")) {
            let own: Vec<&&str> = series
                .iter()
                .filter(|line| line.strip_prefix(&*name).is_some_and(|rest| rest.starts_with(['{', ' '])))
                .collect();
            assert!(!own.is_empty(), "the guard has no {name}, for which this asks: {expression}");
            for (label, value) in matchers.into_iter().filter(|(label, _)| label != "instance") {
                for word in value.split('|') {
                    let pair = format!("{label}=\"{word}\"");
                    assert!(own.iter().any(|line| line.contains(&pair)), "no {name} has {pair}: {expression}");
                }
            }
        }
    }
    assert_eq!(
        selectors("sum by (name) (a_b{c=~\"d|e\", f=\"g\"}) - max(h_i > 0) and time() * rate(j_k_total[5m])"),
        [
            ("a_b".to_owned(), vec![("c".to_owned(), "d|e".to_owned()), ("f".to_owned(), "g".to_owned())]),
            ("h_i".to_owned(), Vec::new()),
            ("j_k_total".to_owned(), Vec::new()),
        ]
    );
}

#[test]
fn the_dashboard_is_one_that_grafana_reads() {
    let dashboard: Value = serde_json::from_str(&read("deploy/monitoring/dashboard.json")).unwrap();
    let variables: Vec<&str> = dashboard["templating"]["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    assert_eq!(variables, ["datasource", "instance"]);
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    let mut records = Vec::new();
    for panel in panels() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is another panel's too");
        assert!(matches!(panel["type"].as_str(), Some("stat" | "timeseries")), "{title}");
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{title}: beyond the right edge");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(place), "{title}: over another panel");
        }
        let mut letters = BTreeSet::new();
        for target in panel["targets"].as_array().unwrap() {
            assert!(letters.insert(target["refId"].as_str().unwrap()), "{title}");
            assert!(!target["legendFormat"].as_str().unwrap().is_empty(), "{title}");
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
        for expression in targets(&panel) {
            let record = format!("panel:{}:{}", panel["id"], records.len());
            records.push(json!({"record": record, "expr": expression}));
        }
    }
    // promtool reads every expression.
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.json");
    let check = |records: &[Value]| {
        fs::write(&rules, json!({"groups": [{"name": "dashboard", "rules": records}]}).to_string()).unwrap();
        promtool(&["check", "rules"], &rules)
    };
    let (is_valid, words) = check(&records);
    assert!(is_valid, "{words}");
    records[0]["expr"] = json!("sum(");
    assert!(!check(&records).0);
}

/// The cases of tests/monitoring/cases.yaml.
#[derive(Clone, Deserialize)]
struct Cases {
    healthy: BTreeMap<String, String>,
    cases: Vec<AlertCase>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertCase {
    alert: String,
    minute: u32,
    series: BTreeMap<String, Option<String>>,
    fires: Vec<BTreeMap<String, String>>,
}

/// The tests as promtool reads them. What an alert says besides its labels is taken from the alert.
fn unit_tests(cases: &Cases) -> Value {
    let rules = rules_of_alerts();
    let series = |all: &BTreeMap<String, String>| -> Value {
        all.iter().map(|(series, values)| json!({"series": series, "values": values})).collect()
    };
    let quiet: Vec<Value> =
        rules.iter().map(|rule| json!({"eval_time": "120m", "alertname": rule["alert"], "exp_alerts": []})).collect();
    let healthy =
        json!({"name": "healthy", "interval": "1m", "input_series": series(&cases.healthy), "alert_rule_test": quiet});
    let of_case = |case: &AlertCase| {
        let rule = rules.iter().find(|rule| rule["alert"] == *case.alert).unwrap_or_else(|| panic!("{}", case.alert));
        let mut all = cases.healthy.clone();
        for (series, values) in &case.series {
            all.remove(series);
            all.extend(values.clone().map(|values| (series.clone(), values)));
        }
        let expected: Vec<Value> = case
            .fires
            .iter()
            .map(|labels| {
                let mut labels = json!(labels);
                labels["severity"] = rule["labels"]["severity"].clone();
                json!({"exp_labels": labels, "exp_annotations": rule["annotations"]})
            })
            .collect();
        let minute = format!("{}m", case.minute);
        json!({"name": case.alert, "interval": "1m", "input_series": series(&all),
            "alert_rule_test": [{"eval_time": minute, "alertname": case.alert, "exp_alerts": expected}]})
    };
    let tests: Vec<Value> = [healthy].into_iter().chain(cases.cases.iter().map(of_case)).collect();
    json!({"rule_files": ["rules.json"], "evaluation_interval": "1m", "tests": tests})
}

/// The names of the series that an expression asks for, each with its matchers of labels.
fn selectors(expression: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '"') {
        if rest.as_bytes()[start] == b'"' {
            rest = rest[start + 1..].split_once('"').unwrap().1;
            continue;
        }
        let word: String =
            rest[start..].chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':')).collect();
        rest = &rest[start + word.len()..];
        let is_call = rest.trim_start().starts_with('(');
        // Labels, functions and words of the language have no underscore, or are followed by a parenthesis.
        if !word.contains('_') || is_call {
            continue;
        }
        let mut matchers = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            let (inside, after) = inside.split_once('}').unwrap();
            rest = after;
            for matcher in inside.split(',') {
                let (label, value) = matcher.split_once('=').unwrap();
                matchers.push((label.trim().to_owned(), value.trim_matches(['~', '"']).to_owned()));
            }
        }
        found.push((word, matchers));
    }
    found
}

fn alerts() -> Value {
    serde_saphyr::from_str(&read("deploy/monitoring/alerts.yaml")).unwrap()
}

fn rules_of_alerts() -> Vec<Value> {
    alerts()["spec"]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect()
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&read("deploy/monitoring/dashboard.json")).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

/// The expressions of a panel, with values for Grafana's own variables.
fn targets(panel: &Value) -> Vec<String> {
    let each = panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].as_str().unwrap());
    each.map(|text| text.replace("$__rate_interval", "5m").replace("$instance", ".+")).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn metrics_checked(scrape: &str) -> (bool, String) {
    let mut command = Command::new(Tool::Promtool.path().unwrap());
    let mut child = command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(scrape.as_bytes()).unwrap();
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    (status.success(), String::from_utf8_lossy(&stderr).into_owned())
}

fn promtool(words: &[&str], file: &Path) -> (bool, String) {
    let output = Command::new(Tool::Promtool.path().unwrap()).args(words).arg(file).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Scrapes of a guard with a certificate from files, and of one that makes its own and has no API server to keep it in.
static SCRAPES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let directory = certificate();
    let access = Access::Kubeconfig(PathBuf::from("/nonexistent/kubeconfig"));
    let own = CertificateOptions {
        access,
        replica: CertificateOptions::made_up_name(),
        every: std::time::Duration::from_secs(10),
        times: CertificateTimes::default(),
    };
    let sources = [CertificateSource::Directory(directory.path().to_owned()), CertificateSource::Own(Box::new(own))];
    sources
        .into_iter()
        .map(|certificates| {
            let options = ServerOptions { certificates, ..ServerOptions::loopback(directory.path()) };
            let server = runtime.block_on(GuardServer::start(options)).unwrap();
            scrape(server.admin_address())
        })
        .collect()
});

fn certificate() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let made = generate_simple_self_signed(vec!["guard.aksarc-system.svc".to_owned()]).unwrap();
    fs::write(directory.path().join("tls.crt"), made.cert.pem()).unwrap();
    fs::write(directory.path().join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    directory
}

fn scrape(address: SocketAddr) -> String {
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.write_all(b"GET /metrics HTTP/1.1\r\nhost: guard\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    tcp.read_to_string(&mut text).unwrap();
    text.split_once("\r\n\r\n").unwrap().1.to_owned()
}
