//! The tones of a page: a sign, a colour and a word for each state of a clause, a rule or a finding. No tone is told by
//! its colour alone.

use aksarc_shared::verdict::report::v1::{ClauseStateV1, ConsequenceV1, OutcomeV1, VerdictV1};

use super::markup::Markup;

/// The meaning of a mark on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    /// Voids support.
    Violated,
    /// Endangers support.
    AtRisk,
    /// Not covered by Microsoft.
    NotCovered,
    /// Accepted by somebody for a time.
    Waived,
    /// Not decided.
    Unknown,
    /// For people to answer.
    Question,
    /// Answered by people.
    Answered,
    /// Nothing found.
    Pass,
    /// Not visible in Kubernetes.
    NotObservable,
    /// Not judged.
    NotJudged,
    /// Good to know.
    Info,
}

impl Tone {
    /// The words for people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Tone::Violated => "voids support",
            Tone::AtRisk => "at risk",
            Tone::NotCovered => "not covered",
            Tone::Waived => "waived",
            Tone::Unknown => "unknown",
            Tone::Question => "open question",
            Tone::Answered => "answered by people",
            Tone::Pass => "no fault seen",
            Tone::NotObservable => "not observable",
            Tone::NotJudged => "not judged",
            Tone::Info => "for information",
        }
    }

    /// The class that gives an element the tone's colours.
    pub(super) fn class(self) -> &'static str {
        match self {
            Tone::Violated => "violated",
            Tone::AtRisk => "at-risk",
            Tone::NotCovered => "not-covered",
            Tone::Waived => "waived",
            Tone::Unknown => "unknown",
            Tone::Question | Tone::Answered => "question",
            Tone::Pass => "pass",
            Tone::NotObservable | Tone::NotJudged | Tone::Info => "quiet",
        }
    }

    /// Appends the sign, which stands beside words.
    pub(super) fn sign(self, page: &mut Markup) {
        page.own("<svg class=\"sign\" aria-hidden=\"true\" focusable=\"false\"><use href=\"#")
            .own(self.symbol())
            .own("\"/></svg>");
    }

    fn symbol(self) -> &'static str {
        match self {
            Tone::Violated => "s-violated",
            Tone::AtRisk => "s-at-risk",
            Tone::NotCovered => "s-not-covered",
            Tone::Waived => "s-waived",
            Tone::Unknown => "s-unknown",
            Tone::Question => "s-question",
            Tone::Answered => "s-answered",
            Tone::Pass => "s-pass",
            Tone::NotObservable => "s-not-observable",
            Tone::NotJudged => "s-not-judged",
            Tone::Info => "s-info",
        }
    }
}

impl From<ConsequenceV1> for Tone {
    fn from(consequence: ConsequenceV1) -> Self {
        match consequence {
            ConsequenceV1::Voids => Tone::Violated,
            ConsequenceV1::AtRisk => Tone::AtRisk,
            ConsequenceV1::NotCovered => Tone::NotCovered,
            ConsequenceV1::Info => Tone::Info,
        }
    }
}

impl From<ClauseStateV1> for Tone {
    fn from(state: ClauseStateV1) -> Self {
        match state {
            ClauseStateV1::Violated => Tone::Violated,
            ClauseStateV1::AtRisk => Tone::AtRisk,
            ClauseStateV1::NotCovered => Tone::NotCovered,
            ClauseStateV1::Unknown => Tone::Unknown,
            ClauseStateV1::Question => Tone::Question,
            ClauseStateV1::Waived => Tone::Waived,
            ClauseStateV1::Answered => Tone::Answered,
            ClauseStateV1::Pass => Tone::Pass,
            ClauseStateV1::NotObservable => Tone::NotObservable,
            ClauseStateV1::NotJudged => Tone::NotJudged,
        }
    }
}

impl From<OutcomeV1> for Tone {
    fn from(outcome: OutcomeV1) -> Self {
        match outcome {
            OutcomeV1::NotApplicable => Tone::NotJudged,
            OutcomeV1::NotObservable => Tone::NotObservable,
            OutcomeV1::Pass => Tone::Pass,
            OutcomeV1::Unknown => Tone::Unknown,
            OutcomeV1::Violated => Tone::Violated,
            OutcomeV1::Waived => Tone::Waived,
        }
    }
}

impl From<VerdictV1> for Tone {
    fn from(verdict: VerdictV1) -> Self {
        match verdict {
            VerdictV1::Inconclusive => Tone::Unknown,
            VerdictV1::Outside => Tone::Violated,
            VerdictV1::Within => Tone::Pass,
        }
    }
}

/// The signs, for the beginning of a page.
pub(super) const SYMBOLS: &str = include_str!("signs.svg");
