//! A standard error that cannot be written to costs lines of the log, and nothing else.

use std::fs::File;
use std::io::{Read, Write, pipe};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::program::{Program, command, ended};
use crate::support::{denied_review, read_to_close, until};

const FORMATS: [&str; 2] = ["json", "text"];

/// More findings than lines are allowed in a second, so that some are logged whatever the clock says.
async fn is_judging(program: &Program) {
    let mut client = program.client().await.unwrap();
    for _ in 0..30 {
        assert_eq!(client.review(&denied_review()).await["allowed"], false);
    }
    assert!(program.is_ready().await);
}

#[tokio::test]
async fn a_full_disk_costs_lines_and_nothing_else() {
    for format in FORMATS {
        let full = || File::options().write(true).open("/dev/full").unwrap().into();
        let mut program = Program::start(full, &["--log-format", format]).await;
        is_judging(&program).await;
        assert!(program.metric("aksarc_log_lines_dropped_total").await > 1);
        assert_eq!(program.terminate().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_reader_that_leaves_costs_lines_and_nothing_else() {
    for format in FORMATS {
        let mut program = Program::start(Stdio::piped, &["--log-format", format]).await;
        drop(program.child.stderr.take());
        is_judging(&program).await;
        assert!(program.metric("aksarc_log_lines_dropped_total").await > 1);
        assert_eq!(program.terminate().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_reader_that_stopped_reading_costs_lines_and_nothing_else() {
    let mut program = Program::start(Stdio::piped, &["--log-level", "debug", "--log-format", "json"]).await;
    // Each of these is a line of the log. The pipe takes 64 KiB of them, our queue some more, and then they are
    // dropped.
    let mut sent = 0;
    while program.metric("aksarc_log_lines_dropped_total").await == 0 {
        for _ in 0..200 {
            let mut tcp = TcpStream::connect(program.review).await.unwrap();
            tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            read_to_close(&mut tcp).await;
        }
        sent += 200;
        assert!(sent < 100_000, "no line was dropped");
    }
    is_judging(&program).await;
    assert_eq!(program.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn a_reader_gets_the_last_lines_too() {
    let mut program = Program::start(Stdio::piped, &[]).await;
    let mut stderr = program.child.stderr.take().unwrap();
    assert_eq!(program.terminate().await.code(), Some(0));
    let mut log = String::new();
    stderr.read_to_string(&mut log).unwrap();
    assert!(log.contains("serving") && log.trim_end().ends_with("stopped"), "{log}");

    let mut child = command().args(["--tls-dir", "/nonexistent"]).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(ended(&mut child).await.code(), Some(1));
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("cannot start; no change is being judged") && log.contains("/nonexistent"), "{log}");
}

/// The process ends by itself, and not by a signal.
#[tokio::test]
async fn a_failed_start_ends_with_its_exit_code_even_where_nobody_reads_the_error() {
    let wrong =
        [(["--tls-dir", "/nonexistent"], 1), (["--no-such", "argument"], 2), (["check-config", "/nonexistent"], 1)];
    for (arguments, code) in wrong {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut child = command().args(arguments).stderr(full).spawn().unwrap();
        assert_eq!(ended(&mut child).await.code(), Some(code), "{arguments:?}");

        // A full pipe that nobody reads.
        let (_reader, mut writer) = pipe().unwrap();
        let stderr = writer.try_clone().unwrap();
        let written = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&written);
        thread::spawn(move || {
            while writer.write_all(&[b'x'; 4096]).is_ok() {
                count.fetch_add(4096, Ordering::Relaxed);
            }
        });
        until(|| written.load(Ordering::Relaxed), |written| *written == 64 << 10).await;
        let mut child = command().args(arguments).stderr(stderr).spawn().unwrap();
        assert_eq!(ended(&mut child).await.code(), Some(code), "{arguments:?}");
    }
}
