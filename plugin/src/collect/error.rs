//! Why a cluster could not be read: what was asked, where, what came, what to do.

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
    cause: Cause,
}

/// What came instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
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
    /// `what` is a verb and its object, such as `list nodes`.
    pub fn new(what: impl Into<String>, server: &str, cause: Cause) -> Self {
        RequestError { what: what.into(), server: server.to_owned(), cause }
    }

    /// A fault of ours.
    pub fn ours(error: &(dyn Error + 'static)) -> Self {
        RequestError::new("finish the check", "", Cause::Ours(Chain(error).to_string()))
    }

    /// What came instead.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Failure::run(error)
    }
}

impl Error for RequestError {}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.what)?;
        if !self.server.is_empty() {
            write!(f, " at {}", text::clean(&self.server))?;
        }
        let (why, hint) = self.cause.words();
        write!(f, ": {}", text::line(&why, MAX_TEXT))?;
        if !hint.is_empty() {
            write!(f, "; {hint}")?;
        }
        f.write_str(if hint.ends_with('?') { " " } else { ". " })?;
        f.write_str("Nothing was checked")
    }
}

impl Cause {
    /// Why, without what to do about it.
    pub(super) fn reason(&self) -> String {
        self.words().0
    }

    /// Why, and what to do about it.
    fn words(&self) -> (String, &'static str) {
        match self {
            Cause::Connect(why) => (why.clone(), connect_hint(why)),
            Cause::Cut(why) => (format!("the answer broke off ({why})"), "try again, or with a smaller --chunk-size"),
            Cause::Deadline(limit) => (format!("not done within {limit:?}"), "give it more with --timeout"),
            Cause::Expired => {
                ("the list expired on the server each time before it was read".to_owned(), "try a larger --chunk-size")
            }
            Cause::Garbage(what) => (
                format!("this is no answer of a Kubernetes API server: {what}"),
                "check the server address and any proxy on the way",
            ),
            Cause::Ours(why) => (why.clone(), "this is a fault of kubectl-aksarc"),
            Cause::Redirect(to) => (
                format!("the server redirects to {to}"),
                "redirects are not followed: give the API server's own address",
            ),
            Cause::Status(status, message) => {
                (format!("the server answered {status} {}", message.trim_end_matches('.')), "")
            }
            Cause::Timeout(limit) => {
                (format!("no complete answer within {limit:?}"), "give it more with --request-timeout")
            }
            Cause::Unauthorized(message) => (
                format!("the server does not accept the credentials (401 {message})"),
                "log in again, or choose others with --context, --user or --token",
            ),
            Cause::Write(why) => (format!("cannot keep what was read: {why}"), "is the disk full?"),
        }
    }
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
