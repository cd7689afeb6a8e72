//! The result of a list.

/// The result of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Read to its end.
    Complete,
    /// The caller lacks the right to list it.
    Forbidden,
    /// The server has no such kind, at any version.
    NotServed,
    /// The list could not be read, with the reason.
    Unknown(String),
}
