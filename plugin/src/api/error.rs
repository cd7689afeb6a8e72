//! Why a request came to nothing: what was asked, where, what came instead of a reply, what to do.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aksarc_shared::chain::Chain;
use aksarc_shared::text;

use crate::cli::exit::Failure;

/// A request that came to nothing.
#[derive(Debug)]
pub struct RequestError {
    what: String,
    server: String,
    fault: RequestFault,
    hint: Option<&'static str>,
}

/// What came instead of a usable reply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestFault {
    /// No connection; the text says why.
    Connect(String),
    /// The answer broke off.
    Cut(String),
    /// The overall deadline, `--timeout`.
    Deadline(Duration),
    /// Expired again and again.
    Expired,
    /// Something that is no answer of an API server.
    Garbage(String),
    /// An error of our own.
    Ours(String),
    /// A redirect, which is never followed: it could lead credentials astray.
    Redirect(String),
    /// An error status.
    Status(u16, String),
    /// One request took too long, `--request-timeout`.
    Timeout(Duration),
    /// The credentials are not accepted.
    Unauthorized(String),
    /// Nothing could be written.
    Write(String),
}

impl RequestError {
    /// An error of a request. `what` is a verb and its object, such as `list nodes`.
    pub fn new(what: impl Into<String>, server: &str, fault: RequestFault) -> Self {
        RequestError { what: what.into(), server: server.to_owned(), fault, hint: None }
    }

    /// An error of our own.
    pub fn ours(error: &(dyn Error + 'static)) -> Self {
        RequestError::new("finish the check", "", RequestFault::Ours(Chain(error).to_string()))
    }

    /// The same error with other advice than that for its fault.
    #[must_use]
    pub fn advising(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What came instead.
    pub fn fault(&self) -> &RequestFault {
        &self.fault
    }

    /// Why, without where it was and what to do about it.
    pub fn reason(&self) -> String {
        self.fault.reason()
    }

    /// What to do about it; empty where nobody knows.
    pub fn hint(&self) -> &'static str {
        self.hint.unwrap_or_else(|| self.fault.words().1)
    }

    /// The whole message, with what follows from it, such as `Nothing was checked`.
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
    /// Why, without what to do about it.
    pub(crate) fn reason(&self) -> String {
        self.words().0
    }

    /// Why, and what to do about it.
    fn words(&self) -> (String, &'static str) {
        match self {
            RequestFault::Connect(why) => (why.clone(), connect_hint(why)),
            RequestFault::Cut(why) => (format!("the answer broke off ({why})"), "try again"),
            RequestFault::Deadline(limit) => (format!("not done within {limit:?}"), "give it more with --timeout"),
            RequestFault::Expired => {
                ("the list expired on the server each time before it was read".to_owned(), "try a larger --chunk-size")
            }
            RequestFault::Garbage(what) => (
                format!("this is no answer of a Kubernetes API server: {what}"),
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
                (format!("no complete answer within {limit:?}"), "give it more with --request-timeout")
            }
            RequestFault::Unauthorized(message) => (
                format!("the server does not accept the credentials (401 {message})"),
                "log in again, or choose others with --context, --user or --token",
            ),
            RequestFault::Write(why) => (format!("cannot keep what was read: {why}"), "is the disk full?"),
        }
    }
}

/// Tells a connection that never was from one that broke.
pub(super) fn no_reply(error: &kube::Error) -> RequestFault {
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

/// The last of an error's sources, which says most about a connection that broke.
pub(super) fn innermost(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = source.to_string();
        next = source.source();
    }
    text
}

/// What to do, by what is known of the words the system and the TLS library use.
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

/// Messages of servers and proxies can be whole pages.
const MAX_TEXT: usize = 400;
