//! Every command of README.md does what README.md says: the test types them into bash in a clean clone, one after the
//! other.
//!
//! A new command needs nothing here, unless it ends with another code than 0 or cannot be run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod readme {
    pub(crate) mod commands;
    pub(crate) mod listed;
    pub(crate) mod newcomer;
}

use std::fmt::Write;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use aksarc_tests::{Identity, samples};
use readme::commands::{self, Command};
use readme::listed::{Ends, Excepted, Listed};
use readme::newcomer::Newcomer;

const LISTED: Listed<'static> = Listed {
    excepted: &[
        Excepted { command: "cargo test --workspace", reason: "this test is part of it" },
        Excepted {
            command: "docker build -f deploy/image/Dockerfile -t REGISTRY/aksarc-webhook:TAG .",
            reason: "needs a container engine, and images from a registry",
        },
        Excepted {
            command: "helm install guard deploy/chart --set image.registry=REGISTRY --set image.tag=TAG",
            reason: "its policies refuse commands further down",
        },
        Excepted {
            command: "helm upgrade guard deploy/chart --reuse-values --set config.mode=warn --set config.platform=azure-local",
            reason: "its hooks need pods that run",
        },
        Excepted {
            command: "helm upgrade guard deploy/chart --reuse-values --set check.enabled=true",
            reason: "its hooks need pods that run; e2e_check_job runs the check",
        },
        Excepted {
            command: "helm uninstall guard",
            reason: "its hooks need pods that run; e2e_chart removes the chart",
        },
    ],
    ends: &[
        Ends {
            command: "cargo run --release -p kubectl-aksarc -- support-check --snapshot tests/clusters/drifted",
            code: 3,
            words: "It ends with exit code 3",
        },
        Ends {
            command: "kubectl aksarc dry-run label node moc-l3xk9p0bd7t node.kubernetes.io/instance-type=Standard_A8_v2 \
                      --overwrite   # exit code 3: outside",
            code: 3,
            words: "# exit code 3: outside",
        },
        Ends {
            command: "kubectl aksarc guard status   # exit code 1: no replica is ready",
            code: 1,
            words: "# exit code 1: no replica is ready",
        },
        Ends {
            command: "kubectl aksarc guard test   # exit code 1: not armed",
            code: 1,
            words: "# exit code 1: not armed",
        },
    ],
};

#[test]
fn every_command_does_what_the_readme_says() {
    let newcomer = &Newcomer::new().unwrap();
    let readme = newcomer.read("README.md").unwrap();
    let commands = commands::parse(&readme).unwrap();
    let cluster = samples::start(SAMPLE).unwrap();
    let mut kubelets = samples::Player::after(&cluster, SAMPLE).unwrap();
    newcomer.join(&cluster, &Identity::Person, "contoso-edge").unwrap();
    let mut wrong = String::new();
    for command in commands.iter().filter(|command| !LISTED.is_excepted(command)) {
        let day = commands::day(&readme).unwrap();
        let finished = thread::scope(|scope| {
            let (done, typed) = mpsc::channel();
            scope.spawn(move || done.send(newcomer.types(&command.text, day)));
            // A deletion waits for pods, which end when their kubelet says so.
            loop {
                match typed.recv_timeout(LOOK) {
                    Ok(finished) => break finished.unwrap(),
                    Err(RecvTimeoutError::Timeout) => kubelets.look().unwrap(),
                    Err(RecvTimeoutError::Disconnected) => panic!("nobody typed {}", command.text),
                }
            }
        });
        let code = LISTED.code(command);
        if finished.code != Some(code) {
            let ended = finished.code.map_or("by a signal".to_owned(), |code| format!("with {code}"));
            writeln!(
                wrong,
                "$ {}\nended {ended}, not with {code}:\n{}{}",
                command.text, finished.stdout, finished.stderr
            )
            .unwrap();
        }
        if let Some(screen) = command.screen.as_ref().filter(|screen| !commands::shows(screen, &finished.stdout)) {
            writeln!(wrong, "$ {}\nprinted:\n{}\nand README.md shows:\n{screen}", command.text, finished.stdout)
                .unwrap();
        }
    }
    assert!(wrong.is_empty(), "README.md says what is not so:\n\n{wrong}");
    // "That puts two programs into `~/.cargo/bin`", and the guard's section a third.
    assert_eq!(newcomer.programs().unwrap(), ["aksarc-webhook", "kubectl-aksarc", "kubectl_complete-aksarc"]);
}

#[test]
fn commands_listed_here_stand_in_the_readme() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let commands = commands::parse(&readme).unwrap();
    assert_eq!(LISTED.stale(&readme, &commands), [""; 0]);
    // The screen is the first command's, whose day is in the text before it.
    assert_eq!(commands.iter().position(|command| command.screen.is_some()), Some(0));
    commands::day(&readme).unwrap();
}

#[test]
fn commands_are_told_apart_as_bash_does() {
    let readme = "Text.\n\n```console\nmake all   # everything\nmake \\\n  more\n\ncat <<END >file\nEND of it\nEND\necho 'a\nb'\n```\n\
                  1. In a list:\n\n   ```console\n   make none\n   ```\n\
                  <!-- screen:begin -->\n```text\na\n\n…\n\nb\n```\n<!-- screen:end -->\n```text\nno screen\n```\n";
    let commands = commands::parse(readme).unwrap();
    let texts: Vec<_> = commands.iter().map(|command| &*command.text).collect();
    assert_eq!(
        texts,
        ["make all   # everything", "make \\\n  more", "cat <<END >file\nEND of it\nEND", "echo 'a\nb'", "make none"]
    );
    let screens: Vec<_> = commands.into_iter().map(|command| command.screen).collect();
    assert_eq!(screens, [None, None, None, None, Some("a\n\n…\n\nb".to_owned())]);
    for (readme, words) in [
        ("```sh\nmake\n```\n", "a block of \"sh\""),
        ("```\nmake\n```\n", "a block of \"\""),
        ("```console\necho 'a\n```\n", "does not find the end of this command:\necho 'a"),
        ("<!-- screen:begin -->\n```text\na\n```\n", "a screen before the first command"),
    ] {
        let error = commands::parse(readme).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_screen_shows_all_but_what_it_leaves_out() {
    assert!(commands::shows("a\nb", "a\nb\n"));
    assert!(commands::shows("a\n\n…\n\nd", "a\n\nb\n\nc\n\nd\n"));
    for (screen, printed) in [
        ("a\nb", "a\n"),
        ("a", "a\nb\n"),
        ("a\n\n…\n\nd", "a\n\nb\n"),
        ("a\n\n…\n\nd", "b\n\nd\n"),
        ("a\n\n…\n\nd", "a\n\n\n\nd\n"),
    ] {
        assert!(!commands::shows(screen, printed), "{screen:?} {printed:?}");
    }
}

#[test]
fn an_entry_without_a_command_is_stale() {
    let commands = [Command { text: "make   # code 1".to_owned(), screen: None }];
    let stale = |command: &'static str, reason: &'static str, words: &'static str| {
        let (excepted, ends) = ([Excepted { command, reason }], [Ends { command, code: 1, words }]);
        Listed { excepted: &excepted, ends: &ends }.stale("make   # code 1", &commands)
    };
    assert_eq!(stale("make   # code 1", "long", "code 1"), [""; 0]);
    assert_eq!(
        stale("make", "", "code 2"),
        [
            "excepted, but no command of README.md: make",
            "excepted without a reason: make",
            "to end with 1, but no command of README.md: make",
            "README.md does not say \"code 2\", and this is to end with 1: make",
        ]
    );
}

/// The cluster for the commands.
const SAMPLE: &str = "healthy-azure-local";

/// The time between two plays of the kubelets while a command runs.
const LOOK: Duration = Duration::from_secs(1);
