//! The formats of a report: a check and its saved result give the same bytes, several can be written at once, and each
//! keeps its promises to the programs that read it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is a failure"
)]

mod fake;

use std::io::Write as _;
use std::process::Stdio;

use clap::ValueEnum as _;
use fake::{Cluster, Program, Ran, Server, assert_holds};
use kubectl_aksarc::formats::ReportFormat;
use serde_json::{Value, json};

const CLUSTERS: [&str; 4] = ["drifted", "healthy-azure-local", "healthy-windows-server", "lawful-oddities"];

fn sample(name: &str) -> String {
    format!("{}/../tests/clusters/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The result of a check of a sample, as JSON.
fn result_of(program: &Program, name: &str, more: &[&str]) -> Value {
    let check = ["support-check", "--snapshot", &sample(name), "--as-of", "2026-12-01", "-o", "json"];
    program.run(&[&check[..], more].concat()).json()
}

/// A saved result in a format.
#[track_caller]
fn render(result: &Value, format: &str) -> String {
    let program = Program::new();
    program.write("result.json", &result.to_string());
    program.run(&["report", "result.json", "-o", format, "--exit-zero"]).exits(0).stdout
}

/// A result with `count` findings, each on a node of its own.
fn with_nodes(count: usize) -> Value {
    let mut result = result_of(&Program::new(), "drifted", &[]);
    let one = result["findings"][0].clone();
    let node = |number: usize| {
        let mut finding = one.clone();
        finding["object"]["name"] = json!(format!("moc-l{number}"));
        finding["message"] =
            json!(format!("node moc-l{number}: system label node.kubernetes.io/instance-type was written"));
        finding["fix"][0]["printed"] = json!(format!("kubectl label node moc-l{number} a=b --overwrite"));
        finding
    };
    result["findings"] = (0..count).map(node).collect();
    result
}

fn piped(program: &Program, args: &[&str], input: &str) -> Ran {
    let mut command = program.command();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Ran::of(&child.wait_with_output().unwrap())
}

#[test]
fn every_format_of_a_saved_result_is_that_of_its_check() {
    let program = Program::new();
    for cluster in CLUSTERS {
        let snapshot = sample(cluster);
        for more in [&[][..], &["--as-of", "2026-12-01"], &["--only", "2xx,AA904", "--fail-on", "info"]] {
            let check = [&["support-check", "--snapshot", &snapshot], more].concat();
            let json = program.run(&[&check[..], &["-o", "json"]].concat());
            for format in ReportFormat::value_variants() {
                let word = format.word();
                let direct = program.run(&[&check[..], &["-o", &word]].concat());
                let saved = piped(&program, &["report", "-", "-o", &word], &json.stdout);
                assert_eq!(saved.stdout, direct.stdout, "{cluster} {more:?} -o {word}");
                assert_eq!((saved.code, saved.code), (direct.code, json.code), "{cluster} {more:?} -o {word}");
                assert!(!direct.stdout.is_empty() || word == "name", "{cluster} -o {word}");
            }
        }
    }
}

#[test]
fn every_format_of_a_live_check_and_of_manifests_is_that_of_the_saved_result() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    program.write("m.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: kube-system, uid: a}\n");
    for check in [&["--show", "all"][..], &["-f", "m.yaml"]] {
        for format in ReportFormat::value_variants() {
            let word = format.word();
            let direct = program.check(&[&["-o", &word, "--save", "result.json"], check].concat());
            let more = if check[0] == "--show" { check } else { &[] };
            let saved = program.run(&[&["report", "result.json", "-o", &word], more].concat());
            assert_eq!(saved.stdout, direct.stdout, "{check:?} -o {word}");
            assert_eq!(saved.code, direct.code);
        }
    }
}

#[test]
fn several_formats_are_written_at_once() {
    let program = Program::new();
    let snapshot = sample("drifted");
    let check = ["support-check", "--snapshot", &snapshot, "-o", "short"];
    let alone = program.run(&check).exits(3);
    let files = ["-o", "sarif=a.sarif", "-o=junit=a.xml", "-ojson=a=b.json"];
    let ran = program.run(&[&check[..], &files].concat()).exits(3);
    assert_eq!((ran.stdout, ran.stderr), (alone.stdout, alone.stderr));
    let sarif: Value = serde_json::from_str(&program.read("a.sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert!(program.read("a.xml").starts_with("<?xml "));
    let result: Value = serde_json::from_str(&program.read("a=b.json")).unwrap();
    assert_eq!(result["kind"], "SupportReport");
    // Without one for stdout nothing is printed there.
    let ran = program.run(&["report", "a=b.json", "-o", "sarif=b.sarif", "-o", "table=b.txt"]).exits(3);
    assert_eq!((ran.stdout, ran.stderr), (String::new(), String::new()));
    assert_eq!(program.read("b.sarif"), program.read("a.sarif"));
    assert!(!program.read("b.txt").contains('\u{1b}'));
    assert_holds(program.dir.path(), &["a.sarif", "a.xml", "a=b.json", "b.sarif", "b.txt"]);
}

#[test]
fn formats_and_files_that_cannot_be_are_refused() {
    let program = Program::new();
    let snapshot = sample("drifted");
    for (flags, words) in [
        (
            &["-o", "json", "-o", "sarif"][..],
            "-o json and -o sarif are both for stdout: give a file to all but one of them",
        ),
        (&["-o", "json=a", "-o", "sarif=./a"], "-o json and -o sarif are both ./a"),
        (&["-o", "json=a", "--save", "a"], "-o json and --save are both a"),
        (&["-o", "json=a", "--output-file", "b"], "--output-file has nothing to hold"),
        (&["-o", "json="], "a file is needed"),
        (&["-o", "json=-"], "write to stdout by leaving out =FILE"),
        (&["-o", "sarf"], "a similar value exists: 'sarif'"),
        (&["-o", "sarf=a"], "[possible values: table, wide,"),
    ] {
        let ran = program.run(&[&["support-check", "--snapshot", &snapshot], flags].concat()).exits(2);
        assert!(ran.stderr.contains(words) && ran.stdout.is_empty(), "{flags:?}: {}", ran.stderr);
    }
    assert_holds(program.dir.path(), &[]);
}

#[test]
fn files_that_are_no_results_are_refused() {
    let program = Program::new();
    for (text, words) in [
        ("", "result.json is empty: a result is what `support-check -o json` prints"),
        ("{", "result.json, document 1 ends early: it is cut short"),
        ("{}", "the document is no SupportReport of aksarc.dev/v1alpha1: missing field"),
        (
            r#"{"apiVersion": "aksarc.dev/v1alpha1", "kind": "DryRunReport"}"#,
            "the document is a DryRunReport and no SupportReport",
        ),
        (
            r#"{"apiVersion": "aksarc.dev/v9", "kind": "SupportReport"}"#,
            "a report of apiVersion aksarc.dev/v9 cannot be read",
        ),
    ] {
        program.write("result.json", text);
        let ran = program.run(&["report", "result.json"]).exits(2);
        assert!(ran.stderr.contains(words) && ran.stdout.is_empty(), "{text}: {}", ran.stderr);
    }
    assert!(program.run(&["report", "missing.json"]).exits(2).stderr.contains("cannot read missing.json"));
    let two = format!("{0}{0}", result_of(&program, "drifted", &[]));
    assert!(piped(&program, &["report", "-"], &two).exits(2).stderr.contains("it is more than one document"));
    // A result in YAML is a result too.
    let snapshot = sample("drifted");
    program.run(&["support-check", "--snapshot", &snapshot, "-o", "yaml=result.yaml", "-o", "json=result.json"]);
    let [json, yaml] = ["result.json", "result.yaml"].map(|file| program.run(&["report", file, "-o", "csv"]).stdout);
    assert_eq!(json, yaml);
}

fn sarif_results(log: &str) -> Vec<Value> {
    let log: Value = serde_json::from_str(log).unwrap();
    log["runs"][0]["results"].as_array().unwrap().clone()
}

#[test]
fn sarif_holds_what_fails_and_tells_the_rest_elsewhere() {
    let mut result = result_of(&Program::new(), "drifted", &[]);
    let findings = result["findings"].as_array().unwrap().clone();
    let failing = findings.iter().filter(|finding| finding["consequence"] != "info").count();
    assert!(failing > 5 && failing < findings.len());
    assert_eq!(sarif_results(&render(&result, "sarif")).len(), failing);
    result["findings"][0]["waiver"] = json!({"name": "w-1", "reason": "r", "expires": "2027-01-01T00:00:00Z"});
    let log = render(&result, "sarif");
    assert_eq!(sarif_results(&log).len(), failing - 1);
    let log: Value = serde_json::from_str(&log).unwrap();
    let run = &log["runs"][0];
    let notes: Vec<&str> = run["invocations"][0]["toolExecutionNotifications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note["message"]["text"].as_str().unwrap())
        .collect();
    assert!(notes.contains(&"1 findings are waived."), "{notes:?}");
    assert!(
        notes.iter().any(|note| note.starts_with("AA101 kubernetes-version-unsupported is unknown: ")),
        "{notes:?}"
    );
    assert_eq!(
        (&run["properties"]["verdict"], &run["properties"]["summary"]),
        (&result["verdict"], &result["summary"])
    );
    assert_eq!(run["automationDetails"]["id"], "aksarc/drifted/2026-12-01T00:00:00Z");
    for one in run["results"].as_array().unwrap() {
        let place = &one["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.starts_with("clusters/drifted/") && !uri.contains(':'), "{uri}");
        assert_eq!(place["region"], json!({"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 2}));
        // Code scanning makes an alert of every result, so none of these may be one.
        assert!(one.get("kind").is_none() && one.get("suppressions").is_none() && one.get("baselineState").is_none());
    }
}

#[test]
fn a_verdict_outside_is_never_without_a_sarif_result() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    let results = sarif_results(&program.check(&["-o", "sarif"]).exits(3).stdout);
    let uri = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, "clusters/test/core/node/moc-l2.yaml");
    for cluster in CLUSTERS {
        let result = result_of(&program, cluster, &[]);
        assert_eq!(result["verdict"] == "outside", result["exitCode"] == 3);
        assert!(result["verdict"] != "outside" || !sarif_results(&render(&result, "sarif")).is_empty(), "{cluster}");
    }
}

/// Alerts stay the same while values, versions and the names of pods change.
#[test]
fn sarif_fingerprints_outlive_a_restart() {
    let mut before = result_of(&Program::new(), "drifted", &[]);
    let pod = |name: &str| {
        let mut finding = before["findings"][0].clone();
        finding["object"] = json!({"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": name, "uid": name});
        finding
    };
    let [first, second] = [pod("web-7d9f6c5b4d-x2lqz"), pod("web-7d9f6c5b4d-bbbbb")];
    let again = [pod("web-7d9f6c5b4d-zzzzz"), pod("web-7d9f6c5b4d-bbbbb")];
    before["findings"].as_array_mut().unwrap().extend([first, second]);
    let mut after = before.clone();
    let count = after["findings"].as_array().unwrap().len();
    for (at, pod) in again.into_iter().enumerate() {
        after["findings"][count - 2 + at] = pod;
    }
    after["findings"][0]["after"] = json!("another value");
    after["findings"][0]["message"] = json!("another message");
    after["tool"]["version"] = json!("9.9.9");
    after["cluster"]["kubernetesVersion"] = json!("v1.34.0");
    let known = |result: &Value| -> Vec<(Value, Value)> {
        let of = |one: &Value| {
            let uri = &one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            (one["partialFingerprints"]["primaryLocationLineHash"].clone(), uri.clone())
        };
        sarif_results(&render(result, "sarif")).iter().map(of).collect()
    };
    let (old, new) = (known(&before), known(&after));
    assert_eq!(old, new);
    let mut prints: Vec<&str> = old.iter().map(|(print, _)| print.as_str().unwrap()).collect();
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), old.len(), "each result has one of its own");
    let mut other = before.clone();
    other["cluster"]["uid"] = json!("another cluster");
    assert!(known(&other).iter().zip(&old).all(|(one, other)| one.0 != other.0));
}

#[test]
fn sarif_paths_begin_as_asked_and_lead_nowhere_else() {
    let mut result = result_of(&Program::new(), "drifted", &[]);
    result["cluster"]["context"] = json!("snapshot ../../..");
    result["findings"][0]["object"]["name"] = json!("../../etc/passwd");
    result["findings"][1]["object"]["namespace"] = json!("https://example.com");
    let program = Program::new();
    program.write("result.json", &result.to_string());
    let log = program.run(&["report", "result.json", "-o", "sarif", "--sarif-prefix", "edge/live"]).stdout;
    let uris: Vec<Value> = sarif_results(&log)
        .iter()
        .map(|one| one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone())
        .collect();
    assert_eq!(uris[0], "edge/live/-/core/node/..%2F..%2Fetc%2Fpasswd.yaml");
    assert!(uris[1].as_str().unwrap().starts_with("edge/live/-/core/node/https%3A%2F%2Fexample.com/"), "{}", uris[1]);
}

/// A pull request shows an alert on the line that it is about.
#[test]
fn findings_on_manifests_lead_to_their_lines() {
    let program = Program::new();
    std::fs::create_dir(program.path("deploy")).unwrap();
    let pod = "apiVersion: v1\n  kind: Pod\n  metadata:\n    name: web\n    namespace: kube-system\n";
    program.write("deploy/a.yaml", &format!("---\nkind: List\napiVersion: v1\nitems:\n- {pod}"));
    program.write("deploy/b.yaml", &pod.replace("\n  ", "\n"));
    let check = ["support-check", "-f", "./deploy/a.yaml,deploy/b.yaml", "--only", "AA303"];
    let of = |format: &str| program.run(&[&check[..], &["-o", format]].concat()).exits(3).stdout;
    let result: Value = serde_json::from_str(&of("json")).unwrap();
    let place = |file: &str, line: usize| json!({"file": file, "line": line, "column": if line == 9 { 5 } else { 3 }});
    assert_eq!(result["findings"][0]["places"], json!([place("deploy/a.yaml", 9), place("deploy/b.yaml", 5)]));
    let sarif = sarif_results(&of("sarif"));
    let at = |one: &Value| {
        let place = &one["locations"][0]["physicalLocation"];
        (place["artifactLocation"]["uri"].clone(), place["region"].clone())
    };
    let region = json!({"startLine": 9, "startColumn": 5, "endLine": 9, "endColumn": 6});
    assert_eq!(at(&sarif[0]), (json!("deploy/a.yaml"), region));
    assert_eq!((sarif.len(), &at(&sarif[1]).0), (2, &json!("deploy/b.yaml")));
    assert_ne!(sarif[0]["partialFingerprints"], sarif[1]["partialFingerprints"]);
    let github = of("github");
    let begin = "::error file=deploy/a.yaml,line=9,col=5,title=AA303 unmanaged-add-on::kube-system/pod/web: ";
    assert!(github.starts_with(begin) && github.contains("\n::error file=deploy/b.yaml,line=5,col=3,"), "{github}");
    let azdo = of("azdo");
    let begin = "##vso[task.logissue type=error;sourcepath=deploy/a.yaml;linenumber=9;columnnumber=5;code=AA303;]";
    assert!(azdo.starts_with(begin), "{azdo}");
    let table = of("table");
    assert!(table.contains("    kube-system/pod/web (deploy/a.yaml:9, deploy/b.yaml:5)\n"), "{table}");
    assert!(of("markdown").contains("`kube-system/pod/web` (`deploy/a.yaml:9`, `deploy/b.yaml:5`)"));
    assert!(of("csv").trim_end().ends_with(",deploy/a.yaml:9 deploy/b.yaml:5"));
    assert!(of("html").contains("kube-system/pod/web (deploy/a.yaml:9, deploy/b.yaml:5)"));
    assert!(of("junit").contains("kube-system/pod/web (deploy/a.yaml:9, deploy/b.yaml:5) (voids, "));

    // A whole path to a file below the directory of the check is the same file.
    let whole = program.path("deploy/b.yaml");
    let whole = whole.canonicalize().unwrap();
    let one = program.run(&["support-check", "-f", whole.to_str().unwrap(), "-o", "json"]).json();
    assert_eq!(one["findings"][0]["places"][0]["file"], "deploy/b.yaml");
    // What is read once has no lines to lead to.
    let piped = piped(&program, &["support-check", "-f", "-", "-o", "json"], &program.read("deploy/b.yaml")).json();
    assert_eq!(piped["findings"][0].get("places"), None);
    assert_eq!(piped["findings"][0]["fingerprint"], one["findings"][0]["fingerprint"]);
}

#[test]
fn the_case_page_is_a_part_to_show() {
    let program = Program::new();
    program.write("result.json", &result_of(&program, "drifted", &[]).to_string());
    let of = |format: &str| {
        program.run(&["report", "result.json", "--show", "case", "-o", format, "--exit-zero"]).exits(0).stdout
    };
    let table = of("table");
    assert!(table.starts_with(" Support case: snapshot "), "{table}");
    for words in ["\n Request\n", "\n Cluster\n", "   Azure Arc agents     1.21.10\n", "\n What support will ask for\n"]
    {
        assert!(table.contains(words), "{words:?} in {table}");
    }
    assert!(of("markdown").starts_with("# Support case: snapshot "));
    assert!(of("html").contains("<title>Support case: snapshot "));
    // Other formats have everything anyway.
    assert_eq!(of("json"), render(&result_of(&program, "drifted", &[]), "json"));
}

/// Sources are links to the section of the text, and not to its beginning.
#[test]
fn markdown_and_tables_link_to_sections() {
    let program = Program::new();
    let result = result_of(&program, "drifted", &["--platform", "azure-local"]);
    let own = result["findings"].as_array().unwrap().iter().find(|own| own["code"] == "AA201").unwrap();
    let url = own["sections"][0]["urls"][0].as_str().unwrap();
    assert!(url.contains('#'), "{url}");
    let page = render(&result, "markdown");
    assert!(page.contains(&format!("[Shared responsibility]({url})")), "{page}");
    assert!(render(&result, "csv").contains(url));
    // Where the platform is not known each of its texts is linked.
    let result = result_of(&program, "drifted", &[]);
    let own = result["findings"].as_array().unwrap().iter().find(|own| own["code"] == "AA201").unwrap();
    let urls: Vec<&str> = own["sections"][0]["urls"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let [first, second, third] = &*urls else { panic!("{urls:?}") };
    let page = render(&result, "markdown");
    assert!(page.contains(&format!("[Shared responsibility]({first}) ([2]({second}), [3]({third}))")), "{page}");
}

#[test]
fn junit_has_a_test_case_for_every_rule_whatever_was_asked() {
    let program = Program::new();
    let all = result_of(&program, "drifted", &[])["catalogue"]["rules"].as_u64().unwrap();
    for (cluster, more) in [
        ("drifted", &[][..]),
        ("healthy-azure-local", &["--platform", "azure-local"]),
        ("lawful-oddities", &["--only", "AA201"]),
        ("drifted", &["--skip", "2xx"]),
    ] {
        let xml = render(&result_of(&program, cluster, more), "junit");
        assert_eq!(xml.matches("<testcase ").count() as u64, all, "{cluster} {more:?}");
        assert!(xml.contains(&format!("tests=\"{all}\"")), "{cluster} {more:?}");
    }
    let case = |xml: &str, code: &str| {
        let (_, rest) = xml.split_once(&format!("<testcase name=\"{code} ")).unwrap();
        rest.split("</testcase>").next().unwrap().to_owned()
    };
    let drifted = render(&result_of(&program, "drifted", &[]), "junit");
    assert!(case(&drifted, "AA201").contains("<failure message=\"") && case(&drifted, "AA201").contains("node/moc-l"));
    // Skipped is green, and unknown is no pass.
    assert!(case(&drifted, "AA101").contains("<error message=\"unknown: depends on the platform"));
    assert!(case(&drifted, "AA204").contains("<system-out>"), "at risk does not fail a check by default");
    let strict = render(&result_of(&program, "drifted", &["--fail-on", "at-risk"]), "junit");
    assert!(case(&strict, "AA204").contains("<failure "));
    let hidden = result_of(&program, "drifted", &[]);
    let question = hidden["rules"].as_array().unwrap().iter().find(|rule| rule["outcome"] == "not-observable").unwrap();
    assert!(
        case(&drifted, question["code"].as_str().unwrap())
            .contains("<skipped message=\"Kubernetes does not show this: ")
    );
    let some = render(&result_of(&program, "drifted", &["--only", "AA201"]), "junit");
    assert!(case(&some, "AA204").contains("<skipped message=\"left out by --only or --skip\""));
}

#[test]
fn github_gets_annotations_and_a_summary() {
    let program = Program::new();
    program.write("result.json", &with_nodes(40).to_string());
    program.write("summary.md", "# before\n");
    let run = |file: &str| {
        let mut command = program.command();
        command.args(["report", "result.json", "-o", "github"]).env("GITHUB_STEP_SUMMARY", file);
        Ran::of(&command.output().unwrap())
    };
    let ran = run("summary.md").exits(3);
    assert_eq!(ran.stdout.lines().filter(|line| line.starts_with("::error ")).count(), 10);
    assert!(ran.stdout.starts_with("::error title=AA201 system-label-changed::node/moc-l0: node moc-l0: system label"));
    assert!(ran.stdout.contains("::notice title=kubectl-aksarc::40 findings that void support in all; the summary"));
    assert!(ran.stdout.ends_with("kubectl-aksarc: drifted: outside (exit code 3)\n"), "{}", ran.stdout);
    let page = render(&with_nodes(40), "markdown");
    assert_eq!(program.read("summary.md"), format!("# before\n{page}"), "what was there stays");
    let ran = run("no/such/place.md").exits(1);
    assert!(ran.stderr.contains("cannot write the summary of the step, no/such/place.md (GITHUB_STEP_SUMMARY)"));
    // Elsewhere there is no summary.
    assert_eq!(program.run(&["report", "result.json", "-o", "github"]).stderr, "");
}

#[test]
fn azure_pipelines_get_issues_and_a_summary() {
    let program = Program::new();
    program.write("result.json", &with_nodes(40).to_string());
    std::fs::create_dir(program.path("agent")).unwrap();
    let mut command = program.command();
    command.args(["report", "result.json", "-o", "azdo"]).env("AGENT_TEMPDIRECTORY", program.path("agent"));
    let ran = Ran::of(&command.output().unwrap()).exits(3);
    assert!(
        ran.stdout.starts_with("##vso[task.logissue type=error;code=AA201;]AA201 system-label-changed: node/moc-l0: ")
    );
    let file = ran.stdout.lines().find_map(|line| line.strip_prefix("##vso[task.uploadsummary]")).unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), render(&with_nodes(40), "markdown"));
    assert!(ran.stdout.ends_with("##vso[task.complete result=SucceededWithIssues;]outside\n"), "{}", ran.stdout);
    // The exit code alone fails a step.
    assert!(!ran.stdout.contains("result=Failed"));
    assert!(!render(&with_nodes(40), "azdo").contains("uploadsummary"));
    let mut clean = result_of(&program, "healthy-azure-local", &["--platform", "azure-local"]);
    clean["rules"].as_array_mut().unwrap().retain(|rule| rule["outcome"] != "unknown");
    assert!(!render(&clean, "azdo").contains("##vso["));
}

#[test]
fn a_markdown_page_fits_a_pull_request_and_counts_what_it_leaves_out() {
    for count in [0, 1, 150, 2_000] {
        let page = render(&with_nodes(count), "markdown");
        let (size, rows) = (page.chars().count(), page.matches("| voids | AA201 ").count());
        assert!(size <= 65_536, "{count} findings: {size}");
        let left = count - rows;
        let told = format!("\n… and {} more.\n", if left == 1 { "1 finding".to_owned() } else { thousands(left) });
        assert_eq!(page.contains(&told), left > 0, "{count} findings, {rows} rows");
        assert!(count < 2_000 || (left > 0 && size > 65_000), "{count} findings, {rows} rows, {size}");
    }
}

#[test]
fn a_html_page_is_whole_and_loads_nothing() {
    let page = render(&with_nodes(40), "html");
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">") && page.ends_with("</html>\n"));
    assert!(!page.contains("<script") && !page.contains(" src=") && page.contains("default-src 'none'"));
}

fn thousands(count: usize) -> String {
    if count < 1_000 { format!("{count} findings") } else { format!("{},{:03} findings", count / 1_000, count % 1_000) }
}

#[test]
fn prometheus_gets_a_whole_file_without_timestamps() {
    let program = Program::new();
    let snapshot = sample("drifted");
    program.run(&["support-check", "--snapshot", &snapshot, "--as-of", "2026-12-01", "-o", "prometheus=aksarc.prom"]);
    let text = program.read("aksarc.prom");
    assert_holds(program.dir.path(), &["aksarc.prom"]);
    assert!(text.contains("\naksarc_check_timestamp_seconds{cluster=\"drifted\"} 1795757432\n"), "{text}");
    let platform = "windows-server|hci-22h2|azure-local";
    assert!(
        text.contains(&format!(
            "aksarc_verdict{{cluster=\"drifted\",platform=\"{platform}\",verdict=\"outside\"}} 1\n"
        ))
    );
    assert!(
        text.contains("aksarc_findings{cluster=\"drifted\",rule=\"AA201\",consequence=\"voids\",waived=\"false\"} 4\n")
    );
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once("} ").unwrap();
        assert!(value.parse::<i64>().is_ok() && seen.insert(series.to_owned()), "{line}");
    }
}

#[test]
fn lines_end_with_a_summary_and_tables_begin_with_a_heading() {
    let result = result_of(&Program::new(), "drifted", &[]);
    let count = result["findings"].as_array().unwrap().len();
    let lines: Vec<Value> = render(&result, "jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), count + 1);
    for (line, finding) in lines.iter().zip(result["findings"].as_array().unwrap()) {
        assert_eq!((&line["kind"], &line["fingerprint"]), (&json!("SupportFinding"), &finding["fingerprint"]));
    }
    assert_eq!((&lines[count]["kind"], &lines[count]["verdict"]), (&json!("SupportSummary"), &json!("outside")));

    let mut result = result;
    result["findings"][0]["after"] = json!("=HYPERLINK(\"http://example.com\")");
    result["findings"][0]["message"] = json!("one, \"two\"");
    let table = render(&result, "csv");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((rows.len(), table.matches("\r\n").count()), (count, count + 1));
    assert_eq!((&rows[0][13], &rows[0][14]), ("'=HYPERLINK(\"http://example.com\")", "one, \"two\""));
}

#[test]
fn open_reports_hold_at_most_what_an_object_can_and_count_the_rest() {
    let report: Value = serde_json::from_str(&render(&with_nodes(700), "openreports")).unwrap();
    let results = report["results"].as_array().unwrap();
    assert_eq!((results.len(), &report["summary"]["fail"]), (500, &json!(700)));
    let left = report["metadata"]["annotations"]["aksarc.dev/results-left-out"].as_str().unwrap();
    assert!(left.parse::<usize>().unwrap() >= 200);
    let mut ids: Vec<&str> = results.iter().map(|one| one["properties"]["resultID"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 500);
    let one = &results[0];
    assert_eq!(
        (&one["source"], &one["result"], &one["policy"]),
        (&json!("kubectl-aksarc"), &json!("fail"), &json!("AA201"))
    );
    assert_eq!(one["timestamp"], json!({"seconds": 1_796_083_200, "nanos": 0}));
    assert_eq!(one["resources"][0]["name"], "moc-l0");
}

#[test]
fn formats_are_offered_by_help_and_completion() {
    let program = Program::new();
    let help = program.run(&["report", "--help"]).exits(0).stdout;
    for format in ReportFormat::value_variants() {
        assert!(help.contains(&format!("- {}:", format.word())), "{} in {help}", format.word());
    }
    let script = program.run(&["completion", "bash"]).exits(0).stdout;
    assert!(script.contains("openreports"));
}
