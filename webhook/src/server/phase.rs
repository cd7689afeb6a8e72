//! The phases in which a server ends.

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serve,
    Drain,
    Abort,
}
