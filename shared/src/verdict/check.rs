//! The check of a state: lists go in page by page, a report comes out.
//!
//! ```text
//! plan_first -> segments -> complete ; plan_then -> segments -> complete ; finish -> Report
//! ```

mod alone;
mod finish;
mod judge;
mod namespace_manifest;
mod node_manifest;
mod plan;
mod segment;
mod state;
mod sum_up;
mod written;

pub use alone::alone;
pub use segment::Segment;
pub use state::{Check, NotJudged, Params};
