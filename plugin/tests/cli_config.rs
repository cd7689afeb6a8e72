//! The configuration file: the order of precedence for each setting, and the errors of bad files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use std::process::Command;

use fake::{Cluster, Program, Ran, Server};
use serde_json::{Value, json};

/// The file of the tests' user.
const OWN: &str = ".config/kubectl-aksarc/config.yaml";

const HEAD: &str = "apiVersion: aksarc.dev/v1alpha1\nkind: PluginConfig\n";

const DRIFTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clusters/drifted");

/// The platform of a report whose platform is not known.
const ANY: &str = "windows-server|hci-22h2|azure-local";

/// A setting, its value in the file, in the environment and on the command line, and its default.
const SETTINGS: [(&str, &str, &str, &str, Option<&str>); 20] = [
    ("platform", "azure-local", "hci-22h2", "windows-server", Some("auto")),
    ("platformRelease", "2602", "2019", "22H2", None),
    ("failOn", "info", "at-risk", "not-covered", Some("voids")),
    ("waivers", "/file", "/variable", "/flag", None),
    ("versions", "/file", "/variable", "/flag", None),
    ("guardConfig", "/file", "/variable", "/flag", None),
    ("output", "wide", "short", "", Some("table")),
    ("show", "all", "problems", "all", Some("problems")),
    ("groupBy", "object", "namespace", "rule", Some("rule")),
    ("shell", "bash", "powershell", "bash", None),
    ("color", "never", "always", "auto", Some("auto")),
    ("ascii", "true", "false", "true", Some("false")),
    ("noHeaders", "true", "false", "true", Some("false")),
    ("noProgress", "true", "false", "true", Some("false")),
    ("timeout", "1m", "2m", "3m", Some("5m")),
    ("requestTimeout", "1s", "2s", "3s", Some("60s")),
    ("chunkSize", "1", "2", "3", Some("500")),
    ("parallel", "1", "2", "3", Some("4")),
    ("baseline", "/file", "/variable", "/flag", None),
    ("attest", "/file", "/variable", "/flag", None),
];

fn flag(name: &str) -> String {
    name.chars().fold(String::new(), |flag, letter| {
        if letter.is_uppercase() { format!("{flag}-{}", letter.to_lowercase()) } else { format!("{flag}{letter}") }
    })
}

/// The value of a setting and its source, by `config view`.
fn seen(command: &mut Command, name: &str) -> (Value, String) {
    let view = Ran::of(&command.output().unwrap()).exits(0).json();
    let settings = view["settings"].as_array().unwrap();
    let own = settings.iter().find(|own| own["name"] == name).unwrap_or_else(|| panic!("no {name}: {view}"));
    (own["value"].clone(), own["source"].as_str().unwrap().to_owned())
}

#[test]
fn a_flag_counts_before_its_variable_that_before_the_file_and_that_before_the_default() {
    let program = Program::at("http://127.0.0.1:1");
    let view = || {
        let mut command = program.command();
        command.args(["config", "view", "-o", "json"]);
        command
    };
    let names: Vec<Value> = Ran::of(&view().output().unwrap()).exits(0).json()["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|setting| setting["name"].clone())
        .collect();
    assert_eq!(names, SETTINGS.map(|(name, ..)| json!(name)), "each setting is tested");
    for (name, file, variable, typed, default) in SETTINGS {
        let of_context = matches!(name, "baseline" | "attest");
        let part = if of_context { "contexts:\n  test:" } else { "defaults:" };
        program.write(OWN, HEAD);
        assert_eq!(seen(&mut view(), name), (json!(default), "default".to_owned()), "{name}");
        program.write(OWN, &format!("{HEAD}{part}\n    {name}: {file}\n"));
        assert_eq!(seen(&mut view(), name), (json!(file), "file".to_owned()), "{name}");
        let env = format!("KUBECTL_AKSARC_{}", flag(name).to_uppercase().replace('-', "_"));
        assert_eq!(seen(view().env(&env, ""), name), (json!(file), "file".to_owned()), "{name}");
        assert_eq!(seen(view().env(&env, variable), name), (json!(variable), "environment".to_owned()), "{name}");
        if name == "output" {
            continue;
        }
        // A switch has no value besides its name.
        let long = format!("--{}", flag(name));
        let word = if typed == "true" { long.clone() } else { format!("{long}={typed}") };
        let flagged = seen(view().env(&env, variable).arg(&word), name);
        assert_eq!(flagged, (json!(typed), "flag".to_owned()), "{name}");
        if typed == "true" {
            let off = seen(view().env(&env, "true").arg(format!("{long}=false")), name);
            assert_eq!(off, (json!("false"), "flag".to_owned()), "{name}");
        }
    }
}

#[test]
fn a_check_is_run_with_what_the_file_gives() {
    let program = Program::new();
    let check = |variables: &[(&str, &str)], flags: &[&str]| {
        let mut command = program.command();
        command.args(["support-check", "--snapshot", DRIFTED]).args(flags).envs(variables.iter().copied());
        Ran::of(&command.output().unwrap()).exits(3).stdout
    };
    program.write(OWN, &format!("{HEAD}defaults: {{output: short, ascii: true, platform: azure-local}}\n"));
    let short = check(&[], &[]);
    assert!(short.lines().count() == 1 && short.contains(" - x outside - "), "{short}");
    assert!(check(&[], &["--ascii=false"]).contains("✗ outside"));
    assert!(check(&[("KUBECTL_AKSARC_ASCII", "false")], &[]).contains("✗ outside"));
    assert!(check(&[("KUBECTL_AKSARC_OUTPUT", "name")], &[]).contains("moc-"));
    assert!(check(&[("KUBECTL_AKSARC_OUTPUT", "name")], &["-o", "json"]).starts_with('{'));
    let platform = |flags: &[&str]| {
        let mut all = vec!["-o", "json"];
        all.extend(flags);
        serde_json::from_str::<Value>(&check(&[], &all)).unwrap()["policy"]["platform"].clone()
    };
    assert_eq!(platform(&[]), "azure-local");
    assert_eq!(platform(&["--platform", "hci-22h2"]), "hci-22h2");
    assert_eq!(platform(&["--config", "none"]), ANY);
}

#[test]
fn the_context_that_is_read_chooses_the_entry() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    let contexts =
        "contexts:\n  '*': {platform: windows-server}\n  te??: {platform: hci-22h2}\n  other: {platform: bare-metal}\n";
    program.write(OWN, &format!("{HEAD}defaults: {{output: json}}\n{contexts}"));
    let platform = |args: &[&str]| {
        let ran = program.run(args);
        ran.json()["policy"]["platform"].clone()
    };
    assert_eq!(platform(&["support-check"]), "hci-22h2", "by the current context");
    assert_eq!(platform(&["support-check", "--snapshot", DRIFTED]), ANY, "a snapshot is of no context");
    let view = program.run(&["config", "view", "-o", "json", "--context", "other"]).exits(0).json();
    assert_eq!((&view["context"], &view["kind"]), (&json!("other"), &json!("PluginConfigView")));
    assert_eq!(
        view["settings"][0],
        json!({"name": "platform", "value": "bare-metal", "source": "file", "from": "contexts.other"})
    );
    let table = program.run(&["config", "view"]).exits(0).stdout;
    assert!(table.contains("file contexts.te??") && table.contains(OWN), "{table}");
    let yaml = program.run(&["config", "view", "-o", "yaml"]).exits(0).stdout;
    assert!(yaml.starts_with("apiVersion: aksarc.dev/v1alpha1\n"), "{yaml}");
}

#[test]
fn the_file_is_looked_for_where_users_keep_theirs() {
    let program = Program::new();
    let path = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = program.command();
        Ran::of(&command.args(["config", "path"]).args(args).envs(variables.iter().copied()).output().unwrap())
    };
    assert_eq!(path(&[], &[]).exits(0).stdout, format!("{}\n", program.path(OWN).display()));
    assert_eq!(path(&[("XDG_CONFIG_HOME", "/x")], &[]).stdout, "/x/kubectl-aksarc/config.yaml\n");
    assert_eq!(path(&[("XDG_CONFIG_HOME", "relative")], &[]).stdout, path(&[], &[]).stdout);
    assert_eq!(path(&[("KUBECTL_AKSARC_CONFIG", "/v")], &[]).stdout, "/v\n");
    assert_eq!(path(&[("KUBECTL_AKSARC_CONFIG", "/v")], &["--config", "f"]).stdout, "f\n");
    assert!(path(&[], &["--config", "none"]).exits(2).stderr.contains("there is no configuration file"));
    // A missing file counts as none, unless it was named.
    program.run(&["config", "view"]).exits(0);
    let named = program.run(&["config", "view", "--config", "nofile"]).exits(2).stderr;
    assert!(named.contains("cannot use the configuration file nofile: cannot read nofile"), "{named}");
    program.run(&["config", "check"]).exits(2);
}

#[test]
fn a_bad_file_is_told_with_its_name_and_place() {
    let program = Program::new();
    let large = std::fs::File::create(program.path("large")).unwrap();
    large.set_len(20 << 20).unwrap();
    std::fs::create_dir(program.path("directory")).unwrap();
    std::fs::write(program.path("binary"), b"\x7fELF\x02\x01\x00\xff").unwrap();
    std::fs::write(program.path("utf16"), b"\xff\xfea\x00").unwrap();
    for (name, text) in [
        ("twice", format!("{HEAD}defaults: {{}}\ndefaults: {{}}\n")),
        ("tabs", format!("{HEAD}defaults:\n\toutput: wide\n")),
        ("unknown", format!("{HEAD}defaults: {{platfrom: auto}}\n")),
        ("two", format!("{HEAD}---\n{HEAD}")),
        ("empty", String::new()),
        ("other", "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\n".to_owned()),
    ] {
        program.write(name, &text);
    }
    for (name, words) in [
        ("large", "has 20971520 bytes"),
        ("directory", "directory"),
        ("binary", "is not text"),
        ("utf16", "is UTF-16"),
        ("twice", "duplicate mapping key \"defaults\" at line 4, column 1"),
        ("tabs", "line 4"),
        ("unknown", "line 3, column 12; did you mean `platform`?"),
        ("two", "line"),
        ("empty", "it is empty"),
        ("other", "PluginConfig"),
    ] {
        for args in [
            &["support-check", "--snapshot", DRIFTED, "--config", name, "--status-file", "status"][..],
            &["config", "view", "--config", name],
            &["config", "check", name],
        ] {
            let ran = program.run(args).exits(2);
            assert!(
                ran.stdout.is_empty() && ran.stderr.contains(words) && ran.stderr.contains(name),
                "{args:?}: {ran:?}"
            );
            assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        }
        assert!(program.read("status").contains("\"exitCode\":2"), "{name}");
    }
    for (name, text) in [
        ("marked", format!("\u{feff}{HEAD}defaults: {{output: short}}\n")),
        ("windows", format!("{HEAD}defaults: {{output: short}}\n").replace('\n', "\r\n")),
        (
            "json",
            json!({"apiVersion": "aksarc.dev/v1alpha1", "kind": "PluginConfig", "defaults": {"output": "short"}})
                .to_string(),
        ),
    ] {
        program.write(name, &text);
        let ran = program.run(&["support-check", "--snapshot", DRIFTED, "--config", name]).exits(3);
        assert_eq!(ran.stdout.lines().count(), 1, "{name}: {ran:?}");
    }
}

#[test]
fn a_command_without_settings_does_not_read_a_broken_file() {
    let program = Program::new();
    program.write(OWN, "{");
    for args in [
        &["--help"][..],
        &["version"],
        &["completion", "bash"],
        &["explain", "AA201"],
        &["rules", "list"],
        &["support-check", "--help"],
        &["config", "path"],
    ] {
        program.run(args).exits(0);
    }
    let refused = program.run(&["support-check", "--snapshot", DRIFTED]).exits(2).stderr;
    assert!(refused.contains(OWN), "{refused}");
}

#[test]
fn a_failure_names_the_file_that_gave_a_flag() {
    let program = Program::new();
    program.write("own/config.yaml", &format!("{HEAD}defaults: {{waivers: gone.yaml}}\n"));
    let ran = program.run(&["support-check", "--snapshot", DRIFTED, "--config", "own/config.yaml"]).exits(2);
    let path = program.path("own").join("gone.yaml");
    assert!(ran.stderr.contains(&format!("--waivers: cannot read {}", path.display())), "{ran:?}");
    assert!(ran.stderr.contains("note: own/config.yaml gives --waivers"), "{ran:?}");
    // The cluster's own waivers do not concern a snapshot.
    program.write("own/config.yaml", &format!("{HEAD}defaults: {{waivers: cluster, output: short}}\n"));
    program.run(&["support-check", "--snapshot", DRIFTED, "--config", "own/config.yaml"]).exits(3);
}

#[test]
fn a_check_of_the_file_reads_what_it_names() {
    let program = Program::at("http://127.0.0.1:1");
    let text = format!(
        "{HEAD}contexts:\n  test: {{waivers: w.yaml, versions: v.yaml}}\n  gone-*: {{baseline: b.json, attest: a.yaml}}\n"
    );
    program.write(OWN, &text);
    let directory = ".config/kubectl-aksarc";
    program
        .write(&format!("{directory}/w.yaml"), "apiVersion: aksarc.dev/v1alpha1\nkind: SupportWaiverList\nitems: []\n");
    let ran = program.run(&["config", "check"]).exits(2);
    for words in [
        "contexts.test: --versions: cannot read",
        "contexts.gone-*: --baseline: cannot read",
        "contexts.gone-*: --attest: cannot read",
        "names 3 files that cannot be used",
        "note: no context of the kubeconfig is \"gone-*\"",
    ] {
        assert!(ran.stderr.contains(words), "{words:?}: {ran:?}");
    }
    program.write(OWN, &format!("{HEAD}contexts: {{test: {{waivers: w.yaml}}}}\n"));
    let ran = program.run(&["config", "check"]).exits(0);
    assert!(ran.stdout.contains("can be used; 1 context, 1 file named") && ran.stderr.is_empty(), "{ran:?}");
}
