//! The program that kubectl runs for completions of `kubectl aksarc`.

use std::process::ExitCode;

use kubectl_aksarc::cli::args::Cli;
use kubectl_aksarc::cli::complete;
use kubectl_aksarc::cli::invocation::PLUGIN;
use kubectl_aksarc::commands::complete::Live;
use kubectl_aksarc::screen::ui::Ui;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let mut command = Cli::named(PLUGIN);
    command.build();
    match Ui::new(PLUGIN, None).print(&complete::answer(&command, &words, &Live)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(failure.code),
    }
}
