//! The commands that findings print, in the form in which people paste them.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::wait;

/// The commands of one finding that a person would paste to make it go away, in their order: none where none of them
/// does, and none that is for another program than kubectl or that leaves something to fill in.
pub(super) fn cures(finding: &Value) -> Vec<Fix> {
    let fixes: Vec<Fix> = finding["fix"].as_array().into_iter().flatten().filter_map(Fix::of).collect();
    if fixes.iter().any(|fix| fix.clears) { fixes } else { Vec::new() }
}

/// A command as a report carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fix {
    /// The command as the screen shows it, without the remark behind it.
    pub(super) line: String,
    words: Vec<String>,
    /// The place of the object's name, where one command may stand for several objects.
    name_at: Option<usize>,
    clears: bool,
}

impl Fix {
    fn of(value: &Value) -> Option<Self> {
        let words: Vec<String> = serde_json::from_value(value["argv"].clone()).ok()?;
        (words.first()? == "kubectl" && value["fillIn"].is_null()).then(|| Fix {
            line: value["line"].as_str().unwrap_or_default().to_owned(),
            clears: value["clears"] == true,
            name_at: value["nameAt"].as_u64().and_then(|place| usize::try_from(place).ok()),
            words,
        })
    }

    /// Whether a line of the screen is this command, alone or together with others that differ in the object's name only.
    pub(super) fn is_on(&self, line: &str) -> bool {
        let ends = |rest: &str| rest.is_empty() || rest.starts_with("  # ");
        if line.strip_prefix(&*self.line).is_some_and(ends) {
            return true;
        }
        let name = self.name_at.and_then(|place| self.words.get(place));
        let Some((before, name)) = name.and_then(|name| Some((self.line.split_once(&format!(" {name}"))?.0, name)))
        else {
            return false;
        };
        let behind = self.line.get(before.len() + 1 + name.len()..).unwrap_or_default();
        let (command, _) = line.split_once("  # ").unwrap_or((line, ""));
        let names = command.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
        names.is_some_and(|names| names.split(' ').any(|other| other == name))
    }

    /// The words as our own dry run takes them: the verb first. `None` for verbs that it does not rehearse.
    pub(super) fn rehearsed(&self) -> Option<Vec<String>> {
        let words = self.words.get(1..)?;
        let (namespace, words) = match words {
            [flag, namespace, rest @ ..] if flag == "-n" => (Some(namespace), rest),
            rest => (None, rest),
        };
        let verb = words.first()?;
        let known = ["annotate", "delete", "label", "patch", "scale", "taint"];
        known.contains(&&**verb).then(|| {
            let namespace = namespace.into_iter().flat_map(|namespace| ["-n".to_owned(), namespace.clone()]);
            words.iter().cloned().chain(namespace).collect()
        })
    }
}

/// The lines behind `fix` on a screen, each with all that stands on it.
pub(super) fn printed(screen: &str) -> Vec<&str> {
    screen.lines().filter_map(|line| line.strip_prefix("    fix   ")).collect()
}

/// Runs it to its end while `meanwhile` goes on: a drain waits for kubelets.
pub(super) fn run(command: &mut Command, mut meanwhile: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let line = format!("{command:?}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {line}"))?;
    let ended = wait::until(&line, LIMIT, || match (child.try_wait(), meanwhile()) {
        (Err(error), _) => Err(error.to_string()),
        (_, Err(error)) => Err(format!("{error:#}")),
        (Ok(None), _) => Err("it still runs".to_owned()),
        (Ok(Some(status)), _) => Ok(status),
    });
    let Ok(status) = ended else {
        child.kill()?;
        child.wait()?;
        bail!("{:#}: {}", ended.map_or_else(|error| error, |_| anyhow::anyhow!("ended")), said(&mut child));
    };
    if !status.success() {
        bail!("{line} ended with {status}: {}", said(&mut child));
    }
    Ok(())
}

fn said(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(stderr) = &mut child.stderr {
        // An unreadable output must not hide the exit code.
        let _ = stderr.read_to_string(&mut text);
    }
    text
}

const LIMIT: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_commands_that_clear_a_finding_are_pasted() {
        let fix = |argv: Value, clears: bool| json!({"argv": argv, "line": "x", "clears": clears});
        let of = |fixes: &[Value]| cures(&json!({"fix": fixes})).len();
        let (look, cure) =
            (fix(json!(["kubectl", "get", "nodes"]), false), fix(json!(["kubectl", "delete", "x"]), true));
        let mut blank = cure.clone();
        blank["fillIn"] = json!(["GROUP"]);
        assert_eq!(of(std::slice::from_ref(&look)), 0);
        assert_eq!(of(&[look, cure.clone()]), 2);
        assert_eq!(of(&[blank, fix(json!(["az", "aksarc"]), true), cure]), 1);
    }

    #[test]
    fn the_verb_comes_first_for_the_dry_run() {
        let fix = Fix::of(&json!({"argv": ["kubectl", "-n", "shop", "delete", "pod", "x"], "clears": true})).unwrap();
        assert_eq!(fix.rehearsed().unwrap(), ["delete", "pod", "x", "-n", "shop"]);
        let fix = Fix::of(&json!({"argv": ["kubectl", "drain", "x"], "clears": true})).unwrap();
        assert_eq!(fix.rehearsed(), None);
    }

    #[test]
    fn a_command_stands_for_several_objects() {
        let argv = json!(["kubectl", "label", "node", "a", "x=y", "--overwrite"]);
        let value = json!({"argv": argv, "line": "kubectl label node a x=y --overwrite", "clears": true, "nameAt": 3});
        let fix = Fix::of(&value).unwrap();
        for line in ["kubectl label node a x=y --overwrite", "kubectl label node b a x=y --overwrite  # slow"] {
            assert!(fix.is_on(line), "{line}");
        }
        for line in [
            "kubectl label node b x=y --overwrite",
            "kubectl label node ab x=y --overwrite",
            "kubectl label node a x=z",
        ] {
            assert!(!fix.is_on(line), "{line}");
        }
    }

    #[test]
    fn the_commands_behind_fix_are_read_from_the_screen() {
        let screen =
            "    why   x\n    fix   kubectl delete node x  # destroys it\n    more  kubectl aksarc explain AA401\n";
        assert_eq!(printed(screen), ["kubectl delete node x  # destroys it"]);
    }
}
