//! A program that shows a long text on a terminal, screen by screen.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::{Command, Stdio};

use super::ui::Ui;

/// Hands a text to the pager, and waits for its end. Returns whether it was shown, which it is not without a terminal,
/// without a pager, or where it fits the screen.
pub(crate) fn show(text: &str, ui: &Ui) -> bool {
    let rows = terminal_size::terminal_size_of(io::stdout()).map(|(_, rows)| usize::from(rows.0));
    let is_long = rows.is_some_and(|rows| text.lines().count() >= rows);
    if !io::stdout().is_terminal() || !is_long {
        return false;
    }
    let variable = |name: &str| std::env::var(name).ok();
    let Some(words) = choose(variable("KUBECTL_AKSARC_PAGER"), variable("PAGER")) else { return false };
    let Some((program, arguments)) = words.split_first() else { return false };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // git does the same: colours are shown, and the text stays on the screen.
        command.env("LESS", "FRX");
    }
    let Ok(mut child) = command.spawn() else { return false };
    if let Some(mut stdin) = child.stdin.take() {
        let is_less = program.rsplit('/').next() == Some("less");
        let text =
            if is_less && ui.is_colored() { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() };
        // A reader may leave the pager before the end.
        let _left = stdin.write_all(text.as_bytes());
    }
    child.wait().is_ok()
}

/// The words of the pager's command: our own variable counts before `PAGER`, and that before `less`. An empty one and
/// `cat` are none.
fn choose(own: Option<String>, general: Option<String>) -> Option<Vec<String>> {
    let fallback = if cfg!(unix) { "less" } else { "" };
    let command = own.or(general).unwrap_or_else(|| fallback.to_owned());
    let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    Some(words).filter(|words| words.first().is_some_and(|first| first != "cat"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_variable_takes_precedence_over_pager() {
        let given = |text: &str| Some(text.to_owned());
        assert_eq!(choose(given("most"), given("more")).unwrap(), ["most"]);
        assert_eq!(choose(None, given("less -S")).unwrap(), ["less", "-S"]);
        for none in ["", " ", "cat"] {
            assert_eq!(choose(given(none), given("more")), None);
        }
        assert_eq!(choose(None, None).is_some(), cfg!(unix));
    }
}
