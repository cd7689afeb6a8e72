//! Snapshots, manifests, flags and files, good and bad ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use std::io::Write;

use fake::{Cluster, Program, Ran, Reply, Server, assert_holds, status};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

/// The parts of a result that a check of a snapshot shares with one of the cluster.
fn essence(mut report: Value) -> Value {
    for field in ["cluster", "coverage", "input"] {
        report[field] = Value::Null;
    }
    report
}

#[test]
fn a_snapshot_in_any_form_is_judged_as_the_cluster_is() {
    let mut cluster = Cluster::outside();
    cluster.forbidden = vec![
        "/api/v1/namespaces/kube-system/configmaps".to_owned(),
        "/apis/apps/v1/daemonsets".to_owned(),
        "/apis/apps/v1/namespaces/kube-system/daemonsets".to_owned(),
    ];
    let server = Server::of(cluster);
    let program = Program::at(&server.url());
    let live = program.check(&["-o", "json"]).exits(3).json();
    for form in ["snapshot.tar.gz", "snapshot.json", "snapshot"] {
        let ran = program.run(&["snapshot", "-o", form, "--chunk-size", "1"]).exits(5);
        let told = ["3 lists not recorded: you may not read ConfigMap in kube-system, DaemonSet;", "doctor"];
        assert!(told.iter().all(|word| ran.stderr.contains(word)), "{}", ran.stderr);
        let read = program.check(&["-o", "json", "--snapshot", form]).exits(3).json();
        assert_eq!(essence(read.clone()), essence(live.clone()), "{form}");
        assert_eq!(read["coverage"]["objects"], live["coverage"]["objects"], "{form}");
        assert_eq!(read["cluster"]["nodes"], 3);
    }
    assert_holds(program.dir.path(), &["kubeconfig", "snapshot", "snapshot.json", "snapshot.tar.gz"]);
    assert!(!program.read("snapshot.json").contains("example.com/a"), "images of nodes are left out");
    let ran = program.check(&["--snapshot", "snapshot"]).exits(3);
    assert!(ran.stdout.contains("  taken "), "{}", ran.stdout);
    assert!(!program.read("snapshot/index.json").lines().any(|line| line.contains("takenAt") && line.contains('.')));
}

#[test]
fn a_snapshot_with_too_few_rights_says_so_once_for_each_reason_and_is_no_success() {
    let nobody = Server::start(|request, _| match &*request.path {
        "/version" => Reply::Json(200, serde_json::json!({"gitVersion": "v1.33.5"})),
        _ => Reply::Json(403, status(403, "Forbidden", "no")),
    });
    let program = Program::at(&nobody.url());
    let ran = program.run(&["snapshot", "-o", "s"]).exits(5);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    for word in ["lists not recorded: you may not read", "in 4 namespaces", "more kinds", "doctor --print-role"] {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    let ran = program.run(&["snapshot", "-o", "s.json", "--allow-incomplete"]).exits(0);
    assert!(ran.stderr.contains("not recorded"), "{}", ran.stderr);
}

#[test]
fn a_day_before_the_snapshot_or_before_every_text_is_warned_of_and_no_day_of_other_centuries_is_judged() {
    let program = Program::new();
    let drifted = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clusters/drifted");
    let stderr = |day: &str, code| {
        program.run(&["support-check", "--snapshot", drifted, "-o", "short", "--as-of", day]).exits(code).stderr
    };
    let early = stderr("2020-01-01", 3);
    assert!(early.contains("warning: the snapshot was taken on 2026-11-27, after the day of --as-of"), "{early}");
    assert!(early.contains("before the first of the dated policy texts, 2025-04-03"), "{early}");
    assert_eq!(stderr("2026-11-20", 3).lines().count(), 1);
    assert_eq!(stderr("2026-11-28", 3), "");
    for day in ["0000-01-01", "2018-12-31"] {
        assert!(stderr(day, 2).contains("no day before 2019"), "{day}");
    }
}

#[test]
fn objects_recorded_from_a_cluster_are_named_in_every_format_of_a_check_of_manifests() {
    let program = Program::new();
    let nodes = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clusters/drifted/nodes.json");
    for format in ["short", "wide", "json", "name"] {
        let ran = program.check(&["-f", nodes, "-o", format]);
        assert!(ran.stderr.contains("7 of 7 manifests were recorded from a cluster"), "{format}: {}", ran.stderr);
        assert!(ran.stderr.contains("--snapshot FILE"), "{format}: {}", ran.stderr);
    }
}

#[test]
fn a_snapshot_never_replaces_what_is_not_one() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    program.write("full/file", "x");
    for (path, word) in
        [("full", "not empty"), ("kubeconfig", "is a file"), ("no/where.json", "no directory"), ("x.yaml", "NAME.json")]
    {
        let ran = program.run(&["snapshot", "-o", path]).exits(2);
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
    for (command, word) in [(&["snapshot"][..], "yaml"), (&["snapshot"], "table"), (&["baseline", "capture"], "json")] {
        let ran = program.run(&[command, &["-o", word]].concat()).exits(2);
        assert!(ran.stderr.contains(&format!("{word} is a format: give ./{word}")), "{}", ran.stderr);
    }
    for path in ["old.json", "old.tar.gz"] {
        program.write(path, "evidence");
        let ran = program.run(&["snapshot", "-o", path]).exits(2);
        assert!(ran.stderr.contains("is there already") && ran.stderr.contains("--force"), "{}", ran.stderr);
        assert_eq!(program.read(path), "evidence");
    }
    assert!(server.requests().is_empty());
    program.run(&["snapshot", "-o", "old.json", "--force"]).exits(0);
    assert!(program.read("old.json").starts_with('{'));
}

#[cfg(unix)]
#[test]
fn a_closed_stdout_changes_no_exit_code() {
    let program = Program::new();
    let drifted = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clusters/drifted");
    for (args, code) in [(&["support-check", "--snapshot", drifted][..], 3), (&["version"], 0), (&["--help"], 0)] {
        let own = program.command().get_program().to_owned();
        let mut shell = std::process::Command::new("sh");
        shell.arg("-c").arg("exec \"$0\" \"$@\" >&-").arg(own).args(args).current_dir(program.dir.path());
        let ran = Ran::of(&shell.output().unwrap()).exits(code);
        assert_eq!((&*ran.stdout, &*ran.stderr), ("", ""), "{args:?}");
    }
}

#[test]
fn a_snapshot_that_fails_leaves_nothing_behind() {
    let cluster = Cluster::healthy();
    let server = Server::start(move |request, _| {
        if request.path.contains("kube-system") { Reply::Raw(b"nonsense".to_vec()) } else { cluster.answer(request) }
    });
    let program = Program::at(&server.url());
    for form in ["s.tar.gz", "s.json", "s"] {
        program.run(&["snapshot", "-o", form, "--timeout", "5s"]).exits(1);
    }
    assert_holds(program.dir.path(), &["kubeconfig"]);
}

/// The objects as `kubectl get -o json` prints them.
fn list(items: &[Value]) -> String {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": ""}, "items": items}).to_string()
}

fn typed(mut node: Value) -> Value {
    node["kind"] = json!("Node");
    node["apiVersion"] = json!("v1");
    node
}

#[test]
fn a_snapshot_made_with_kubectl_leaves_the_lists_that_it_lacks_unknown() {
    let program = Program::new();
    let mut bad = typed(fake::node("moc-l2"));
    bad["metadata"]["labels"]["kubernetes.io/hostname"] = json!("edge-7");
    program.write("s/nodes.json", &list(&[typed(fake::node("moc-l1")), bad]));
    program.write(
        "s/version.json",
        &json!({"clientVersion": {"gitVersion": "v1.2.3"}, "serverVersion": {"gitVersion": "v1.33.5"}}).to_string(),
    );
    program.write(
        "s/namespaces.yaml",
        "kind: Namespace\napiVersion: v1\nmetadata: {name: kube-system}\nspec: {finalizers: [kubernetes]}\n",
    );
    program.write("s/deployments.json", &list(&[]));
    let report = program.check(&["--snapshot", "s", "-o", "json"]).exits(3).json();
    assert_eq!(report["cluster"]["kubernetesVersion"], "v1.33.5");
    let rule =
        |code: &str| report["rules"].as_array().unwrap().iter().find(|rule| rule["code"] == code).unwrap().clone();
    assert_eq!(rule("AA201")["outcome"], "violated");
    assert_eq!(rule("AA301")["outcome"], "unknown", "an anonymous empty list says nothing");
    assert!(rule("AA301")["reason"].as_str().unwrap().contains("the snapshot does not hold"));
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // The name is written directly, since the library's writer would refuse it.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

#[track_caller]
fn assert_bad(ran: Ran, word: &str) {
    let ran = ran.exits(2);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(word), "{word:?} is missing: {}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn bad_snapshots_are_told_by_name_and_cause() {
    let program = Program::new();
    let node = typed(fake::node("moc-l1")).to_string();
    assert_bad(program.check(&["--snapshot", "missing"]), "missing");
    program.write("empty.json", "");
    assert_bad(program.check(&["--snapshot", "empty.json"]), "is empty");
    std::fs::create_dir(program.path("nothing")).unwrap();
    assert_bad(program.check(&["--snapshot", "nothing"]), "is empty");
    program.write("foreign.json", r#"{"kind":"Pizza","apiVersion":"example.com/v1"}"#);
    assert_bad(program.check(&["--snapshot", "foreign.json"]), "no objects that rules read");
    program.write("cut.json", &node[..node.len() / 2]);
    assert_bad(program.check(&["--snapshot", "cut.json"]), "cut short");
    program.write("garbage.json", "{]");
    assert_bad(program.check(&["--snapshot", "garbage.json"]), "garbage.json");
    std::fs::write(program.path("binary.json"), [0xff, 0xfe, 0x00]).unwrap();
    assert_bad(program.check(&["--snapshot", "binary.json"]), "binary.json");
    for name in ["../evil.json", "/etc/evil.json", "a/../../evil.json"] {
        std::fs::write(program.path("evil.tar.gz"), archive(&[(name, node.as_bytes())])).unwrap();
        assert_bad(program.check(&["--snapshot", "evil.tar.gz"]), "lies outside");
    }
    let whole = archive(&[("nodes.json", node.as_bytes())]);
    std::fs::write(program.path("half.tar.gz"), &whole[..whole.len() / 2]).unwrap();
    assert_bad(program.check(&["--snapshot", "half.tar.gz"]), "half.tar.gz");
    std::fs::write(program.path("not.tar.gz"), [0x1f, 0x8b, 0, 0, 0]).unwrap();
    assert_bad(program.check(&["--snapshot", "not.tar.gz"]), "not.tar.gz");
    let future = json!({"kind": "SnapshotIndex", "apiVersion": "aksarc.dev/v9", "toolVersion": "9", "takenAt": "", "context": "", "lists": []});
    program.write("future.json", &future.to_string());
    assert_bad(program.check(&["--snapshot", "future.json"]), "aksarc.dev/v9");
}

#[test]
fn a_snapshot_that_lost_a_page_is_damaged_not_healthy() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    program.run(&["snapshot", "-o", "s", "--chunk-size", "1"]).exits(0);
    std::fs::remove_file(program.path("s/nodes-2.json")).unwrap();
    assert_bad(program.check(&["--snapshot", "s"]), "is damaged");
}

#[test]
fn files_too_large_to_be_meant_are_refused_before_they_are_read() {
    let program = Program::new();
    let file = std::fs::File::create(program.path("huge.json")).unwrap();
    file.set_len(1 << 30).unwrap();
    assert_bad(program.check(&["--snapshot", "huge.json"]), "1024 MiB");
    assert_bad(program.check(&["-f", "huge.json"]), "1024 MiB");
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    let mut header = tar::Header::new_gnu();
    header.set_path("nodes.json").unwrap();
    header.set_size(1 << 31);
    header.set_cksum();
    bomb.write_all(header.as_bytes()).unwrap();
    bomb.write_all(&vec![b' '; 1 << 24]).unwrap();
    std::fs::write(program.path("bomb.tar.gz"), bomb.finish().unwrap()).unwrap();
    assert_bad(program.check(&["--snapshot", "bomb.tar.gz"]), "more than 256 MiB");
}

const ADD_ON: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: own-agent, namespace: kube-system}
spec: {template: {spec: {containers: [{name: a, image: example.com/a}]}}}
";

#[test]
fn manifests_are_judged_as_creations() {
    let program = Program::new();
    program.write("m/add-on.yaml", ADD_ON);
    program.write("m/deep/fine.yaml", &ADD_ON.replace("kube-system", "shop"));
    program.write("m/notes.txt", "no manifest");
    let report = program.check(&["-f", "m", "-R", "-o", "json"]).exits(3).json();
    assert_eq!(report["summary"]["voids"], 1);
    assert_eq!(report["findings"][0]["object"]["name"], "own-agent");
    assert_eq!(report["coverage"]["objects"], 2);
    program.check(&["-f", "m/deep"]).exits(0);
    program.write("list.json", &list(&[serde_saphyr::from_str::<Value>(ADD_ON).unwrap()]));
    program.check(&["-f", "list.json"]).exits(3);
    program.write("none.yaml", &ADD_ON.replace(", namespace: kube-system", ""));
    program.check(&["-f", "none.yaml"]).exits(0);
    program.check(&["-f", "none.yaml", "-n", "kube-system"]).exits(3);
    let mut child = program.command();
    child
        .args(["support-check", "--platform", "azure-local", "-f", "-"])
        .stdin(std::fs::File::open(program.path("m/add-on.yaml")).unwrap());
    Ran::of(&child.output().unwrap()).exits(3);
}

#[test]
fn manifests_that_cannot_be_judged_are_inconclusive_where_they_could_void_support() {
    let program = Program::new();
    // YAML reads the image as a number, so the containers of the pods are not known.
    let unread = ADD_ON.replace("example.com/a", "1");
    for (namespace, code) in [("kube-system", 5), ("shop", 0)] {
        let text = unread.replace("kube-system", namespace);
        program.write("m.yaml", &text);
        let ran = program.check(&["-f", "m.yaml"]).exits(code);
        assert_eq!(ran.stdout.contains("INCONCLUSIVE"), code == 5, "{text}\n{}", ran.stdout);
        assert_eq!(ran.stdout.contains("WITHIN"), code == 0, "{text}\n{}", ran.stdout);
    }
    program.write("m.yaml", &format!("{unread}---{ADD_ON}"));
    program.check(&["-f", "m.yaml"]).exits(3);
    program.write("m.yaml", &unread);
    program.check(&["-f", "m.yaml", "--allow-incomplete"]).exits(0);
}

#[test]
fn line_ends_and_byte_order_marks_of_windows_change_nothing() {
    let program = Program::new();
    program.write("crlf.yaml", &ADD_ON.replace('\n', "\r\n"));
    program.write("bom.yaml", &format!("\u{feff}{}", ADD_ON.trim_start()));
    program.write("bom.json", &format!("\u{feff}{}", serde_saphyr::from_str::<Value>(ADD_ON).unwrap()));
    for file in ["crlf.yaml", "bom.yaml", "bom.json"] {
        assert_eq!(program.check(&["-f", file, "-o", "json"]).exits(3).json()["summary"]["voids"], 1, "{file}");
    }
}

#[test]
fn manifests_that_no_rule_looks_at_are_no_pass_in_disguise() {
    let program = Program::new();
    program.write("m/own.yaml", "apiVersion: example.com/v1\nkind: Pizza\nmetadata: {name: a}\n");
    let ran = program.check(&["-f", "m"]).exits(0);
    assert!(ran.stdout.contains("1 object, 1 of kinds that no rule looks at"), "{}", ran.stdout);
    assert!(ran.stdout.contains("there is nothing here that a rule looks at"), "{}", ran.stdout);
    assert!(ran.stderr.contains("Pizza"), "{}", ran.stderr);
    program.write(
        "m/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [own.yaml]\n",
    );
    let said =
        "m/kustomization.yaml, document 1: it is a Kustomization, which -f does not build: give its directory by -k";
    assert_bad(program.check(&["-f", "m"]), said);
    program.write("m/kustomization.yaml", "resources: [own.yaml]\n");
    assert_bad(program.check(&["-f", "m/kustomization.yaml"]), said);
}

#[test]
fn flags_go_before_variables() {
    let program = Program::new();
    program.write("m.yaml", ADD_ON);
    for (variable, args) in [
        ("KUBECTL_AKSARC_CONTEXT", &["-f", "m.yaml"][..]),
        ("KUBECTL_AKSARC_SERVER", &["-f", "m.yaml"]),
        ("KUBECTL_AKSARC_QUIET", &["-f", "m.yaml", "-v"]),
        ("KUBECTL_AKSARC_VERBOSE", &["-f", "m.yaml", "-q"]),
        ("KUBECTL_AKSARC_CERTIFICATE_AUTHORITY", &["-f", "m.yaml", "--insecure-skip-tls-verify"]),
    ] {
        let output = program.command().arg("support-check").args(args).env(variable, "x").output().unwrap();
        Ran::of(&output).exits(3);
    }
    let short = |args: &[&str]| {
        let output = program.command().arg("support-check").args(args).env("KUBECTL_AKSARC_OUTPUT", "short").output();
        Ran::of(&output.unwrap()).exits(3).stdout.lines().count()
    };
    assert_eq!(short(&["-f", "m.yaml"]), 1);
    assert!(short(&["-f", "m.yaml", "-o", "table"]) > 1);
}

#[test]
fn bad_manifests_are_told_by_file_and_document() {
    let program = Program::new();
    program.write("m.yaml", &format!("{ADD_ON}---\nmetadata: {{name: x}}\n"));
    assert_bad(program.check(&["-f", "m.yaml"]), "m.yaml, document 2: it has no `kind`");
    program.write("v.yaml", "kind: Pod\n");
    assert_bad(program.check(&["-f", "v.yaml"]), "no `apiVersion`");
    program.write("broken.yaml", "a: [\n");
    assert_bad(program.check(&["-f", "broken.yaml"]), "broken.yaml");
    program.write("scalar.yaml", "just text\n");
    assert_bad(program.check(&["-f", "scalar.yaml"]), "scalar.yaml");
    program.write("empty.yaml", "# nothing\n");
    assert_bad(program.check(&["-f", "empty.yaml"]), "holds no objects");
    assert_bad(program.check(&["-f", "https://example.com/m.yaml"]), "download it first");
    assert_bad(program.check(&["-f", "-"]), "standard input");
}

#[test]
fn files_are_split_at_commas_as_kubectl_splits_them() {
    let program = Program::new();
    program.write("a.yaml", ADD_ON);
    program.write("b.yaml", &ADD_ON.replace("own-agent", "other"));
    let report = program.check(&["-f", "a.yaml,b.yaml", "-o", "json"]).exits(3).json();
    assert_eq!(report["coverage"]["objects"], 2);
    let said = "as with `curl -fsSL https://example.com/m.yaml`";
    assert_bad(program.check(&["-f", "a.yaml,https://example.com/m.yaml"]), said);
}

/// A kubectl, first on the PATH, that records its arguments and then runs the given script.
#[cfg(unix)]
fn with_kubectl(program: &Program, script: &str) -> impl Fn(&[&str]) -> Ran {
    use std::os::unix::fs::PermissionsExt;
    let file = program.write("bin/kubectl", &format!("#!/bin/sh\necho \"$@\" > asked\n{script}\n"));
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", program.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    move |args| Ran::of(&program.command().args(args).env("PATH", &path).output().unwrap())
}

#[cfg(unix)]
#[test]
fn kustomizations_are_built_by_kubectl() {
    let check = ["support-check", "--platform", "azure-local", "-k", "overlay"];
    let program = Program::new();
    program.write("built.yaml", ADD_ON);
    let ran = with_kubectl(&program, "cat built.yaml")(&check).exits(3);
    assert!(ran.stdout.contains("own-agent"), "{}", ran.stdout);
    assert_eq!(program.read("asked"), "kustomize -- overlay\n");
    let program = Program::new();
    assert_bad(with_kubectl(&program, "echo error: no base >&2; exit 1")(&check), "failed: error: no base");
    assert_bad(with_kubectl(&program, "true")(&check), "the output of `kubectl kustomize overlay` holds no objects");
    let alone = program.command().args(check).env("PATH", program.path("nothing")).output().unwrap();
    assert_bad(Ran::of(&alone), "-k needs kubectl on the PATH");
    assert_bad(program.check(&["-k", "https://example.com/base"]), "kubectl kustomize https://example.com/base");
    let ran = program.run(&["support-check", "-k", "a", "-f", "b"]).exits(2);
    assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
    for verb in ["apply", "delete"] {
        let ran = with_kubectl(&program, "echo error: no base >&2; exit 1")(&["dry-run", verb, "-k", "overlay"]);
        assert_bad(ran, "failed: error: no base");
    }
}

#[test]
fn text_of_another_encoding_is_named_with_a_command_that_converts_it() {
    let program = Program::new();
    let latin = [ADD_ON.as_bytes(), b"# caf\xe9\n"].concat();
    std::fs::write(program.path("latin.yaml"), latin).unwrap();
    let wide = [0xfeff].into_iter().chain(ADD_ON.encode_utf16()).flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    std::fs::write(program.path("wide.yaml"), wide).unwrap();
    for flag in ["-f", "--waivers", "--attest", "--versions", "--baseline"] {
        assert_bad(program.check(&[flag, "latin.yaml"]), "latin.yaml is not UTF-8 at line 6: save it as UTF-8");
        assert_bad(program.check(&[flag, "wide.yaml"]), "wide.yaml is UTF-16: save it as UTF-8");
    }
}

#[test]
fn wrong_words_get_a_suggestion() {
    let program = Program::new();
    for (args, word) in [
        (&["support-chek"][..], "support-check"),
        (&["support-check", "--platfrom", "auto"], "--platform"),
        (&["support-check", "--platform", "azure-lokal"], "azure-local"),
        (&["support-check", "--only", "AA20l"], "AA201"),
        (&["support-check", "--skip", "system-label-chnged"], "system-label-changed"),
        (&["explain", "AA30l"], "AA301"),
        (&["support-check", "-o", "jsn"], "json"),
        (&["support-check", "--as-of", "tomorrow"], "2026-12-31"),
        (&["support-check", "--timeout", "soon"], "1m30s"),
        (&["support-check", "--only", "AA201", "--skip", "AA201"], "leave no rule"),
        (&["support-check", "--waivers", "missing.yaml"], "missing.yaml"),
        (&["support-check", "--versions", "missing.yaml"], "missing.yaml"),
        (&["support-check", "--snapshot", "a", "-f", "b"], "cannot be used with"),
        (&["support-check", "--only", "AA999"], "rules list` shows all"),
        (&["support-check", "--snapshot", "a", "--context", "b"], "cannot be used with"),
        (&["support-check", "-q", "-v"], "cannot be used with"),
        (&["snapshot"], "--output"),
        (&[], "Usage"),
    ] {
        let ran = program.run(args).exits(2);
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn waivers_accept_and_tell_when_they_do_nothing() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    let waiver = |name: &str, object: &str, expires: &str| {
        format!(
            "- {{name: {name}, rules: [AA201], match: {{kind: Node, name: {object}}}, reason: moves, ticket: OPS-1, requestedBy: a, approvedBy: b, \
                 notBefore: 2026-05-01T00:00:00Z, expires: {expires}}}\n"
        )
    };
    let file = "apiVersion: aksarc.dev/v1alpha1\nkind: SupportWaiverList\nitems:\n".to_owned()
        + &waiver("good", "moc-l2", "2026-06-20T00:00:00Z")
        + &waiver("unused", "moc-l9", "2026-06-20T00:00:00Z")
        + &waiver("over", "moc-l2", "2026-05-20T00:00:00Z");
    program.write("w.yaml", &file);
    let ran = program.check(&["--waivers", "w.yaml", "--show", "all"]).exits(0);
    assert!(ran.stdout.contains("waived by good until 2026-06-20"), "{}", ran.stdout);
    assert!(ran.stdout.contains("apart from 1 finding waived"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("waiver unused covers nothing")
            && ran.stderr.contains("waiver over does not count: it has expired"),
        "{}",
        ran.stderr
    );
    program.check(&["--waivers", "none"]).exits(3);
    program.write("w.yaml", &file.replace("approvedBy: b", "approvedBy: a"));
    let ran = program.check(&["--waivers", "w.yaml"]).exits(3);
    assert!(ran.stderr.contains("does not count: requestedBy and approvedBy are the same"), "{}", ran.stderr);
    program.write("w.yaml", "kind: Pizza\n");
    assert_bad(program.check(&["--waivers", "w.yaml"]), "w.yaml");
}

#[test]
fn files_are_whole_or_not_there() {
    let server = Server::of(Cluster::outside());
    let program = Program::at(&server.url());
    let ran = program.check(&["-o", "json", "--output-file", "out.json", "--save", "save.json"]).exits(3);
    assert_eq!(ran.stdout, "");
    assert_eq!(program.read("out.json"), program.read("save.json"));
    assert_holds(program.dir.path(), &["kubeconfig", "out.json", "save.json"]);
    let ran = program.check(&["--output-file", "no/such/dir"]).exits(1);
    assert!(ran.stderr.contains("cannot write no/such/dir"), "{}", ran.stderr);
    let ran = program.check(&["--output-file", "/dev/full"]).exits(1);
    assert!(ran.stderr.contains("cannot write /dev/full"), "{}", ran.stderr);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = program.command().args(["version"]).stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let program = Program::new();
    let mut child = program.command().args(["rules", "coverage"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_signal_ends_with_its_code_and_leaves_nothing_behind() {
    const HANGS: [&str; 2] = ["/api", "/api/v1/nodes"];
    let cluster = Cluster::healthy();
    let server =
        Server::start(
            move |request, _| {
                if HANGS.contains(&&*request.path) { Reply::Hang(Vec::new()) } else { cluster.answer(request) }
            },
        );
    for (args, signal) in [
        (&["support-check", "--save", "save", "--output-file", "out", "--status-file", "status"][..], "INT"),
        (&["dry-run", "label", "node", "moc-l1", "a=b", "--status-file", "status"], "INT"),
        (&["snapshot", "-o", "s.tar.gz"], "INT"),
        (&["snapshot", "-o", "s"], "TERM"),
        (&["support-check", "--status-file", "status"], "TERM"),
    ] {
        let code = if signal == "INT" { 130 } else { 143 };
        let program = Program::at(&server.url());
        let before = server.requests().len();
        let mut child = program.command().args(args).stderr(std::process::Stdio::null()).spawn().unwrap();
        while !server.requests().iter().skip(before).any(|request| HANGS.contains(&&*request.path)) {
            assert!(child.try_wait().unwrap().is_none(), "{args:?} ended early");
            std::thread::yield_now();
        }
        std::process::Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{args:?} {signal}");
        if args.contains(&"--status-file") {
            assert!(program.read("status").contains(&format!("\"exitCode\":{code}")));
            std::fs::remove_file(program.path("status")).unwrap();
        }
        assert_holds(program.dir.path(), &["kubeconfig"]);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_where_it_can_be_and_never_holds_up_a_signal() {
    let program = Program::new();
    std::process::Command::new("mkfifo").arg(program.path("pipe")).status().unwrap();
    let snapshot = program.run(&["support-check", "--snapshot", "pipe"]).exits(2).stderr;
    assert!(snapshot.contains("neither a file nor a directory"), "{snapshot}");
    std::fs::create_dir(program.path("some")).unwrap();
    std::process::Command::new("mkfifo").arg(program.path("some/pipe.yaml")).status().unwrap();
    for flag in ["-f", "--snapshot"] {
        let within = program.run(&["support-check", flag, "some"]).exits(2).stderr;
        assert!(within.contains("pipe.yaml is no regular file"), "{within}");
    }
    for flag in ["-f", "--waivers", "--attest", "--versions", "--baseline"] {
        let args = ["support-check", flag, "pipe", "--status-file", "status"];
        let mut child = program.command().args(args).stderr(std::process::Stdio::null()).spawn().unwrap();
        // Opening a pipe for writing waits for its reader, so from here on the program reads.
        let held = std::fs::File::options().write(true).open(program.path("pipe")).unwrap();
        std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(143), "{flag}");
        drop(held);
        assert!(program.read("status").contains("\"exitCode\":143"), "{flag}");
    }
    // The file descriptor that a shell passes for <(...).
    let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}});
    let mut child = program.command();
    let child = child.args(["support-check", "-f", "pipe", "--platform", "azure-local"]).spawn();
    std::fs::write(program.path("pipe"), manifest.to_string()).unwrap();
    assert_eq!(child.unwrap().wait().unwrap().code(), Some(0));
}

#[test]
fn a_line_that_is_refused_leaves_no_old_status() {
    let program = Program::new();
    for (args, kind) in [
        (&["support-check", "--status-file", "status", "--platform", "moon"][..], "SupportCheckStatus"),
        (&["dry-run", "label", "--status-file=status", "--moon"], "DryRunStatus"),
    ] {
        program.write("status", "{\"exitCode\":0}");
        program.run(args).exits(2);
        let status: Value = serde_json::from_str(&program.read("status")).unwrap();
        assert_eq!((status["exitCode"].as_i64(), status["kind"].as_str()), (Some(2), Some(kind)));
    }
    program.write("status", "old");
    program.run(&["support-check", "--status-file", "status", "--help"]).exits(0);
    assert_eq!(program.read("status"), "old");
}

#[test]
fn rules_are_listed_shown_and_held_against_the_clauses() {
    let program = Program::new();
    let coverage = program.run(&["rules", "coverage", "-o", "json"]).exits(0).json();
    let clauses = coverage["items"].as_array().unwrap();
    assert_eq!(clauses.len(), 39);
    let decided = clauses.iter().filter(|clause| clause["decided"] == true).count();
    let by = |id: &str| clauses.iter().find(|clause| clause["id"] == id).unwrap();
    assert!(by("C23")["settledBy"].as_str().unwrap().contains("microsoft-directed"));
    assert_eq!((&by("C36")["askedAs"], &by("C35")["askedAs"]), (&"C35".into(), &"C35".into()));
    let screen = program.run(&["rules", "coverage"]).exits(0).stdout;
    assert!(screen.contains(&format!(": {decided} of 39\n")), "{screen}");
    // C35 and C36: AA604 rests on people's answers alone.
    assert!(screen.contains("34 decided by rules, 2 by somebody's answer alone, "), "{screen}");
    let page = program.run(&["explain", "AA607"]).exits(0).stdout;
    assert!(page.contains("Known issues") && page.contains("sixty-days-without-upgrade"), "{page}");
    assert!(!program.run(&["explain", "AA503"]).exits(0).stdout.contains("Known issues"));
    let rules = program.run(&["rules", "list", "-o", "json"]).exits(0).json();
    let codes: Vec<&str> =
        rules["items"].as_array().unwrap().iter().map(|rule| rule["code"].as_str().unwrap()).collect();
    let table = program.run(&["rules", "list"]).exits(0).stdout;
    for code in codes {
        assert!(table.contains(code));
        let shown = program.run(&["rules", "show", code]).exits(0).stdout;
        assert!(shown.starts_with(code) && shown == program.run(&["explain", code]).exits(0).stdout);
    }
}

#[test]
fn completion_scripts_and_kubectls_protocol() {
    let program = Program::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(program.run(&["completion", shell]).exits(0).stdout.contains("support-check"), "{shell}");
    }
    program.run(&["completion", "tcsh"]).exits(2);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl_complete-aksarc"))
        .args(["support-check", "--platform", "win"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "windows-server\n:4\n");
}

#[test]
fn levels_are_kubectls_and_requests_are_told_from_6_on() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    for level in [&["-v"][..], &["-v=6"], &["-v", "6"], &["-v9"], &["--v=8"], &["--v", "7"], &["--verbose=6"]] {
        let told = program.check(level).exits(0).stderr;
        let line = told.lines().find(|line| line.starts_with("GET /api/v1/nodes?")).unwrap_or_default();
        let words: Vec<&str> = line.split(' ').skip(2).collect();
        assert!(matches!(words[..], ["200", "in", _, "milliseconds"]), "{level:?}: {told}");
        assert!(!told.contains("secret"), "{told}");
    }
    for level in [&["-v=0"][..], &["-v", "5"], &["--v=1"]] {
        assert!(!program.check(level).exits(0).stderr.contains("GET "), "{level:?}");
    }
    let ran = program.check(&["-v=x"]).exits(2);
    assert!(ran.stderr.contains("expected a level"), "{}", ran.stderr);
}

#[test]
fn flags_of_the_cluster_may_stand_before_the_command() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    program.run(&["--context", "test", "-q", "support-check", "--platform", "azure-local"]).exits(0);
    let ran = program.run(&["--context", "other", "support-check", "--status-file", "status"]);
    assert!(ran.stderr.contains("no context \"other\""), "{}", ran.stderr);
    program.write("status", "old");
    program.run(&["--context", "test", "support-check", "--status-file", "status", "--elephant"]).exits(2);
    assert!(program.read("status").contains("\"exitCode\":2"));
    program.run(&["--context", "test", "version"]).exits(2);
}

#[test]
fn files_are_told_with_their_flag() {
    let program = Program::new();
    program.write("m.yaml", ADD_ON);
    for flag in ["--waivers", "--attest", "--versions", "--baseline"] {
        assert_bad(program.check(&[flag, "nofile", "-f", "m.yaml"]), &format!("error: {flag}: cannot read"));
    }
    for flag in ["--snapshot", "-f"] {
        assert_bad(program.check(&[flag, "nofile"]), &format!("error: {flag}: cannot read nofile"));
    }
    let dry_run = |flag: &str| program.run(&["dry-run", "patch", "node", "a", flag, "nofile"]);
    assert_bad(dry_run("--patch-file"), "--patch-file: cannot read nofile");
    program.write("d/bad.yaml", "a: [\n");
    assert_bad(program.check(&["-f", "d"]), "cannot read d/bad.yaml");
    program.write("s/bad.yaml", "a: [\n");
    assert_bad(program.check(&["--snapshot", "s"]), "--snapshot: cannot use snapshot s: cannot read s/bad.yaml");
    program.write("all/one/index.json", "{}");
    program.write("all/two/index.json", "{}");
    assert_bad(program.check(&["--snapshot", "all"]), "holds snapshots of its own, such as all/one: give one of them");
    let ran = program.check(&["s"]).exits(2);
    assert!(
        ran.stderr.contains("'s' is a path: a snapshot is given by --snapshot, manifests by --filename"),
        "{}",
        ran.stderr
    );
}

#[test]
fn names_of_contexts_and_objects_are_completed_and_a_server_that_hangs_is_not_waited_for() {
    let server = Server::of(Cluster::healthy());
    let program = Program::at(&server.url());
    let complete = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl_complete-aksarc"));
        command.args(words).env_clear().env("HOME", program.dir.path()).env("KUBECONFIG", program.path("kubeconfig"));
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        String::from_utf8(output.stdout).unwrap()
    };
    let contexts = complete(&["support-check", "--context", ""]);
    assert!(contexts.lines().count() > 1 && contexts.ends_with(":4\n"), "{contexts}");
    let nodes = complete(&["dry-run", "label", "no", ""]);
    assert!(nodes.lines().count() > 1 && nodes.ends_with(":4\n"), "{nodes}");
    assert!(server.requests().iter().all(|request| request.method == "GET" && request.path == "/api/v1/nodes"));
    assert!(complete(&["dry-run", "delete", "--namespace", "kube"]).contains("kube-system\n"));
    assert_eq!(complete(&["dry-run", "label", "no", "--server", "http://127.0.0.1:1", ""]), ":4\n");
    let hangs = Server::start(|_, _| Reply::Hang(Vec::new()));
    let begun = std::time::Instant::now();
    assert_eq!(complete(&["dry-run", "label", "no", "--server", &hangs.url(), ""]), ":4\n");
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_server_that_asks_to_wait_is_not_waited_for_in_silence() {
    let cluster = Cluster::healthy();
    let server = Server::start(move |request, before| match (&*request.path, before) {
        ("/version", 0) => Reply::With(429, "Retry-After: 2\r\n", status(429, "TooManyRequests", "busy")),
        _ => cluster.answer(request),
    });
    let program = Program::at(&server.url());
    let ran = program.check(&["-o", "short"]);
    assert!(ran.stderr.contains("note: the server is busy and asks to wait"), "{}", ran.stderr);
    assert!(!program.check(&["-o", "short", "-q"]).stderr.contains("busy"));
}
