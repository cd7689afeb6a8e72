//! The probes of a container: when each is due, what it asks, and how many answers in a row count.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// A probe of a container that runs.
#[derive(Debug)]
pub(super) struct Prober {
    question: Question,
    period: Duration,
    successes_wanted: u32,
    failures_wanted: u32,
    due: Instant,
    answer: Option<Receiver<bool>>,
    /// The latest answer, and how often it came in a row.
    last: (bool, u32),
}

#[derive(Clone, Debug)]
struct Question {
    address: SocketAddr,
    /// `None` asks for a connection alone.
    path: Option<String>,
    timeout: Duration,
}

/// What enough answers in a row say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Health {
    Failing,
    Passing,
    Undecided,
}

impl Prober {
    /// # Errors
    /// The probe asks in a way that is not played.
    pub(super) fn new(probe: &Probe, container: &Container, address: Ipv4Addr) -> anyhow::Result<Self> {
        let (port, path) = match (&probe.http_get, &probe.tcp_socket) {
            (Some(get), _) => {
                ensure!(get.scheme.as_deref().is_none_or(|scheme| scheme == "HTTP"), "probes over TLS are not played");
                (&get.port, Some(get.path.clone().unwrap_or_else(|| "/".to_owned())))
            }
            (None, Some(socket)) => (&socket.port, None),
            (None, None) => bail!("only probes by HTTP and TCP are played"),
        };
        let number = match port {
            IntOrString::Int(number) => *number,
            IntOrString::String(name) => {
                let mut ports = container.ports.iter().flatten();
                let port = ports.find(|port| port.name.as_ref() == Some(name));
                port.with_context(|| format!("a probe of the port {name}, which the container has not"))?.container_port
            }
        };
        let seconds = |value: Option<i32>, or: u64| {
            Duration::from_secs(
                value.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(or),
            )
        };
        let times = |value: Option<i32>, or: u32| value.and_then(|value| u32::try_from(value).ok()).unwrap_or(or);
        Ok(Prober {
            question: Question {
                address: (address, u16::try_from(number)?).into(),
                path,
                timeout: seconds(probe.timeout_seconds, 1),
            },
            period: seconds(probe.period_seconds, 10),
            successes_wanted: times(probe.success_threshold, 1),
            failures_wanted: times(probe.failure_threshold, 3),
            due: Instant::now() + seconds(probe.initial_delay_seconds, 0),
            answer: None,
            last: (false, 0),
        })
    }

    /// Asks if it is time to, and says what the answers so far amount to. Never waits for one.
    pub(super) fn look(&mut self) -> Health {
        match self.answer.as_ref().map(Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => {}
            Some(answer) => {
                let passed = answer.unwrap_or(false);
                self.last = (passed, if self.last.0 == passed { self.last.1 + 1 } else { 1 });
                self.answer = None;
            }
            None if Instant::now() >= self.due => {
                self.due = Instant::now() + self.period;
                let (sender, receiver) = mpsc::channel();
                let question = self.question.clone();
                // Nobody listens any more when the pod has gone.
                thread::spawn(move || sender.send(question.ask().is_ok()).is_ok());
                self.answer = Some(receiver);
            }
            None => {}
        }
        match self.last {
            (true, times) if times >= self.successes_wanted => Health::Passing,
            (false, times) if times >= self.failures_wanted => Health::Failing,
            _ => Health::Undecided,
        }
    }
}

impl Question {
    fn ask(&self) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect_timeout(&self.address, self.timeout)?;
        let Some(path) = &self.path else { return Ok(()) };
        stream.set_read_timeout(Some(self.timeout))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
        let mut start = [0; 12];
        stream.read_exact(&mut start)?;
        let status = std::str::from_utf8(&start)?.rsplit(' ').next().unwrap_or_default().parse::<u16>()?;
        ensure!((200..400).contains(&status), "{status}");
        Ok(())
    }
}
