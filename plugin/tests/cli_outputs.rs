//! Output files: through links, to devices, whole or not at all; and the variables that stand for flags.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failure")]

mod fake;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use fake::{Cluster, Program, Ran, Server, assert_holds};

/// A valid manifest, and the arguments of a check of it.
const FINE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
const CHECK: &str = "support-check --platform azure-local --as-of 2026-06-01 -f m.yaml -o json";

/// Runs a line of sh, in which $P is the program.
fn shell(program: &Program, line: &str) -> Ran {
    let own = program.command();
    let mut command = Command::new("sh");
    command.args(["-c", line]).env_clear().current_dir(program.dir.path()).env("P", own.get_program());
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ran::of(&command.output().unwrap())
}

fn with_manifest() -> Program {
    let program = Program::new();
    program.write("m.yaml", FINE);
    program
}

#[test]
fn links_are_followed_and_stay() {
    let program = with_manifest();
    program.write("deep/target", "old");
    symlink("deep/target", program.path("link")).unwrap();
    symlink("link", program.path("second")).unwrap();
    symlink("deep/new", program.path("dangling")).unwrap();
    for (link, target) in [("second", "deep/target"), ("dangling", "deep/new")] {
        shell(&program, &format!("$P {CHECK} --output-file {link}")).exits(0);
        assert!(program.path(link).is_symlink() && program.read(target).contains("\"verdict\""), "{link}");
        shell(&program, &format!("$P {CHECK} --status-file {link}")).exits(0);
        assert!(program.path(link).is_symlink() && program.read(target).contains("SupportCheckStatus"), "{link}");
    }
    symlink("round", program.path("about")).unwrap();
    symlink("about", program.path("round")).unwrap();
    let ran = shell(&program, &format!("$P {CHECK} --output-file round")).exits(1);
    assert!(ran.stderr.contains("cannot write round: its links lead in a circle"), "{}", ran.stderr);
    assert_holds(&program.path("deep"), &["new", "target"]);
}

#[test]
fn an_open_descriptor_is_written_from_its_present_position() {
    let program = with_manifest();
    symlink("/proc/self/fd/1", program.path("so")).unwrap();
    for path in ["so", "/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"] {
        let line =
            format!("{{ echo before; $P {CHECK} --output-file {path} --status-file /dev/fd/1; echo after; }} > out");
        shell(&program, &line).exits(0);
        let text = program.read("out");
        assert!(text.starts_with("before\n{") && text.ends_with("}\nafter\n"), "{path}: {text}");
        assert!(text.contains("SupportCheckStatus") && program.path("so").is_symlink(), "{path}: {text}");
    }
    shell(&program, &format!("$P {CHECK} --output-file /proc/self/fd/3 3> third")).exits(0);
    assert!(program.read("third").starts_with("{\n"));
    let ran = shell(&program, &format!("$P {CHECK} --output-file /dev/stderr")).exits(0);
    assert!(ran.stderr.contains("\"verdict\"") && ran.stdout.is_empty());
    shell(&program, &format!("$P {CHECK} --output-file /dev/stdout | true")).exits(0);
}

#[test]
fn new_files_heed_the_umask_and_old_ones_keep_their_mode() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    program.write("m.yaml", FINE);
    let mode = |name: &str| std::fs::metadata(program.path(name)).unwrap().mode() & 0o777;
    for (mask, file, directory) in [("077", 0o600, 0o700), ("022", 0o644, 0o755), ("002", 0o664, 0o775)] {
        let line = format!(
            "umask {mask}; $P {CHECK} --output-file out --status-file status && $P snapshot -o s.json && $P snapshot -o s.tgz \
             && $P snapshot -o s && $P baseline capture --snapshot s.json -o base.json"
        );
        shell(&program, &line).exits(0);
        for name in ["out", "status", "s.json", "s.tgz", "base.json"] {
            assert_eq!(mode(name), file, "{name} with {mask}");
            std::fs::remove_file(program.path(name)).unwrap();
        }
        assert_eq!(mode("s"), directory, "{mask}");
        std::fs::remove_dir_all(program.path("s")).unwrap();
    }
    program.write("out", "old");
    std::fs::set_permissions(program.path("out"), std::fs::Permissions::from_mode(0o640)).unwrap();
    shell(&program, &format!("$P {CHECK} --output-file out")).exits(0);
    assert_eq!(mode("out"), 0o640);
}

#[test]
fn snapshots_go_through_links_and_to_stdout() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    std::fs::create_dir(program.path("empty")).unwrap();
    for (link, target) in [("l.json", "t.json"), ("l.tar.gz", "t.tar.gz"), ("l", "empty")] {
        symlink(target, program.path(link)).unwrap();
        program.run(&["snapshot", "-o", link]).exits(0);
        assert!(program.path(link).is_symlink() && program.path(target).exists(), "{link}");
        program.check(&["--snapshot", target]).exits(0);
    }
    let ran = program.run(&["snapshot", "-o", "/dev/stdout"]).exits(0);
    assert!(ran.stderr.starts_with("/dev/stdout: "), "{}", ran.stderr);
    program.write("piped.json", &ran.stdout);
    program.check(&["--snapshot", "piped.json"]).exits(0);
    let ran = program.run(&["baseline", "capture", "-o", "/dev/stdout"]).exits(0);
    assert_eq!(ran.json()["kind"], "Baseline");
    assert_holds(
        program.dir.path(),
        &["empty", "kubeconfig", "l", "l.json", "l.tar.gz", "piped.json", "t.json", "t.tar.gz"],
    );
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    program.write("m.yaml", FINE);
    for (arguments, name) in [
        (format!("{CHECK} --output-file old"), "old"),
        ("baseline capture -o old.json".to_owned(), "old.json"),
        ("snapshot --force -o old.json".to_owned(), "old.json"),
        ("snapshot --force -o old.tgz".to_owned(), "old.tgz"),
    ] {
        program.write(name, "old");
        let ran = shell(&program, &format!("trap '' XFSZ; ulimit -f 0; exec $P {arguments}")).exits(1);
        assert!(ran.stderr.contains("File too large"), "{}", ran.stderr);
        assert_eq!(program.read(name), "old");
    }
    assert_holds(program.dir.path(), &["kubeconfig", "m.yaml", "old", "old.json", "old.tgz"]);
}

#[test]
fn a_dash_is_no_file_and_one_file_is_not_for_two() {
    let program = with_manifest();
    for (arguments, words) in [
        ("--output-file -", "--output-file <FILE>': write to stdout by leaving the flag out"),
        ("--status-file -", "--status-file <FILE>': this goes to a file"),
        ("--save=-", "--save <FILE>': this goes to a file"),
        ("--output-file a --status-file ./a", "--output-file and --status-file are both ./a"),
        ("--status-file a --save a", "--status-file and --save are both a"),
    ] {
        let ran = shell(&program, &format!("$P {CHECK} {arguments}")).exits(2);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert!(!program.path("-").exists());
    }
    for arguments in [&["snapshot", "-o", "-"][..], &["baseline", "capture", "-o", "-"]] {
        assert!(program.run(arguments).exits(2).stderr.contains("--output"), "{arguments:?}");
    }
    let two = ["dry-run", "label", "node", "a", "b=c", "--output-file", "x", "--status-file", "x"];
    assert!(program.run(&two).exits(2).stderr.contains("are both x"));
    shell(&program, &format!("$P {CHECK} --output-file /dev/null --save /dev/null")).exits(0);
}

#[test]
fn an_empty_variable_is_none_and_an_invalid_one_is_named() {
    let program = with_manifest();
    let with = |variables: &str, arguments: &str| shell(&program, &format!("{variables} $P {CHECK} {arguments}"));
    for name in
        ["PLATFORM", "ONLY", "SKIP", "AS_OF", "OUTPUT", "STATUS_FILE", "TIMEOUT", "CHUNK_SIZE", "WAIVERS", "VERBOSE"]
    {
        let ran = with(&format!("KUBECTL_AKSARC_{name}="), "").exits(0);
        assert_eq!(ran.stderr, "", "{name}");
    }
    let ran = shell(&program, "KUBECTL_AKSARC_PLATFORM=moon $P support-check -f m.yaml").exits(2);
    assert!(ran.stderr.contains("invalid value 'moon' for 'KUBECTL_AKSARC_PLATFORM'"), "{}", ran.stderr);
    let ran = with("KUBECTL_AKSARC_TIMEOUT=soon", "").exits(2);
    assert!(ran.stderr.contains("for 'KUBECTL_AKSARC_TIMEOUT'"), "{}", ran.stderr);
    let ran = with("KUBECTL_AKSARC_PLATFORM=azure-local", "--timeout soon").exits(2);
    assert!(ran.stderr.contains("for '--timeout <TIME>'"), "{}", ran.stderr);
    let ran = with("KUBECTL_AKSARC_PLATFROM=x KUBECTL_AKSARC_ELEPHANT=x KUBECTL_AKSARC_EMPTY=", "").exits(0);
    let said = "warning: KUBECTL_AKSARC_ELEPHANT stands for no flag\n\
                warning: KUBECTL_AKSARC_PLATFROM stands for no flag; did you mean KUBECTL_AKSARC_PLATFORM?\n";
    assert_eq!(ran.stderr, said);
    assert_eq!(with("KUBECTL_AKSARC_PLATFROM=x", "-q").exits(0).stderr, "");
    for flag in ["--only", "--skip"] {
        let ran = with("", &format!("{flag} ''")).exits(2);
        assert!(ran.stderr.contains(&format!("{flag} is empty: name a rule")), "{}", ran.stderr);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_and_stats_go_elsewhere() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    program.run(&["snapshot", "-o", "s.json"]).exits(0);
    for source in [&[][..], &["--snapshot", "s.json"]] {
        let check = |more: &[&str]| program.check(&[source, &["-o", "json"], more].concat()).exits(3);
        let (plain, told, filed) = (check(&[]), check(&["--stats"]), check(&["--stats=stats.json"]));
        assert!(plain.stdout == told.stdout && plain.stdout == filed.stdout, "{source:?}");
        assert!(told.stderr.contains("stats: ") && told.stderr.contains(" seconds, "), "{}", told.stderr);
        assert!(!filed.stderr.contains("stats"), "{}", filed.stderr);
        let stats: serde_json::Value = serde_json::from_str(&program.read("stats.json")).unwrap();
        assert_eq!(stats["kind"], "SupportCheckStats");
        assert_eq!(stats["objects"], plain.json()["coverage"]["objects"]);
        assert!(stats["seconds"].as_f64().unwrap() > 0.0);
    }
}
