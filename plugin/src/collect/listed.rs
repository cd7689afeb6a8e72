//! What became of a list.

/// What became of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Read to its end.
    Complete,
    /// We may not list this.
    Forbidden,
    /// The server has no such kind, at any version.
    NotServed,
    /// What there is could not be read, and why.
    Unknown(String),
}
