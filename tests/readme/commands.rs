//! The commands of a README, and what it shows of their output.

use std::process::{Command as Process, Stdio};

use anyhow::{Context, bail, ensure};

/// A command of a `console` block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Command {
    /// The command as printed, with the comment behind it; several lines where it goes on over them.
    pub(crate) text: String,
    /// The output that the README shows, with `…` for what is left out.
    pub(crate) screen: Option<String>,
}

/// The commands of a README in its order.
///
/// # Errors
/// A block is of a language that may hide commands from this, or a command or block does not end.
pub(crate) fn parse(readme: &str) -> anyhow::Result<Vec<Command>> {
    let mut commands: Vec<Command> = Vec::new();
    let mut is_screen = false;
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        match line {
            SCREEN_BEGINS => is_screen = true,
            SCREEN_ENDS => is_screen = false,
            _ => {}
        }
        // In a list, a block stands as far in as the list's text.
        let (indent, fence) = line.split_at(line.len() - line.trim_start().len());
        let Some(language) = fence.strip_prefix(FENCE) else { continue };
        let block = lines.by_ref().take_while(|line| line.trim() != FENCE);
        let block: Vec<&str> = block.map(|line| line.strip_prefix(indent).unwrap_or(line)).collect();
        match language {
            "console" => commands.extend(block_commands(&block)?),
            "text" if is_screen => {
                let last = commands.last_mut().context("a screen before the first command")?;
                last.screen = Some(block.join("\n"));
            }
            "json" | "text" | "yaml" => {}
            other => bail!("a block of {other:?}: commands stand in blocks of \"console\", all else in \"text\""),
        }
    }
    Ok(commands)
}

/// The day of the screen: `This is its output of 2026-11-27, …`.
///
/// # Errors
/// No such words.
pub(crate) fn day(readme: &str) -> anyhow::Result<&str> {
    let (_, rest) = readme.split_once(DAY).with_context(|| format!("no words {DAY:?}"))?;
    rest.get(.."2026-11-27".len()).with_context(|| format!("no day after {DAY:?}"))
}

/// Whether `printed` is what `screen` shows: the same, but for what `…` on a line of its own leaves out.
pub(crate) fn shows(screen: &str, printed: &str) -> bool {
    let Some((head, tail)) = screen.split_once("\n…\n") else { return screen == printed.trim_end() };
    let rest = printed.trim_end().strip_prefix(head).and_then(|rest| rest.strip_suffix(tail));
    rest.is_some_and(|left_out| !left_out.trim().is_empty())
}

/// One line each, unless bash waits for more.
fn block_commands(lines: &[&str]) -> anyhow::Result<Vec<Command>> {
    let mut commands = Vec::new();
    let mut text = String::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        text += line;
        if is_complete(&text)? {
            commands.push(Command { text: std::mem::take(&mut text), screen: None });
        } else {
            text.push('\n');
        }
    }
    ensure!(text.is_empty(), "bash does not find the end of this command:\n{text}");
    Ok(commands)
}

/// Bash complains of an open quote or loop, warns of an open here-document, and is silent on a backslash at the end.
fn is_complete(text: &str) -> anyhow::Result<bool> {
    if text.ends_with('\\') {
        return Ok(false);
    }
    let output =
        Process::new("bash").args(["-n", "-c", text]).stdin(Stdio::null()).output().context("cannot run bash")?;
    Ok(output.status.success() && output.stderr.is_empty())
}

const DAY: &str = "This is its output of ";
const FENCE: &str = "```";
const SCREEN_BEGINS: &str = "<!-- screen:begin -->";
const SCREEN_ENDS: &str = "<!-- screen:end -->";
