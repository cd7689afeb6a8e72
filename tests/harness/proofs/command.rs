//! The commands that findings print, as a person would paste them.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::wait;

/// The words of a command for kubectl, without `kubectl`. `None` for other programs, and where the reader is to fill
/// something in, which stands in capitals.
pub(super) fn runnable(line: &str) -> Option<Vec<String>> {
    let words = split(line.strip_prefix("kubectl ")?)?;
    let to_fill_in = |word: &String| {
        let mut parts = word.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        parts.any(|part| part.len() >= 3 && part.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
    };
    // Inside quotes or a JSON document capitals are values.
    (!words.iter().any(|word| !word.contains(['{', '\n']) && to_fill_in(word))).then_some(words)
}

/// As a POSIX shell splits what holds neither variables nor pipes.
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(letters.next()?),
            (None, ' ' | '\t' | '\n') => words.extend(word.take()),
            (None, '|' | ';' | '&' | '$' | '<' | '>' | '`') => return None,
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
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
        // What cannot be read is no reason to hide how it ended.
        let _ = stderr.read_to_string(&mut text);
    }
    text
}

const LIMIT: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_splits_as_a_shell_splits_it() {
        let words = split(r#"label node a 'b c'="d e" f\ g '' --x"#).unwrap();
        assert_eq!(words, ["label", "node", "a", "b c=d e", "f g", "", "--x"]);
        assert_eq!(split("get pods | wc"), None);
        assert_eq!(split("label 'open"), None);
    }

    #[test]
    fn what_the_reader_fills_in_is_not_run() {
        assert_eq!(runnable("kubectl label node n1 YOUR.DOMAIN/KEY=VALUE"), None);
        assert_eq!(runnable("az aksarc upgrade --name CLUSTER"), None);
        assert_eq!(runnable("kubectl taint node n1 a=b:NoExecute").unwrap().len(), 4);
        assert!(runnable(r#"kubectl patch node n1 -p '{"spec":{"MODE":"ALL"}}'"#).is_some());
    }
}
