//! The log on standard error, which never delays a review.
//!
//! A full disk, or a pipe whose reader left or stopped reading, must cost lines of the log and never a review. Logging
//! therefore only puts a line into a bounded queue, from which one thread writes. A line that finds the queue full, or
//! cannot be written, is dropped and counted.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::panic;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use prometheus_client::metrics::counter::Counter;
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use crate::metrics::Metrics;

/// The form of a line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    Json,
    Text,
}

/// The failure that a task in the background logged last. One that lasts is logged once, and so is its end.
#[derive(Debug)]
pub(crate) struct LoggedFailure<T>(Option<T>);

impl<T> Default for LoggedFailure<T> {
    fn default() -> Self {
        LoggedFailure(None)
    }
}

impl<T: Copy + PartialEq> LoggedFailure<T> {
    /// Notes a failure. Returns whether it has to be logged, because the last attempt did not fail in this way.
    pub(crate) fn is_new(&mut self, failure: T) -> bool {
        self.0.replace(failure) != Some(failure)
    }

    /// Notes a success. Returns whether it has to be logged, because the last attempt failed.
    pub(crate) fn ends(&mut self) -> bool {
        self.0.take().is_some()
    }
}

/// Registers the count of dropped lines, which began before there was a server.
pub(crate) fn register(metrics: &mut Metrics, dropped: Counter) {
    metrics.add("log_lines_dropped", "Lines of the log that could not be written, or not soon enough", dropped);
}

/// Starts the log: events and panics go to standard error from now on.
///
/// # Errors
/// No thread can be started for it.
pub(crate) fn start(format: LogFormat, level: Level) -> io::Result<Lines> {
    let lines = Lines::to(standard_error())?;
    let log = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_max_level(level)
        .with_target(false)
        // The library would tell of its own errors on standard error, and panic when it cannot.
        .log_internal_errors(false);
    match format {
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).init(),
    }
    // A panic while judging is caught and answered, and has to be one line of the log, not a trace of several. The hook
    // only puts a line into the queue: a panic inside it would end the process.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
    Ok(lines)
}

/// Standard error as a separate file. A write that hangs must not hold the lock of the standard library's handle, which
/// every printed error takes.
fn standard_error() -> Box<dyn Write + Send> {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(own) => Box::new(File::from(own)),
        Err(_) => Box::new(io::stderr()),
    }
}

/// The queue of lines that wait for the writing thread.
#[derive(Clone, Debug)]
pub(crate) struct Lines(Arc<LineQueue>);

#[derive(Debug, Default)]
struct LineQueue {
    queue: Mutex<WaitingLines>,
    changed: Condvar,
    dropped: Counter,
}

#[derive(Debug, Default)]
struct WaitingLines {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The thread has taken a line out and is writing it.
    writing: bool,
}

impl Lines {
    /// Starts a thread that writes to `writer`. The thread lives as long as the process, since it may hang in a write
    /// for good.
    fn to(writer: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(LineQueue::default());
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("log".to_owned()).spawn(move || of_thread.write(writer))?;
        Ok(Lines(shared))
    }

    /// How many lines were dropped so far.
    pub(crate) fn dropped(&self) -> Counter {
        self.0.dropped.clone()
    }

    /// Waits until every line is written or dropped, or until `limit` is over. Returns whether every line is.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut queue = self.0.lock();
        while queue.writing || !queue.lines.is_empty() {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            queue = self.0.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn push(&self, line: &[u8]) {
        let mut queue = self.0.lock();
        if queue.bytes + line.len() > MOST_WAITING {
            drop(queue);
            self.0.dropped.inc();
            return;
        }
        queue.bytes += line.len();
        queue.lines.push_back(line.to_vec());
        drop(queue);
        self.0.changed.notify_all();
    }
}

impl LineQueue {
    fn write(&self, mut writer: impl Write) {
        // Set after a line that was written in part, so that the next one begins on a new line.
        let mut torn = false;
        loop {
            let line = self.next();
            let whole = if torn { [b"\n", &*line].concat() } else { line };
            match write_all(&mut writer, &whole) {
                Ok(()) => torn = false,
                Err(written) => {
                    torn |= written > 0;
                    self.dropped.inc();
                }
            }
        }
    }

    /// Waits for the next line and takes it out.
    fn next(&self) -> Vec<u8> {
        let mut queue = self.lock();
        queue.writing = false;
        loop {
            if let Some(line) = queue.lines.pop_front() {
                queue.bytes -= line.len();
                queue.writing = true;
                return line;
            }
            self.changed.notify_all();
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A poisoned lock means that a thread panicked beside the queue, which is whole after every statement.
    fn lock(&self) -> MutexGuard<'_, WaitingLines> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes all bytes, or returns how many were written before the failure.
fn write_all(writer: &mut impl Write, bytes: &[u8]) -> Result<(), usize> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match writer.write(rest) {
            Ok(0) => return Err(bytes.len() - rest.len()),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(bytes.len() - rest.len()),
        }
    }
    Ok(())
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Each call carries one whole line: that is how the subscriber writes.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Calls `print`, which prints to standard error, and waits for it no longer than `limit`. A program that is about to
/// end has to end even where nobody reads its output.
pub(crate) fn print_within(limit: Duration, print: impl FnOnce() + Send + 'static) {
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let run = move || {
        print();
        drop(done);
    };
    // Without a thread nothing is printed, which is better than to hang.
    if thread::Builder::new().name("print".to_owned()).spawn(run).is_ok() {
        // An error means that the thread has ended, as it should, or that the time is up.
        let _ = ended.recv_timeout(limit);
    }
}

/// Bytes that wait: some thousand lines, which are minutes of findings and little beside the memory of one large
/// review.
const MOST_WAITING: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A writer that waits for leave before each write: to take some bytes, or to fail.
    struct GatedWriter {
        leave: Receiver<Result<usize, io::ErrorKind>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for GatedWriter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let most = self.leave.recv().unwrap_or(Err(io::ErrorKind::BrokenPipe))?;
            let taken = bytes.len().min(most);
            self.written.send(bytes[..taken].to_vec()).unwrap();
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gated() -> (Lines, Sender<Result<usize, io::ErrorKind>>, Receiver<Vec<u8>>) {
        let ((leave, asks), (written, out)) = (channel(), channel());
        (Lines::to(GatedWriter { leave: asks, written }).unwrap(), leave, out)
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_writer_that_hangs_costs_lines_and_holds_up_nobody() {
        let (lines, leave, out) = gated();
        let line = vec![b'x'; 1 << 10];
        let (fit, many) = (MOST_WAITING / line.len(), 2 * MOST_WAITING / line.len());
        for _ in 0..many {
            (&lines).write_all(&line).unwrap();
        }
        assert!(!lines.flush(Duration::ZERO));
        let dropped = usize::try_from(lines.dropped().get()).unwrap();
        // The thread may have taken one out before it hung.
        assert!(dropped == many - fit || dropped == many - fit - 1, "{dropped}");
        // Once the reader reads again, what waited is written.
        for _ in dropped..many {
            leave.send(Ok(usize::MAX)).unwrap();
        }
        assert!(lines.flush(LONG));
        assert_eq!(out.try_iter().count(), many - dropped);
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_the_next_begins_on_a_line_of_its_own() {
        let (lines, leave, out) = gated();
        for answer in [Err(io::ErrorKind::StorageFull), Ok(3), Err(io::ErrorKind::StorageFull)] {
            leave.send(answer).unwrap();
        }
        for answer in [Err(io::ErrorKind::Interrupted), Ok(usize::MAX), Ok(usize::MAX)] {
            leave.send(answer).unwrap();
        }
        for line in ["first\n", "second\n", "third\n", "fourth\n"] {
            (&lines).write_all(line.as_bytes()).unwrap();
        }
        assert!(lines.flush(LONG));
        assert_eq!(lines.dropped().get(), 2);
        assert_eq!(String::from_utf8(out.try_iter().flatten().collect()).unwrap(), "sec\nthird\nfourth\n");
    }

    #[test]
    fn printing_waits_no_longer_than_its_limit() {
        let (go_on, told) = channel::<()>();
        print_within(Duration::ZERO, move || {
            let _ = told.recv();
        });
        drop(go_on);
        let (said, heard) = channel();
        print_within(LONG, move || said.send("said").unwrap());
        assert_eq!(heard.try_recv(), Ok("said"));
    }
}
