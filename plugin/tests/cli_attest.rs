//! `--attest`: answers of people, from the file to the screen.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use fake::{Cluster, Program, Server};

fn file(items: &str) -> String {
    format!("apiVersion: aksarc.dev/v1alpha1\nkind: AttestationList\nitems:\n{items}")
}

#[test]
fn an_answer_is_shown_with_its_end_and_the_rule_passes_on_its_word() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    program.write("a.yaml", &file("- {clause: C35, answer: fulfilled, by: alice, on: 2026-05-20}\n"));
    let arguments = ["--attest", "a.yaml"];
    let report = program.check(&[&arguments[..], &["-o", "json"]].concat()).exits(0).json();
    let rules = report["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["code"] == "AA604").unwrap();
    assert_eq!(
        (rule["outcome"].as_str(), rule["reason"].as_str()),
        (Some("pass"), Some("attested by alice on 2026-05-20 (C35)"))
    );
    let questions = report["questions"].as_array().unwrap();
    let answered: Vec<_> = questions.iter().filter(|question| !question["answer"].is_null()).collect();
    assert_eq!(answered.len(), 1);
    assert_eq!(answered[0]["answer"]["expires"], "2026-07-19T00:00:00Z");
    let screen = program.check(&arguments).exits(0).stdout;
    assert!(screen.contains("answer of alice to C35 ends") && screen.contains("48 days"), "{screen}");
    assert!(screen.contains("   answered: subscription\n"), "{screen}");
    let open = format!("{} that only people can answer, 1 answered: --show questions", questions.len());
    assert!(screen.contains(&open) && !screen.contains("ask: "), "{screen}");
    let shown = program.check(&[&arguments[..], &["--show", "questions"]].concat()).exits(0).stdout;
    assert!(shown.contains("`Get-VMNetworkAdapter -VMName <node>`"), "{shown}");
    assert_eq!(shown.matches("ask: ").count(), questions.len(), "{shown}");
    let screen = program.check(&[&arguments[..], &["--show", "all"]].concat()).exits(0).stdout;
    assert_eq!(screen.matches("ask: ").count(), questions.len(), "{screen}");
    let wide = program.check(&[&arguments[..], &["-o", "wide", "--show", "questions"]].concat()).exits(0).stdout;
    assert!(wide.contains("C35,C36") && wide.contains("alice"), "{wide}");
}

#[test]
fn an_answer_that_a_clause_is_not_met_decides_the_exit_code() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    program.write("a.yaml", &file("- {clause: C35, answer: not-fulfilled, by: alice, on: 2026-05-20}\n"));
    let report = program.check(&["--attest", "a.yaml", "-o", "json"]).exits(3).json();
    assert_eq!(report["findings"][0]["code"], "AA604");
    assert_eq!(report["findings"][0]["evidence"][0]["what"], "attestation");
}

#[test]
fn an_answer_that_does_not_count_is_named_and_changes_nothing() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    for (item, why) in [
        ("- {clause: C35, answer: not-fulfilled, on: 2026-05-20}\n", "nobody signed it"),
        ("- {clause: C35, answer: not-fulfilled, by: alice, on: 2026-06-02}\n", "still to come"),
        ("- {clause: C35, answer: not-fulfilled, by: alice, on: 2025-06-02}\n", "it ended at 2025-08-01T00:00:00Z"),
        ("- {clause: C53, answer: not-fulfilled, by: alice, on: 2026-05-20}\n", "no clause is called C53"),
        ("- {clause: C05, answer: not-fulfilled, by: alice, on: 2026-05-20}\n", "no question to people"),
    ] {
        program.write("a.yaml", &file(item));
        let ran = program.check(&["--attest", "a.yaml", "-o", "json"]).exits(0);
        assert!(ran.stderr.contains("does not count") && ran.stderr.contains(why), "{}", ran.stderr);
        assert!(ran.json()["questions"].as_array().unwrap().iter().all(|question| question["answer"].is_null()));
    }
}

#[test]
fn a_file_of_another_kind_is_bad_input_and_nothing_is_read() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    for text in ["", "apiVersion: v1\nkind: ConfigMap\n", &file("- {clause: C35}\n"), "\t"] {
        program.write("a.yaml", text);
        let ran = program.check(&["--attest", "a.yaml"]).exits(2);
        assert!(ran.stderr.contains("cannot read answers from a.yaml"), "{}", ran.stderr);
    }
    program.check(&["--attest", "none.yaml"]).exits(2);
    assert!(server.requests().is_empty());
}

#[test]
fn the_template_is_a_file_of_open_questions() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    let template =
        program.run(&["rules", "coverage", "--attest-template", "--platform", "azure-local"]).exits(0).stdout;
    program.write("a.yaml", &template);
    let ran = program.check(&["--attest", "a.yaml", "-o", "json"]).exits(0);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    for question in ran.json()["questions"].as_array().unwrap() {
        let clause = question["clauses"][0].as_str().unwrap();
        assert!(template.contains(&format!("- clause: {clause}\n")), "{clause}");
    }
}
