//! A real browser for tests of pages: Chromium without a window, driven over the DevTools protocol.
//!
//! The protocol runs over a pair of pipes, so nothing listens anywhere. Chromium ends when its pipe closes, which it does on
//! every end of the test.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running browser.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    to: Option<ChildStdin>,
    from: Receiver<Value>,
    profile: TempDir,
    calls: u64,
}

impl Browser {
    /// Starts Chromium with a profile of its own.
    ///
    /// # Errors
    /// Chromium is not there, or did not start; the message says what to install.
    pub fn start() -> anyhow::Result<Self> {
        let profile = tempfile::tempdir().context("no directory for Chromium's profile")?;
        let mut child = Command::new("/bin/sh")
            // Chromium reads commands from descriptor 3 and answers on 4.
            .args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >>"$AKSARC_LOG" 2>&1"#, "chromium"])
            .arg(program()?)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
            .env("AKSARC_LOG", profile.path().join("log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start Chromium")?;
        let to = child.stdin.take();
        let answers = child.stdout.take().context("Chromium without an output")?;
        let (send, from) = channel();
        thread::spawn(move || {
            for message in BufReader::new(answers).split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { continue };
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        Ok(Browser { child, to, from, profile, calls: 0 })
    }

    /// Opens an empty tab.
    ///
    /// # Errors
    /// Chromium refuses or does not answer.
    pub fn tab(&mut self) -> anyhow::Result<Tab<'_>> {
        let mut tab = Tab { browser: self, target: String::new(), session: None, events: Vec::new() };
        let opened = tab.call("Target.createTarget", &json!({"url": "about:blank"}))?;
        tab.target = word(&opened, "targetId")?;
        let attached = tab.call("Target.attachToTarget", &json!({"targetId": tab.target, "flatten": true}))?;
        tab.session = Some(word(&attached, "sessionId")?);
        for domain in ["Page", "Network", "Runtime", "Log", "Audits", "DOM", "CSS"] {
            tab.call(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(tab)
    }

    fn log(&self) -> String {
        let log = std::fs::read(self.profile.path().join("log")).unwrap_or_default();
        crate::process::tail(&String::from_utf8_lossy(&log), 20)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.to.take());
        let begun = Instant::now();
        while begun.elapsed() < END && matches!(self.child.try_wait(), Ok(None)) {
            // The end of the process is not announced, and nothing else waits for it.
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A tab of a browser.
#[derive(Debug)]
pub struct Tab<'b> {
    browser: &'b mut Browser,
    target: String,
    session: Option<String>,
    events: Vec<Value>,
}

impl Tab<'_> {
    /// Calls a method of the protocol, and returns its result.
    ///
    /// # Errors
    /// Chromium refuses, has ended, or does not answer in time.
    pub fn call(&mut self, method: &str, params: &Value) -> anyhow::Result<Value> {
        self.browser.calls += 1;
        let id = self.browser.calls;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let (Some(session), Some(fields)) = (&self.session, message.as_object_mut()) {
            fields.insert("sessionId".to_owned(), json!(session));
        }
        let mut bytes = serde_json::to_vec(&message)?;
        bytes.push(0);
        let sent = self.browser.to.as_mut().context("Chromium has ended")?.write_all(&bytes);
        sent.with_context(|| format!("cannot send {method} to Chromium: {}", self.browser.log()))?;
        let until = Instant::now() + ANSWER;
        loop {
            let mut message = self.next(until).with_context(|| format!("waiting for the answer to {method}"))?;
            if message.get("id").and_then(Value::as_u64) != Some(id) {
                self.events.push(message);
                continue;
            }
            if let Some(error) = message.get("error") {
                bail!("Chromium refuses {method}: {error}");
            }
            return Ok(message.get_mut("result").map(Value::take).unwrap_or_default());
        }
    }

    /// Goes to a file, and waits until it is loaded. Returns what happened meanwhile.
    ///
    /// # Errors
    /// The file cannot be loaded.
    pub fn load(&mut self, file: &Path) -> anyhow::Result<Vec<Value>> {
        self.events.clear();
        let url = format!("file://{}", file.display());
        let loaded = self.call("Page.navigate", &json!({"url": url}))?;
        if let Some(error) = loaded.get("errorText") {
            bail!("{url}: {error}");
        }
        let until = Instant::now() + ANSWER;
        let is_loaded = |event: &Value| event.get("method").is_some_and(|method| method == "Page.loadEventFired");
        while !self.events.iter().any(is_loaded) {
            let event = self.next(until).with_context(|| format!("waiting for {url}"))?;
            self.events.push(event);
        }
        // Once the fonts are there and two frames are drawn, all that the page asks for was asked for.
        self.run("document.fonts.ready.then(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))")?;
        Ok(std::mem::take(&mut self.events))
    }

    /// Runs an expression in the page, waits for its promise, and returns its value.
    ///
    /// # Errors
    /// The expression throws.
    pub fn run(&mut self, expression: &str) -> anyhow::Result<Value> {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut done = self.call("Runtime.evaluate", &params)?;
        if let Some(thrown) = done.get("exceptionDetails") {
            bail!("the page throws: {thrown}");
        }
        Ok(done.pointer_mut("/result/value").map(Value::take).unwrap_or_default())
    }

    /// The events since the page was loaded.
    pub fn events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.events)
    }

    fn next(&mut self, until: Instant) -> anyhow::Result<Value> {
        let left = until.saturating_duration_since(Instant::now());
        self.browser.from.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => anyhow!("Chromium does not answer: {}", self.browser.log()),
            RecvTimeoutError::Disconnected => anyhow!("Chromium has ended: {}", self.browser.log()),
        })
    }
}

impl Drop for Tab<'_> {
    fn drop(&mut self) {
        let target = self.target.clone();
        self.session = None;
        let _ = self.call("Target.closeTarget", &json!({"targetId": target}));
    }
}

fn word(value: &Value, field: &str) -> anyhow::Result<String> {
    let word = value.get(field).and_then(Value::as_str);
    word.map(str::to_owned).with_context(|| format!("no {field} in {value}"))
}

/// The browser: the one that `CHROMIUM` names, or the first of the usual names on the `PATH`.
fn program() -> anyhow::Result<PathBuf> {
    find(env::var_os("CHROMIUM").as_deref(), env::var_os("PATH").as_deref())
}

fn find(given: Option<&OsStr>, path: Option<&OsStr>) -> anyhow::Result<PathBuf> {
    if let Some(given) = given.filter(|given| !given.is_empty()) {
        return Ok(PathBuf::from(given));
    }
    let directories: Vec<PathBuf> = path.map(|path| env::split_paths(path).collect()).unwrap_or_default();
    let mut programs = NAMES.iter().flat_map(|name| directories.iter().map(move |directory| directory.join(name)));
    programs.find(|program| File::open(program).is_ok()).context(
        "this test needs Chromium 131 or newer: install it (Debian: `apt-get install chromium`), or set CHROMIUM to the program",
    )
}

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// Without a window, a sandbox (which root has none of), updates, or any network of its own.
const FLAGS: [&str; 14] = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

/// An answer takes milliseconds; a large page on a busy machine takes seconds.
const ANSWER: Duration = Duration::from_mins(2);

const END: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_chromium_the_message_says_what_to_install() {
        let empty = tempfile::tempdir().unwrap();
        let message = find(None, Some(empty.path().as_os_str())).unwrap_err().to_string();
        assert!(message.contains("needs Chromium") && message.contains("apt-get install chromium"), "{message}");
        assert_eq!(find(Some(OsStr::new("/opt/chrome")), None).unwrap(), PathBuf::from("/opt/chrome"));
    }
}
