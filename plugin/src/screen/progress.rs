//! The progress line on a terminal's stderr, and the list of requests in verbose mode.

use std::io::{self, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aksarc_shared::facts::inventory::ReadKey;

use crate::screen::ui::Ui;

/// The progress of a collection. Unless stderr is a terminal, only long waits are told.
#[derive(Debug)]
pub struct Progress {
    line: bool,
    notes: bool,
    detail: bool,
    state: Mutex<ProgressState>,
}

#[derive(Debug, Default)]
struct ProgressState {
    objects: usize,
    drawn: Option<Instant>,
    /// When the first wait began, and when waiting was told last.
    waiting: Option<Instant>,
    told: Option<Instant>,
}

impl Progress {
    /// The display that the user chose.
    pub fn new(ui: &Ui) -> Self {
        Progress { line: ui.progress, notes: !ui.quiet, detail: ui.verbose, state: Mutex::default() }
    }

    /// A display that is never shown.
    pub fn silent() -> Self {
        Progress { line: false, notes: false, detail: false, state: Mutex::default() }
    }

    /// Shows that a page was read.
    pub fn page(&self, key: &ReadKey, items: usize, requests: usize) {
        let Ok(mut state) = self.state.lock() else { return };
        state.objects += items;
        let due = state.drawn.is_none_or(|drawn| drawn.elapsed() > INTERVAL);
        if self.line && due {
            state.drawn = Some(Instant::now());
            draw(&format!("reading {key}: {} objects, {requests} requests", state.objects));
        }
    }

    /// Shows that the server asked to wait.
    pub fn waiting(&self, wait: Duration) {
        if self.line {
            draw(&format!("the server asks to wait {wait:?}"));
        } else if self.detail {
            self.detail(|| format!("waiting {wait:?} as the server asks"));
        } else if self.notes {
            self.note_wait(wait);
        }
    }

    /// Says that the server is waited for: once the waits are long, and again from time to time.
    fn note_wait(&self, wait: Duration) {
        let Ok(mut state) = self.state.lock() else { return };
        let since = state.waiting.get_or_insert_with(Instant::now).elapsed();
        if state.told.map_or(since + wait >= LONG, |told| told.elapsed() >= AGAIN) {
            state.told = Some(Instant::now());
            let _gone = writeln!(
                io::stderr().lock(),
                "note: the server is busy and asks to wait; {} s so far",
                since.as_secs()
            );
        }
    }

    /// Shows a detail, in verbose mode.
    pub fn detail(&self, text: impl FnOnce() -> String) {
        if self.detail {
            let _gone = writeln!(io::stderr().lock(), "{}", aksarc_shared::text::clean(&text()));
        }
    }

    /// Removes the line.
    pub fn clear(&self) {
        if self.line {
            let _gone = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn draw(text: &str) {
    let mut stderr = io::stderr().lock();
    let _gone = write!(stderr, "\r\x1b[K{text}").and_then(|()| stderr.flush());
}

/// The wait from which on somebody may wonder what goes on.
const LONG: Duration = Duration::from_secs(2);

/// The time after which it is said again.
const AGAIN: Duration = Duration::from_secs(15);

/// The time between updates: often enough to look alive, rarely enough to cost nothing.
const INTERVAL: Duration = Duration::from_millis(100);
