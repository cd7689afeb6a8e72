//! Probes: requests to fixed paths, and the certificate that the server presents. A probe that fails does not fail the
//! check; it makes the rules that need it unknown, with the reason.

use aksarc_shared::facts::probe::{Probe, ProbeState};
use aksarc_shared::text;
use http::StatusCode;
use http::response::Parts;

use crate::api::{ApiRequest, RequestFault, Sender, StatusObject};

/// The answer to a probe at a path, requested once.
pub(super) async fn get(sender: &Sender, probe: Probe, path: &str) -> ProbeState {
    let mut kept = LineFilter::new(probe);
    let mut refusal = Vec::new();
    let take = |parts: &Parts, chunk: &[u8]| {
        if counts(probe, parts.status) {
            return kept.take(chunk);
        }
        // Enough for a `Status` of the API server.
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

/// Whether a status counts as an answer. A server that is not ready replies with 500 and names the failing part, which
/// is the wanted answer.
fn counts(probe: Probe, status: StatusCode) -> bool {
    status == StatusCode::OK || (probe == Probe::Readyz && status == StatusCode::INTERNAL_SERVER_ERROR)
}

/// A filter for an answer that streams in: it keeps only the lines that rules read, and buffers at most one line and
/// one chunk.
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
            // The rest of an overlong line is dropped like its beginning.
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

    /// Buffers the beginning of a line. Lines longer than the limit are dropped; no line that counts is so long.
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

/// The longest line. The list of served groups is one line: a thousand groups have half a megabyte.
const MAX_LINE: usize = 8 << 20;

/// The most text that is kept. The kept metrics of a real API server have a few dozen kilobytes.
const MAX_KEPT: usize = 16 << 20;

const MAX_REFUSAL: usize = 16 << 10;

/// The longest reason that is kept. Servers and proxies send whole pages.
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
