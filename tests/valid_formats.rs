//! The formats of reports, checked by the validators of their readers: Microsoft's SARIF multitool, the schema of
//! Jenkins' JUnit dialect, and promtool.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

#[path = "reports/hostile.rs"]
mod reports;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aksarc_shared::verdict::report::v1::ReportV1;
use aksarc_tests::binaries::Tool;
use aksarc_tests::{npm, product, root, samples};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use reports::{REPORT, hostile, with};

#[test]
fn sarif_is_valid_for_microsofts_multitool() {
    let modules = npm::modules("validators").unwrap();
    let tool = modules.join("@microsoft/sarif-multitool-linux/Sarif.Multitool");
    executable(&tool);
    let directory = tempfile::tempdir().unwrap();
    let files = rendered(directory.path(), "sarif");
    let check = |files: &[PathBuf]| {
        let mut command = Command::new(&tool);
        // Without it .NET wants a library for languages.
        command
            .arg("validate")
            .args(files)
            .args(["--rule-kind", "Sarif;Ghas"])
            .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(&format!("Done. {} files scanned.", files.len())), "{text}");
        let found = text.lines().filter(|line| [": error ", ": warning "].iter().any(|word| line.contains(word)));
        // The project has no page to name yet.
        found.filter(|line| !line.contains("does not provide 'informationUri'")).map(str::to_owned).collect::<Vec<_>>()
    };
    let found = check(&files);
    assert!(found.is_empty(), "{}", found.join("\n"));
    // It would find a result without a rule, for one.
    let drifted = drifted(&files);
    let broken = fs::read_to_string(drifted).unwrap().replacen("\"ruleIndex\": 7", "\"ruleIndex\": 700", 1);
    fs::write(drifted, broken).unwrap();
    assert!(!check(std::slice::from_ref(drifted)).is_empty());
}

#[test]
fn junit_is_valid_by_the_schema_of_jenkins() {
    let modules = npm::modules("validators").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let files = rendered(directory.path(), "junit");
    let check = |files: &[PathBuf]| {
        let mut node = Command::new("node");
        node.arg(root().join("tests/npm/validators/xsd.cjs"))
            .arg(root().join("tests/formats/junit-10.xsd"))
            .args(files);
        let output = node.env("NODE_PATH", &modules).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (valid, words) = check(&files);
    assert!(valid, "{words}");
    let broken = fs::read_to_string(&files[0]).unwrap().replacen("<testcase ", "<testcase weight=\"1\" ", 1);
    fs::write(&files[0], broken).unwrap();
    let (valid, words) = check(&files[..1]);
    assert!(!valid && words.contains("attribute 'weight' is not allowed"), "{words}");
}

#[test]
fn metrics_are_valid_for_promtool() {
    let promtool = Tool::Promtool.path().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let check = |file: &Path| {
        let mut command = Command::new(&promtool);
        let output =
            command.args(["check", "metrics"]).stdin(Stdio::from(fs::File::open(file).unwrap())).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let files = rendered(directory.path(), "prometheus");
    for file in &files {
        let (valid, words) = check(file);
        assert!(valid && words.is_empty(), "{}: {words}", file.display());
    }
    let drifted = drifted(&files);
    let twice = fs::read_to_string(drifted).unwrap() + "aksarc_exit_code{cluster=\"drifted\"} 3\n";
    fs::write(drifted, twice).unwrap();
    let (valid, words) = check(drifted);
    assert!(!valid && words.contains("aksarc_exit_code metric not unique"), "{words}");
}

/// The reports of all samples, of manifests, and of words that mean harm, as files in a format.
fn rendered(directory: &Path, format: &str) -> Vec<PathBuf> {
    let plugin = product::plugin().unwrap();
    let mut files = Vec::new();
    let mut run = |name: &str, words: &[&str]| {
        let path = directory.join(format!("{name}.{format}"));
        let output = format!("{format}={}", path.display());
        let mut command = Command::new(&plugin);
        command.args(words).args(["-o", &output, "--exit-zero"]).env_clear().current_dir(root());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        files.push(path);
    };
    for sample in samples::NAMES {
        let path = format!("tests/clusters/{sample}");
        run(sample, &["support-check", "--snapshot", &path, "--as-of", "2026-12-01"]);
    }
    run("manifests", &["support-check", "-f", "tests/unread/objects.yaml,deploy/guard.yaml", "--as-of", "2026-12-01"]);
    run("some", &["support-check", "--snapshot", "tests/clusters/drifted", "--only", "2xx", "--as-of", "2026-12-01"]);
    let mut runner = TestRunner::deterministic();
    for number in 0..8 {
        let words: Vec<String> = (0..40).map(|_| hostile().new_tree(&mut runner).unwrap().current()).collect();
        let path = directory.join(format!("hostile-{number}.json"));
        fs::write(&path, serde_json::to_string(&from_cluster(&words)).unwrap()).unwrap();
        run(&format!("hostile-{number}"), &["report", path.to_str().unwrap()]);
    }
    files
}

/// The report of the sample with the most findings, for tests that break one.
fn drifted(files: &[PathBuf]) -> &PathBuf {
    files.iter().find(|file| file.file_stem().is_some_and(|stem| stem == "drifted")).unwrap()
}

/// A report with other words in every field, but those that the program writes itself: a validator wants its codes to differ.
fn from_cluster(words: &[String]) -> ReportV1 {
    let mut report = with(words);
    "0.1.0".clone_into(&mut report.tool.version);
    for (one, own) in report.rules.iter_mut().zip(&REPORT.rules) {
        one.code.clone_from(&own.code);
        one.slug.clone_from(&own.slug);
        one.summary.clone_from(&own.summary);
    }
    for (one, own) in report.findings.iter_mut().zip(&REPORT.findings) {
        one.code.clone_from(&own.code);
        one.slug.clone_from(&own.slug);
    }
    report
}

/// npm leaves it to an install script, which is not run.
fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
