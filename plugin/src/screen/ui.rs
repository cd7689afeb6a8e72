//! The output streams: results go to stdout, everything else to stderr, each through one writer.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use anstream::{AutoStream, ColorChoice};

use super::grid::Headings;
use super::style::Look;
use crate::cli::exit::Failure;

/// The two streams, and the abilities of their terminals.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for a flag of its own")]
pub struct Ui {
    /// The name with which this program was called: `kubectl aksarc` or `kubectl-aksarc`.
    pub name: &'static str,
    /// Whether only ASCII is printed.
    pub ascii: bool,
    /// The columns of the terminal on stdout; `None` when it is not a terminal.
    pub width: Option<usize>,
    /// Whether only errors go to stderr.
    pub quiet: bool,
    /// Whether requests and decisions go to stderr.
    pub verbose: bool,
    /// Whether a line on stderr may be rewritten.
    pub progress: bool,
    /// Whether lists have headings.
    pub headings: Headings,
    color: ColorChoice,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR or the terminal says otherwise
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Flags that shape what is printed.
#[derive(Clone, Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(next_help_heading = "Display")]
pub struct UiFlags {
    /// Colours
    #[arg(long, value_name = "WHEN", default_value = "auto", env = "KUBECTL_AKSARC_COLOR")]
    pub color: Color,
    /// Print ASCII only; the default where the locale is not UTF-8
    #[arg(long, env = "KUBECTL_AKSARC_ASCII", value_parser = clap::builder::FalseyValueParser::new())]
    pub ascii: bool,
    /// Only errors on stderr
    #[arg(short, long, env = "KUBECTL_AKSARC_QUIET", value_parser = clap::builder::FalseyValueParser::new())]
    pub quiet: bool,
    /// How much to tell on stderr, by kubectl's levels: from 6 on, which -v alone means, each request
    #[arg(short, long, alias = "v", value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "6", value_parser = verbosity, conflicts_with = "quiet", env = "KUBECTL_AKSARC_VERBOSE")]
    pub verbose: Option<u8>,
    /// No headings above the columns of lists
    #[arg(long, env = "KUBECTL_AKSARC_NO_HEADERS", value_parser = clap::builder::FalseyValueParser::new())]
    pub no_headers: bool,
    /// No progress line on a terminal
    #[arg(long, env = "KUBECTL_AKSARC_NO_PROGRESS", value_parser = clap::builder::FalseyValueParser::new())]
    pub no_progress: bool,
    /// Configuration file, which sets flags once and for all; `config path` prints the default, and none is no file
    #[arg(long, value_name = "FILE|none", help_heading = "Configuration", env = "KUBECTL_AKSARC_CONFIG", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

impl Ui {
    /// The settings for the present streams and locale.
    pub fn new(name: &'static str, locale: Option<&str>) -> Self {
        let width = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
        Ui {
            name,
            ascii: !is_utf8(locale),
            width,
            quiet: false,
            verbose: false,
            progress: false,
            headings: Headings::Shown,
            color: ColorChoice::Auto,
        }
    }

    /// Applies the user's flags.
    pub fn apply(&mut self, flags: &UiFlags) {
        self.ascii |= flags.ascii;
        self.quiet = flags.quiet;
        self.verbose = flags.verbose.is_some_and(|level| level >= REQUESTS);
        self.headings = Headings::unless(flags.no_headers);
        self.progress = !flags.quiet && !flags.no_progress && !self.verbose && io::stderr().is_terminal();
        self.color = match flags.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
    }

    /// The abilities of stdout.
    pub fn look(&self) -> Look {
        Look { ascii: self.ascii, width: self.width, headings: self.headings, links: self.has_links() }
    }

    /// Whether stdout is a terminal with links, by what the terminal says of itself. What is written without colours has no
    /// links either.
    fn has_links(&self) -> bool {
        self.is_colored() && supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout)
    }

    /// Prints to stdout. A closed pipe is not a failure.
    ///
    /// # Errors
    /// [`Failure`] when stdout cannot be written, such as to a full disk.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = AutoStream::new(io::stdout().lock(), self.stdout_color());
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::run(anyhow::Error::from(error).context("cannot write to stdout")))
            }
            _ => Ok(()),
        }
    }

    /// Prints a note to stderr, unless quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// Prints a detail to stderr, if verbose.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.error(text);
        }
    }

    /// Prints an error to stderr, in any case.
    pub fn error(&self, text: &str) {
        let mut stderr = AutoStream::new(io::stderr().lock(), self.color);
        // When stderr is gone there is nobody to tell.
        let _gone = writeln!(stderr, "{text}");
    }

    /// Whether stdout gets colours.
    pub(super) fn is_colored(&self) -> bool {
        self.stdout_color() != ColorChoice::Never
    }

    fn stdout_color(&self) -> ColorChoice {
        match self.color {
            ColorChoice::Auto => AutoStream::choice(&io::stdout()),
            chosen => chosen,
        }
    }
}

/// A level of `-v`. A word that is no number is the value of the variable, and says yes or no.
fn verbosity(text: &str) -> Result<u8, String> {
    match &*text.to_lowercase() {
        "n" | "no" | "f" | "false" | "off" => Ok(0),
        "y" | "yes" | "t" | "true" | "on" => Ok(REQUESTS),
        number => number.parse().map_err(|_| "expected a level from 0 to 255, as of kubectl".to_owned()),
    }
}

/// The level from which on kubectl tells of requests.
const REQUESTS: u8 = 6;

/// Whether a locale such as `en_US.UTF-8` is UTF-8. Windows consoles have no locale variable and show Unicode.
fn is_utf8(locale: Option<&str>) -> bool {
    match locale {
        None => cfg!(windows),
        Some(locale) => {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_other_than_utf8_get_ascii() {
        assert!(is_utf8(Some("de_DE.UTF-8")) && is_utf8(Some("C.utf8")));
        assert!(!is_utf8(Some("C")) && !is_utf8(Some("POSIX")) && !is_utf8(Some("en_US.ISO-8859-1")));
    }
}
