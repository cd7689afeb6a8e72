//! The entry point: arguments, runtime, exit code.

use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::Duration;

use aksarc_shared::verdict::report::exit;
use kubectl_aksarc::cli::args::{Cli, TopCommand, status_file_of_refused};
use kubectl_aksarc::cli::environment;
use kubectl_aksarc::cli::exit::{ExitResult, Failure, StopSignal};
use kubectl_aksarc::cli::{help, invocation, words};
use kubectl_aksarc::commands::{
    baseline, completion, config, doctor, dry_run, explain, guard, report, rules, snapshot, support_check, version,
    versions, waivers,
};
use kubectl_aksarc::screen::ui::Ui;

fn main() -> ExitCode {
    let argv: Vec<_> = std::env::args_os().collect();
    let name = invocation::name(argv.first().and_then(|first| first.to_str()));
    let command = Cli::named(name);
    let argv = words::ordered(&command, argv);
    let command = if help::is_short(&argv) { help::short(command) } else { command };
    let cli = match Cli::read(command.clone(), &argv) {
        Ok(cli) => cli,
        Err(error) => {
            let printed = error.print();
            // A closed pipe while printing help is not a failure.
            if let Err(full) = printed
                && !error.use_stderr()
                && full.kind() != ErrorKind::BrokenPipe
            {
                Ui::new(name, locale().as_deref()).error(&format!("error: cannot write to stdout: {full}"));
                return ExitCode::from(exit::FAILED);
            }
            if error.use_stderr()
                && let Some(file) = status_file_of_refused(&argv)
                && let Err(also) = file.failed(&Failure::input(anyhow::anyhow!("the command line is wrong")))
            {
                Ui::new(name, locale().as_deref()).error(&format!("error: {also}"));
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let mut ui = Ui::new(name, locale().as_deref());
    if let Some(flags) = cli.command.ui_flags() {
        ui.apply(flags);
    }
    for warning in environment::unknown(&command) {
        ui.note(&warning);
    }
    let status_file = cli.command.status_file();
    let configured = cli.configured.note();
    if let Some(note) = &configured {
        ui.detail(note);
    }
    let outcome = run(cli, &mut ui);
    // All other results are written by the command itself, which this one interrupted.
    if let (Some(file), Err(failure)) = (status_file, &outcome)
        && failure.is_stopped()
        && let Err(also) = file.failed(failure)
    {
        ui.error(&format!("error: {also}"));
    }
    ExitCode::from(outcome.unwrap_or_else(|failure| {
        ui.error(&format!("error: {failure}"));
        // The cause may be a value that nobody typed, from a variable or the configuration file.
        if let Some(note) = configured.filter(|_| failure.code == exit::USAGE && !ui.verbose) {
            ui.error(&format!("note: {note}"));
        }
        failure.code
    }))
}

fn run(cli: Cli, ui: &mut Ui) -> ExitResult {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = runtime.map_err(Failure::run)?;
    // Files are read in place, and reading a pipe may never end. So the command runs on a thread of its own, which is
    // left behind when it does not end soon after a signal.
    let (done, outcome) = tokio::sync::oneshot::channel();
    // The listener starts before the thread, so that a signal is not missed while it waits for a file.
    let (mut interrupts, of_stuck) = {
        let _context = runtime.enter();
        (Interrupts::listen(), Interrupts::listen())
    };
    let (handle, mut own) = (runtime.handle().clone(), ui.clone());
    let thread = std::thread::Builder::new().name("command".to_owned()).stack_size(STACK).spawn(move || {
        let outcome = handle.block_on(async {
            tokio::select! {
                outcome = dispatch(cli, &mut own) => outcome,
                by = interrupts.next() => Err(Failure::stopped(by)),
            }
        });
        // After a signal nobody waits any more.
        let _gone = done.send((outcome, own));
    });
    let thread = thread.map_err(Failure::run)?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = outcome => outcome.ok(),
            by = stuck(of_stuck) => Some((Err(Failure::stopped(by)), ui.clone())),
        }
    });
    let outcome = match outcome {
        Some((outcome, used)) => {
            *ui = used;
            outcome
        }
        // The thread panicked, since it sent nothing.
        None => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => Err(Failure::run(anyhow::anyhow!("the command ended without a result"))),
        },
    };
    // A hanging credential plugin or file read must not delay the exit.
    runtime.shutdown_background();
    outcome
}

async fn dispatch(cli: Cli, ui: &mut Ui) -> ExitResult {
    let Cli { command, configured } = cli;
    match command {
        TopCommand::SupportCheck(args) => support_check::run(*args, ui).await,
        TopCommand::DryRun(args) => dry_run::run(args, ui).await,
        TopCommand::Baseline(args) => baseline::run(args, ui).await,
        TopCommand::Doctor(args) => doctor::run(*args, ui).await,
        TopCommand::Explain(args) => explain::run(&args, ui),
        TopCommand::Guard(args) => guard::run(&args, ui).await,
        TopCommand::Report(args) => report::run(&args, ui).await,
        TopCommand::Rules(args) => rules::run(&args, ui),
        TopCommand::Snapshot(args) => snapshot::run(*args, ui).await,
        TopCommand::Completion(args) => completion::run(&args, Cli::named(invocation::ALONE), ui),
        TopCommand::Config(args) => config::run(&args, &configured, ui),
        TopCommand::Version(args) => version::run(&args, ui),
        TopCommand::Versions(args) => versions::run(*args, ui).await,
        TopCommand::Waivers(args) => waivers::run(&args, ui).await,
    }
}

/// Resolves when a command continues after a signal because it waits for a file.
async fn stuck(mut interrupts: Interrupts) -> StopSignal {
    let by = interrupts.next().await;
    tokio::time::sleep(GRACE).await;
    by
}

/// The signals that end the program: an interrupt from the keyboard, and SIGTERM on Unix. None is missed after
/// [`Interrupts::listen`].
struct Interrupts(Vec<(StopSignal, Stream)>);

#[cfg(unix)]
type Stream = tokio::signal::unix::Signal;
#[cfg(windows)]
type Stream = tokio::signal::windows::CtrlC;

impl Interrupts {
    /// Starts to listen, within a runtime. A signal that cannot be listened for ends the process as it would have done
    /// anyway.
    fn listen() -> Self {
        #[cfg(unix)]
        let streams = {
            use tokio::signal::unix::{SignalKind, signal};
            [
                (StopSignal::Interrupt, signal(SignalKind::interrupt())),
                (StopSignal::Termination, signal(SignalKind::terminate())),
            ]
        };
        #[cfg(windows)]
        let streams = [(StopSignal::Interrupt, tokio::signal::windows::ctrl_c())];
        Interrupts(streams.into_iter().filter_map(|(stop, stream)| Some((stop, stream.ok()?))).collect())
    }

    /// Resolves at the next signal.
    async fn next(&mut self) -> StopSignal {
        std::future::poll_fn(|context| {
            let mut streams = self.0.iter_mut();
            let asked = streams.find_map(|(stop, stream)| stream.poll_recv(context).is_ready().then_some(*stop));
            asked.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
        })
        .await
    }
}

fn locale() -> Option<String> {
    ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// The time that a command gets to remove unfinished files.
const GRACE: Duration = Duration::from_millis(500);

/// The usual stack size of a main thread.
const STACK: usize = 8 << 20;

/// One thread reads the network, one judges.
const WORKERS: usize = 2;
