//! README.md shows what the program prints and what the catalogue holds. Its commands are run by `tests/e2e_readme.rs`.
//!
//! `UPDATE_README=1 cargo test -p kubectl-aksarc --test cli_readme -- --test-threads=1` renews the screen and the table.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a panic is a failure")]

use std::path::{Path, PathBuf};
use std::process::Command;

use aksarc_shared::data::Platform;
use aksarc_shared::finding::Consequence;
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::{Mode, Rule};

#[test]
fn the_screen_is_what_the_program_prints() {
    let readme = readme();
    let (head, rest) = readme.split_once(BEGIN).unwrap();
    let (shown, tail) = rest.split_once(END).unwrap();
    let (_, day) = head.rsplit_once("this is its screen of ").unwrap();
    let screen = run(&["support-check", "--snapshot", "tests/clusters/drifted", "--as-of", &day[.."2026-11-27".len()]]);
    let printed = format!("\n```text\n{}```\n", excerpt(&screen));
    if shown == printed {
        return;
    }
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(root().join("README.md"), format!("{head}{BEGIN}{printed}{END}{tail}")).unwrap();
        return;
    }
    panic!(
        "README.md shows another screen than the program prints. To rewrite it:\n\n  \
         UPDATE_README=1 cargo test -p kubectl-aksarc --test cli_readme -- --test-threads=1\n\nprinted:\n{printed}\nshown:\n{shown}"
    );
}

#[test]
fn the_rule_table_is_the_catalogue() {
    let readme = readme();
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(root().join("README.md"), with_table(&readme)).unwrap();
        return;
    }
    let shown: Vec<&str> = readme.lines().filter(|line| line.starts_with("| [AA")).collect();
    assert_eq!(shown.len(), catalogue::ALL.len(), "rules and rows");
    for (rule, row) in catalogue::ALL.iter().zip(shown) {
        // What a rule finds is told in the README's own words, all else is the catalogue's.
        let mut cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let finds = cells.remove(2);
        assert!(!finds.is_empty(), "{row}");
        assert_eq!(cells.join("|"), facts(rule), "the row of {}: {row}", rule.code);
        assert!(root().join(page(rule)).is_file(), "{}", page(rule));
    }
}

#[test]
fn the_share_of_the_policy_is_that_of_the_coverage() {
    let coverage = run(&["rules", "coverage"]);
    let sum = coverage.lines().find(|line| line.contains(" clauses: ")).unwrap();
    let (all, rest) = sum.split_once(" clauses: ").unwrap();
    let (decided, _) = rest.split_once(" decided by rules").unwrap();
    let words = format!("The {} rules decide {decided} of its {all} clauses", catalogue::ALL.len());
    assert!(readme().contains(&words), "README.md lacks {words:?}");
    let (_, rest) = rest.split_once("decided by rules, ").unwrap();
    let (answered, _) = rest.split_once(" by somebody's answer alone").unwrap();
    let words = format!("answers alone decide {answered} more");
    assert!(readme().contains(&words), "README.md lacks {words:?}");
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let readme = readme();
    let shown: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| line.split(" | ").next())
        .filter(|cell| cell.parse::<u8>().is_ok())
        .collect();
    let help = run(&["--help"]);
    let (_, codes) = help.split_once("Exit codes").unwrap();
    let told: Vec<&str> =
        codes.lines().filter(|line| line.starts_with("  ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(shown, told);
    assert_eq!(told.len(), 8);
}

/// The README with the catalogue's rows; what a rule finds stays as it is told there, a new rule tells it by its summary.
fn with_table(readme: &str) -> String {
    let (mut before, mut after, mut told) = (Vec::new(), Vec::new(), std::collections::BTreeMap::new());
    for line in readme.lines() {
        if let Some((code, rest)) = line.strip_prefix("| [").and_then(|rest| rest.split_once(']'))
            && line.starts_with("| [AA")
        {
            let finds = rest.split('|').nth(1).unwrap_or_default().trim();
            told.insert(code.to_owned(), finds.to_owned());
        } else if told.is_empty() {
            before.push(line.to_owned());
        } else {
            after.push(line.to_owned());
        }
    }
    let rows = catalogue::ALL.iter().map(|rule| {
        let finds = told.get(rule.code.as_str()).map_or(rule.summary, String::as_str);
        let mut cells: Vec<String> = facts(rule).trim_matches('|').split('|').map(str::to_owned).collect();
        // The cell that is empty at the end was trimmed with the line.
        cells.resize(6, String::new());
        cells.insert(1, finds.to_owned());
        format!("| {} |", cells.join(" | ")).replace("|  |", "| |").replace("|  |", "| |")
    });
    let lines: Vec<String> = before.into_iter().chain(rows).chain(after).collect();
    format!("{}\n", lines.join("\n"))
}

fn facts(rule: &Rule) -> String {
    // What holds on bare metal is said once, below the table.
    let platforms: Vec<Platform> = rule.platforms.iter().copied().filter(|own| own.has_policy_text()).collect();
    let heaviest = rule.heaviest(&platforms);
    let mut told = words(heaviest).to_owned();
    for lighter in Consequence::ALL.into_iter().filter(|weight| *weight != heaviest) {
        let bear = |platform: &&Platform| rule.consequence_on(**platform) == lighter;
        let on: Vec<&str> = platforms.iter().filter(bear).map(|platform| title(*platform)).collect();
        if !on.is_empty() {
            told = format!("{told}; {} on {}", words(lighter), on.join(", "));
        }
    }
    let tick = |yes: bool| if yes { "✓" } else { "" };
    let guard = match rule.mode {
        _ if rule.guards.is_empty() => "",
        Mode::Deny => "denies",
        Mode::Off => "off",
        Mode::Record => "records",
        Mode::Warn => "warns",
    };
    let mut words_of: Vec<(&str, Vec<&str>)> = Vec::new();
    for platform in rule.platforms.iter().filter(|platform| platform.has_policy_text()) {
        let word = rule.basis_on(*platform).as_str();
        match words_of.iter_mut().find(|(known, _)| *known == word) {
            Some((_, platforms)) => platforms.push(title(*platform)),
            None => words_of.push((word, vec![title(*platform)])),
        }
    }
    let basis = match words_of.as_slice() {
        [(word, _)] => (*word).to_owned(),
        _ => words_of.iter().map(|(word, on)| format!("{word} on {}", on.join(", "))).collect::<Vec<_>>().join("; "),
    };
    let cells = [
        &*format!("[{}]({})", rule.code, page(rule)),
        &told,
        &basis,
        tick(rule.state.per_object.is_some() || rule.state.per_cluster.is_some()),
        tick(rule.change.is_some()),
        guard,
    ];
    format!("|{}|", cells.join("|"))
}

fn page(rule: &Rule) -> String {
    format!("shared/src/rules/{}.md", rule.code.as_str().to_lowercase())
}

fn words(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::AtRisk => "at risk",
        Consequence::NotCovered => "not covered",
        other => other.as_str(),
    }
}

fn title(platform: Platform) -> &'static str {
    match platform {
        Platform::AzureLocal => "Azure Local",
        Platform::BareMetal => "bare metal",
        Platform::Hci22h2 => "22H2",
        Platform::WindowsServer => "Windows Server",
    }
}

/// Verdict, the first rule's findings, and the end.
fn excerpt(screen: &str) -> String {
    let mut blocks: Vec<&str> = screen.split("\n\n").collect();
    let last = blocks.pop().unwrap();
    let (first, left_out) = blocks.split_at(3);
    assert!(!left_out.is_empty(), "short enough to be shown in full");
    format!("{}\n\n…\n\n{last}", first.join("\n\n"))
}

/// Runs the program where somebody with a clone does.
fn run(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-aksarc"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KUBECTL_AKSARC_") {
            command.env_remove(name);
        }
    }
    let output = command.args(args).current_dir(root()).env("LC_ALL", "C.UTF-8").output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn readme() -> String {
    // A checkout on Windows may have other line ends.
    std::fs::read_to_string(root().join("README.md")).unwrap().replace("\r\n", "\n")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

const BEGIN: &str = "<!-- screen:begin -->";
const END: &str = "<!-- screen:end -->";
