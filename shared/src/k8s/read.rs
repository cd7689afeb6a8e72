//! Parsers that turn bytes into objects and typed documents.

pub mod json;
pub mod metrics;
pub(crate) mod scan;
pub mod yaml;
