//! What is asked besides lists: fixed paths, and the certificate that the server presents. None of it fails a check: what
//! could not be asked makes the rules that need it unknown, and says why.

use aksarc_shared::facts::probe::{Probe, ProbeState};
use aksarc_shared::text;
use http::StatusCode;
use http::response::Parts;

use crate::api::{ApiRequest, RequestFault, Sender, StatusObject};

/// The answer to a probe, from a path that is asked once.
pub(super) async fn get(sender: &Sender, probe: Probe, path: &str) -> ProbeState {
    let mut kept = LineFilter::new(probe);
    let mut refusal = Vec::new();
    let take = |parts: &Parts, chunk: &[u8]| {
        if counts(probe, parts.status) {
            return kept.take(chunk);
        }
        // Enough for a Status of the API server.
        let room = MAX_REFUSAL.saturating_sub(refusal.len());
        refusal.extend(chunk.iter().take(room));
        Ok(())
    };
    let request = ApiRequest::get(path).accepting("*/*");
    let answer = sender.stream(&request, take).await.map(|reply| reply.status);
    sender.progress().detail(|| match &answer {
        Ok(status) => format!("GET {path} {} {} bytes", status.as_u16(), kept.bytes),
        Err(fault) => format!("GET {path} {fault:?}"),
    });
    match answer {
        Ok(status) if counts(probe, status) => ProbeState::Read(kept.end()),
        Ok(StatusCode::FORBIDDEN) => ProbeState::Forbidden,
        Ok(status) => {
            let message = StatusObject::of(&refusal).message;
            let why = format!("the server answered {} {message}", status.as_u16());
            ProbeState::Failed(text::line(why.trim_end(), MAX_REASON))
        }
        Err(fault) => ProbeState::Failed(text::line(&fault.reason(), MAX_REASON)),
    }
}

/// A server that is not ready says so with 500 and tells which part of it is not: that is what was asked for.
fn counts(probe: Probe, status: StatusCode) -> bool {
    status == StatusCode::OK || (probe == Probe::Readyz && status == StatusCode::INTERNAL_SERVER_ERROR)
}

/// Keeps only the lines that rules read while an answer streams in, and at most one line and one chunk besides.
struct LineFilter {
    probe: Probe,
    text: String,
    line: Vec<u8>,
    skipping: bool,
    bytes: usize,
}

impl LineFilter {
    fn new(probe: Probe) -> Self {
        LineFilter { probe, text: String::new(), line: Vec::new(), skipping: false, bytes: 0 }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), RequestFault> {
        self.bytes += chunk.len();
        let Some(end) = chunk.iter().rposition(|byte| *byte == b'\n') else {
            self.begin(chunk);
            return Ok(());
        };
        let (whole, rest) = chunk.split_at(end + 1);
        self.line.extend_from_slice(whole);
        if std::mem::take(&mut self.skipping) {
            // The end of a line that was too long goes the way of its beginning.
            let first = self.line.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            self.line.drain(..first);
        }
        self.text += &self.probe.keep(&String::from_utf8_lossy(&self.line));
        self.line.clear();
        self.begin(rest);
        if self.text.len() > MAX_KEPT {
            return Err(RequestFault::Garbage(format!("more than {} MiB to keep", MAX_KEPT >> 20)));
        }
        Ok(())
    }

    /// Puts aside what is no whole line yet. No answer that counts has lines so long.
    fn begin(&mut self, bytes: &[u8]) {
        if self.skipping {
            return;
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() > MAX_LINE {
            self.line.clear();
            self.skipping = true;
        }
    }

    fn end(mut self) -> String {
        self.text += &self.probe.keep(&String::from_utf8_lossy(&self.line));
        self.text
    }
}

/// The list of served groups is one line: a thousand groups have half a megabyte.
const MAX_LINE: usize = 8 << 20;

/// A real API server's kept metrics have a few dozen kilobytes.
const MAX_KEPT: usize = 16 << 20;

const MAX_REFUSAL: usize = 16 << 10;

/// Servers and proxies write whole pages.
pub(super) const MAX_REASON: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(probe: Probe, text: &str, size: usize) -> String {
        let mut kept = LineFilter::new(probe);
        text.as_bytes().chunks(size).for_each(|chunk| kept.take(chunk).unwrap());
        kept.end()
    }

    #[test]
    fn lines_are_the_same_however_an_answer_is_cut() {
        let line = "kubernetes_feature_enabled{name=\"A\",stage=\"ALPHA\"} 1\n";
        let text = format!("# HELP ü\nother{{a=\"b\"}} 5\n{line}x 1\n{line}");
        for size in 1..=text.len() {
            assert_eq!(kept(Probe::Metrics, &text, size), format!("{line}{line}"), "{size}");
            assert_eq!(kept(Probe::Readyz, &text, size), text, "{size}");
        }
    }

    #[test]
    fn a_line_without_end_takes_no_memory_and_hides_no_other() {
        let line = "kubernetes_feature_enabled{name=\"A\",stage=\"ALPHA\"} 1\n";
        let text = format!("{line}{}\n{line}", "x".repeat(MAX_LINE + 10));
        assert_eq!(kept(Probe::Metrics, &text, 1 << 16), format!("{line}{line}"));
    }
}
