//! How a look at the guard's certificates ended.

/// How a look at the certificates ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassOutcome {
    /// Other replicas wrote at every attempt.
    Conflict,
    /// The record or the webhook configuration may not be read or written.
    Forbidden,
    /// The record was written by a later guard.
    Newer,
    /// No access to the API server.
    NoAccess,
    /// Nothing is left to do.
    Ok,
    /// The API server refused a write.
    Refused,
    /// The API server cannot be reached.
    Unreachable,
    /// No certificate can be made.
    Unmade,
}

impl PassOutcome {
    /// The word for the outcome in metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            PassOutcome::Conflict => "conflict",
            PassOutcome::Forbidden => "forbidden",
            PassOutcome::Newer => "newer",
            PassOutcome::NoAccess => "no_access",
            PassOutcome::Ok => "ok",
            PassOutcome::Refused => "refused",
            PassOutcome::Unmade => "unmade",
            PassOutcome::Unreachable => "unreachable",
        }
    }

    /// Every word that an outcome can have.
    pub(crate) const WORDS: [&'static str; 8] =
        ["conflict", "forbidden", "newer", "no_access", "ok", "refused", "unmade", "unreachable"];
}
