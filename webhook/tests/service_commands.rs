//! The subcommands: their output and their exit codes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

const HEAD: &str = "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\n";

/// The end of a command: exit code, standard output, standard error.
fn run(args: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_aksarc-webhook"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn written(directory: &Path, name: &str, content: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn check_config_tells_in_words_what_a_configuration_does() {
    let config = format!(
        "{HEAD}mode: enforce\nplatform: azure-local\nrules: {{AA208: record, AA702: warn}}\nactors:\n  people:\n    users: [argocd]\n"
    );
    let (code, out, err) = run(&["check-config", "-"], &config);
    assert_eq!((code, &*err), (0, ""));
    for line in [
        "note: rules: AA702 has the mode warn",
        "the configuration can be used\n",
        "  mode: enforce\n",
        "  platform: azure-local\n",
        "2 of them with a mode of your own\n",
        "  actors: 0 of your own are the platform, 1 are people\n",
        "warned of, never refused: deletes and kubectl scale by system:masters",
        "  waivers: 0, 0 of them over\n",
    ] {
        assert!(out.contains(line), "{line:?} is not in\n{out}");
    }
    // The manifest of a ConfigMap, as people keep it in git.
    let map = |key: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "guard"}, "data": {key: config}})
            .to_string()
    };
    assert_eq!(run(&["check-config", "-"], &map("guard.yaml")), (0, out, String::new()));
    let (code, _, err) = run(&["check-config", "-"], &map("config.yaml"));
    assert_eq!(code, 2);
    assert!(err.contains("the ConfigMap has no key guard.yaml"), "{err}");
    let deny = format!("{HEAD}actors: {{ambiguous: deny}}\n");
    assert!(run(&["check-config", "-"], &deny).1.contains("refused where a person's would be"));
}

#[test]
fn a_setting_that_cannot_be_meant_is_refused_by_name() {
    for (rest, says) in [
        ("mode: enforced\n", "unknown variant `enforced`, expected one of enforce, observe, warn at line 3"),
        ("rules: {AA999: warn}\n", "rules: no rule is called \"AA999\""),
        ("actors: {platform: {groups: [system:authenticated]}}\n", "the guard would judge nobody"),
        ("actors: {platform: {groups: [system:serviceaccounts]}}\n", "the guard would judge nobody"),
        ("actors: {platform: {users: ['system:*']}}\n", "no name has a star in it"),
        ("actors: {people: {users: ['']}}\n", "a name is empty"),
        (
            "components: [{product: x, prefix: '', kinds: [ConfigMap], namespaces: [kube-system]}]\n",
            "components: x: exactly one of name and prefix is needed, and it must not be empty",
        ),
    ] {
        let (code, out, err) = run(&["check-config", "-"], &format!("{HEAD}{rest}"));
        assert_eq!((code, &*out), (2, ""), "{rest}");
        assert!(err.contains(says) && !err.contains("not YAML"), "{rest}: {err}");
        assert_eq!(err.matches(says).count(), 1, "{err}");
    }
}

#[test]
fn a_manifest_is_made_only_with_an_image_and_with_nothing_but_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    for (name, content, says) in [
        ("key", key.serialize_pem(), "holds no certificate in PEM"),
        ("both", certificate.clone() + &key.serialize_pem(), "holds a private key"),
        ("none", "hello".to_owned(), "holds no certificate in PEM"),
        ("broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), "no certificate"),
    ] {
        let file = written(directory.path(), name, &content);
        let (code, out, err) = run(&["manifest", "--ca-file", file.to_str().unwrap()], "");
        assert_eq!((code, &*out), (1, ""), "{name}");
        assert!(err.contains(says) && err.contains(name), "{name}: {err}");
    }
    let good = written(directory.path(), "good", &certificate);
    let (code, out, _) = run(&["manifest", "--ca-file", good.to_str().unwrap()], "");
    assert!(code == 0 && out.contains("    caBundle: LS0t") && out.contains("secretName: guard-tls"), "{out}");
    let (code, out, err) = run(&["manifest", "--image", " "], "");
    assert_eq!((code, &*out), (1, ""));
    assert!(err.contains("--image is empty"), "{err}");
}
