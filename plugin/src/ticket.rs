//! What a support ticket gets: results and snapshots, without the names that are nobody else's business where that is wanted.

pub(crate) mod changes;
pub(crate) mod contents;
pub(crate) mod names;
pub(crate) mod pseudonyms;
pub(crate) mod redaction;
pub(crate) mod versions;
