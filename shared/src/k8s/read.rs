//! Bytes in, facts out: the only parsers in the workspace.

pub mod json;
pub mod metrics;
pub(crate) mod scan;
pub mod yaml;
