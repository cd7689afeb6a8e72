//! `explain`: pages of rules and clauses, and the errors on words that name none.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failure")]

use std::process::{Command, Output};

use aksarc_shared::data::embedded;
use aksarc_shared::rules::catalogue;
use kubectl_aksarc::screen::explain::{self, Extent};
use kubectl_aksarc::screen::style::Look;

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-aksarc"));
    // A pager that always fails: the output of a pipe is not paged.
    command.args(arguments).env("NO_COLOR", "1").env("PAGER", "false").env("LC_ALL", "C.UTF-8").output().unwrap()
}

fn page(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn examples_are_shown_where_they_are_asked_for() {
    let (short, long) = (page(&["explain", "AA201"]), page(&["explain", "AA201", "--examples"]));
    assert!(!short.contains("# state:") && short.trim_end().ends_with("examples with the rule's answers"), "{short}");
    let full = page(&["explain", "AA201", "--full"]);
    assert!(full.contains("What it cannot see") && full.trim_end().ends_with("rule's answers: --examples"), "{full}");
    assert!(!full.contains("# state:") && !short.contains("What it cannot see\n"), "{short}");
    assert!(long.contains("# state: AA201") && !long.contains("--examples"), "{long}");
    assert!(short.lines().count() * 3 < long.lines().count());
    assert_eq!(page(&["rules", "show", "AA201"]), short);
    assert_eq!(page(&["explain", "AA201", "--no-pager"]), short);
}

/// The page for a reader on call: the meaning, the way out, the reason, and the sources.
#[test]
fn a_page_is_read_in_a_minute() {
    let look = Look { width: Some(80), ..Look::default() };
    let mut longest = 0;
    for rule in catalogue::ALL {
        let text = explain::page(rule, embedded(), look, Extent::Short, "kubectl aksarc");
        let text = anstream::adapter::strip_str(&text).to_string();
        let lines: Vec<&str> = text.lines().collect();
        longest = longest.max(lines.len());
        assert!(lines.len() <= 72, "{} has {} lines:\n{text}", rule.code, lines.len());
        // Addresses and the words of commands are copied, and stay whole.
        let whole = |line: &str| line.split(' ').any(|word| word.chars().count() > 60);
        let long = |line: &&&str| line.chars().count() > 80 && !whole(line);
        assert_eq!(lines.iter().find(long), None);
        let way_out = lines.iter().position(|line| *line == "Instead").unwrap();
        assert!(way_out <= 14, "{}: the way out is line {way_out}", rule.code);
        let of_this_project = ["AA903", "AA904"].contains(&rule.code.as_str());
        assert!(of_this_project || text.contains("\n    https://"), "{text}");
    }
    assert!(longest > 30, "{longest}");
}

#[test]
fn tables_of_pages_stay_tables() {
    let look = Look { width: Some(80), ..Look::default() };
    for rule in catalogue::ALL {
        let text = explain::page(rule, embedded(), look, Extent::Full, "kubectl aksarc");
        assert!(!text.lines().any(|line| line.starts_with('|')), "{}: {text}", rule.code);
    }
}

#[test]
fn a_clause_has_a_page_of_its_own() {
    let text = page(&["explain", "c13"]);
    for word in [
        "C13 Shared responsibility",
        "AA201 system-label-changed",
        "Support policies for AKS on Azure Local (2025-06-26)",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(page(&["explain", "C10"]).contains("asked"));
}

#[test]
fn a_word_that_names_no_rule_is_told_what_may_be_meant() {
    for (words, told) in [
        (&["explain", "201"][..], "did you mean AA201?"),
        (&["explain", "C99"], "rules list` shows all"),
        (&["explain", "AA305"], "AA305 is retired"),
        (&["support-check", "--snapshot", "x", "--only", "AA2*"], "did you mean 2xx?"),
        (&["support-check", "--snapshot", "x", "--skip", "AA411"], "AA411 is retired"),
    ] {
        let output = run(words);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {stderr}");
        assert!(stderr.contains(told), "{words:?}: {stderr}");
    }
}
