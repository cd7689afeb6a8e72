//! Child processes that end with the test, however it ends.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};

/// A program under a small shell that ends it as soon as our end of a pipe closes.
///
/// The kernel closes the pipe on every kind of end: drop, panic, Ctrl-C, SIGKILL.
#[derive(Debug)]
pub(crate) struct Supervised {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
    watchdog: Mutex<Child>,
    pid: u32,
    log: PathBuf,
}

impl Supervised {
    /// Starts `program`, with what it prints going to `log`.
    pub(crate) fn start<A: AsRef<OsStr>>(
        name: &'static str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let mut watchdog = Command::new("/bin/sh");
        // A proxy of the developer's has no business between processes on loopback.
        watchdog.env("NO_PROXY", "127.0.0.1,localhost");
        // The API server takes most of the processors under a full load: it collects garbage less often, for more memory.
        watchdog.env("GOGC", "400");
        Self::watched(watchdog, name, program, arguments, log)
    }

    /// As [`Supervised::start`], with `environment` and nothing of this process' own.
    pub(crate) fn start_with<A: AsRef<OsStr>>(
        name: &'static str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        environment: &BTreeMap<String, String>,
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let mut watchdog = Command::new("/bin/sh");
        watchdog.env_clear().envs(environment);
        Self::watched(watchdog, name, program, arguments, log)
    }

    fn watched<A: AsRef<OsStr>>(
        mut watchdog: Command,
        name: &'static str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let arguments: Vec<OsString> = arguments.into_iter().map(|argument| argument.as_ref().to_owned()).collect();
        let mut watchdog = watchdog
            .arg("-c")
            .arg(WATCHDOG)
            .arg("watchdog")
            .arg(program)
            .args(&arguments)
            .env("AKSARC_LOG", &log)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C goes to the test's group; the watchdog then sees the pipe close.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start the watchdog of {name}"))?;
        let mut line = String::new();
        if let Some(stdout) = watchdog.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let Ok(pid) = line.trim().parse() else {
            bail!("the watchdog of {name} did not say which process it started: {line:?}");
        };
        let watchdog = Mutex::new(watchdog);
        Ok(Self { name, program: program.to_owned(), arguments, watchdog, pid, log })
    }

    /// Ends one that [`Supervised::start`] has started, and starts it again with the same arguments and the same log.
    pub(crate) fn restart(&mut self) -> anyhow::Result<()> {
        self.end();
        *self = Self::start(self.name, &self.program, &self.arguments, self.log.clone())?;
        Ok(())
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Its exit status, if it has ended.
    pub(crate) fn exited(&self) -> Option<ExitStatus> {
        self.watchdog().try_wait().ok().flatten()
    }

    pub(crate) fn log(&self) -> String {
        fs::read(&self.log).map_or_else(
            |error| format!("cannot read {}: {error}", self.log.display()),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// Ends it. Only dropping the value is left after that.
    pub(crate) fn end(&self) {
        let mut watchdog = self.watchdog();
        drop(watchdog.stdin.take());
        // An error means that it is gone already, which is all we want.
        let _ = watchdog.wait();
    }

    fn watchdog(&self) -> MutexGuard<'_, Child> {
        self.watchdog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last lines of its log, for a message.
    pub(crate) fn log_tail(&self) -> String {
        tail(&self.log(), TAIL_LINES)
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.end();
    }
}

/// Removes `directory` when this process has ended, however it ends, unless there is a file [`KEPT`] in it.
pub(crate) fn remove_afterwards(directory: &Path) -> anyhow::Result<()> {
    let janitor = Command::new("/bin/sh")
        .args(["-c", JANITOR, "janitor"])
        .args([directory, &directory.join(KEPT)])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("cannot start what removes the control plane's directory")?;
    // Its end of the pipe stays open for as long as this process lives.
    std::mem::forget(janitor);
    Ok(())
}

pub(crate) fn tail(text: &str, lines: usize) -> String {
    let skip = text.lines().count().saturating_sub(lines);
    text.lines().skip(skip).collect::<Vec<_>>().join("\n")
}

/// SIGKILL, because no process here has data to save. The watcher is a child of its own: a shell can wait for a process
/// or read a pipe, not both.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
exec 3<&0 </dev/null
"$@" 3<&- >>"$AKSARC_LOG" 2>&1 &
child=$!
echo "$child"
exec >/dev/null
( read -r _ <&3; kill -KILL "$child" ) &
watcher=$!
exec 3<&-
wait "$child"
status=$?
kill -KILL "$watcher"
exit "$status"
"#;

/// The processes that write there end at the same moment, so a first attempt may come too early.
const JANITOR: &str = r#"
trap '' HUP INT TERM
read -r _
[ -e "$2" ] && exit
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$1" && exit
    sleep 0.2
done
"#;

/// Says that a directory is wanted after the end of the process.
pub(crate) const KEPT: &str = "kept";

const TAIL_LINES: usize = 25;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wait;

    #[test]
    fn the_child_ends_with_the_value() {
        let directory = tempfile::tempdir().unwrap();
        let child = start(directory.path(), &["-c", "exec sleep 600"]);
        let process = PathBuf::from(format!("/proc/{}", child.pid()));
        assert!(process.exists());
        drop(child);
        assert!(!process.exists());
    }

    #[test]
    fn a_child_that_ends_early_shows_its_status_and_its_words() {
        let directory = tempfile::tempdir().unwrap();
        let child = start(directory.path(), &["-c", "echo no such luck; exit 3"]);
        let status = wait::until("its end", Duration::from_secs(5), || child.exited().ok_or("still running"));
        assert_eq!(status.unwrap().code(), Some(3));
        assert_eq!(child.log_tail(), "no such luck");
    }

    #[test]
    fn a_tail_is_the_end_of_the_text() {
        assert_eq!(tail("1\n2\n3\n", 2), "2\n3");
        assert_eq!(tail("1", 2), "1");
    }

    fn start(directory: &Path, arguments: &[&str]) -> Supervised {
        Supervised::start("a shell", Path::new("/bin/sh"), arguments, directory.join("log")).unwrap()
    }
}
