//! The contents of a support ticket: results and snapshots, with pseudonyms for names where they are wanted.

pub(crate) mod changes;
pub(crate) mod contents;
pub(crate) mod names;
pub(crate) mod pseudonyms;
pub(crate) mod redaction;
pub(crate) mod versions;
