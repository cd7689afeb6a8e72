//! Errors of requests: the request, the server, the fault, and the advice.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aksarc_shared::chain::Chain;
use aksarc_shared::text;

use super::tls_fault::TlsFault;
use crate::cli::exit::Failure;

/// A request without a usable reply.
#[derive(Debug)]
pub struct RequestError {
    what: String,
    server: String,
    fault: RequestFault,
    hint: Option<&'static str>,
}

/// The fault that took the place of a usable reply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestFault {
    /// No connection, with the reason.
    Connect(String),
    /// The reply broke off.
    Cut(String),
    /// The overall deadline passed, `--timeout`.
    Deadline(Duration),
    /// The continue token of a list expired again and again.
    Expired,
    /// The reply is not that of an API server.
    Garbage(String),
    /// An internal error.
    Ours(String),
    /// A redirect. It is never followed, since it could lead credentials astray.
    Redirect(String),
    /// An error status.
    Status(u16, String),
    /// One request took too long, `--request-timeout`.
    Timeout(Duration),
    /// No TLS connection, with the reason and the advice.
    Tls(String, &'static str),
    /// The server does not accept the credentials.
    Unauthorized(String),
    /// A file could not be written.
    Write(String),
}

impl RequestError {
    /// An error of a request. `what` is a verb and its object, such as `list nodes`.
    pub fn new(what: impl Into<String>, server: &str, fault: RequestFault) -> Self {
        RequestError { what: what.into(), server: server.to_owned(), fault, hint: None }
    }

    /// An internal error.
    pub fn ours(error: &(dyn Error + 'static)) -> Self {
        RequestError::new("finish the check", "", RequestFault::Ours(Chain(error).to_string()))
    }

    /// The error with other advice than that for its fault.
    #[must_use]
    pub fn advising(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// The fault.
    pub fn fault(&self) -> &RequestFault {
        &self.fault
    }

    /// The reason, without the server and the advice.
    pub fn reason(&self) -> String {
        self.fault.reason()
    }

    /// The advice; empty where there is none.
    pub fn hint(&self) -> &'static str {
        self.hint.unwrap_or_else(|| self.fault.words().1)
    }

    /// The whole message, with its consequence for the run, such as `Nothing was checked`.
    pub fn concluding(&self, consequence: &str) -> String {
        let end = if self.hint().ends_with('?') { "" } else { "." };
        format!("{self}{end} {consequence}")
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Failure::run(anyhow::anyhow!(error.concluding("Nothing was checked")))
    }
}

impl Error for RequestError {}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.what)?;
        if !self.server.is_empty() {
            write!(f, " at {}", text::clean(&self.server))?;
        }
        write!(f, ": {}", text::line(&self.reason(), MAX_TEXT))?;
        match self.hint() {
            "" => Ok(()),
            hint => write!(f, "; {hint}"),
        }
    }
}

impl RequestFault {
    /// The reason, without the advice.
    pub(crate) fn reason(&self) -> String {
        self.words().0
    }

    /// The reason and the advice.
    fn words(&self) -> (String, &'static str) {
        match self {
            RequestFault::Connect(why) => (why.clone(), connect_hint(why)),
            RequestFault::Cut(why) => (format!("the answer broke off ({why})"), "try again"),
            RequestFault::Deadline(limit) => (format!("not done within {limit:?}"), "allow more time with --timeout"),
            RequestFault::Expired => {
                ("the list expired on the server each time before it was read".to_owned(), "try a larger --chunk-size")
            }
            RequestFault::Garbage(what) => (
                format!("the answer is not from a Kubernetes API server: {what}"),
                "check the server address and any proxy on the way",
            ),
            RequestFault::Ours(why) => (why.clone(), "this is a fault of kubectl-aksarc"),
            RequestFault::Redirect(to) => (
                format!("the server redirects to {to}"),
                "redirects are not followed: give the API server's own address",
            ),
            RequestFault::Status(status, message) => {
                (format!("the server answered {status} {}", message.trim_end_matches('.')), "")
            }
            RequestFault::Timeout(limit) => {
                (format!("no complete answer within {limit:?}"), "allow more time with --request-timeout")
            }
            RequestFault::Tls(why, hint) => (why.clone(), *hint),
            RequestFault::Unauthorized(message) => (
                format!("the server does not accept the credentials (401 {message})"),
                "log in again, or choose others with --context, --user or --token",
            ),
            RequestFault::Write(why) => (format!("cannot store the data: {why}"), "is the disk full?"),
        }
    }
}

/// The fault of a request without a reply: a connection that failed, or one that broke.
pub(super) fn no_reply(error: &kube::Error) -> RequestFault {
    if let Some(TlsFault { why, hint }) = TlsFault::of(error) {
        return RequestFault::Tls(why, hint);
    }
    let text = Chain(error).to_string();
    let text =
        text.strip_prefix("ServiceError: ").unwrap_or(&text).trim_start_matches("client error (Connect): ").to_owned();
    let lower = text.to_lowercase();
    if lower.contains("connection closed") || lower.contains("connection reset") || lower.contains("sendrequest") {
        return RequestFault::Cut(innermost(error));
    }
    if lower == "deadline has elapsed" {
        return RequestFault::Connect("the connection timed out".to_owned());
    }
    RequestFault::Connect(text)
}

/// The innermost source of an error, which is the most specific one for a broken connection.
pub(super) fn innermost(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = source.to_string();
        next = source.source();
    }
    text
}

/// The advice for a failed connection, by the phrases that the system and the TLS library are known to use.
fn connect_hint(why: &str) -> &'static str {
    let has = |word: &str| why.to_lowercase().contains(word);
    if has("proxy") || has("tunnel") || has("socks") {
        "check proxy-url of the kubeconfig, HTTPS_PROXY and NO_PROXY"
    } else if has("certificate") || has("unknownissuer") || has("handshake") || has("tls") || has("invalidcontenttype")
    {
        "check --certificate-authority, --tls-server-name, and that the address speaks https"
    } else if has("refused") {
        "is the API server running, and the address right?"
    } else if has("dns") || has("lookup") || has("name or service") {
        "check the server's name and your DNS"
    } else if has("timed out") || has("deadline") || has("unreachable") {
        "is there a route to it, or a VPN to connect first?"
    } else {
        "check the server address of the context"
    }
}

/// The longest text that is shown. Messages of servers and proxies can be whole pages.
const MAX_TEXT: usize = 400;
