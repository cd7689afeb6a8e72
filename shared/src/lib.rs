//! The engine of kubectl-aksarc: it decides, from facts alone, whether a cluster or a change is inside Microsoft's
//! published support policy for AKS enabled by Azure Arc.
//!
//! No I/O, no async, no clock, no environment: the time, the platform and the data tables are arguments.
//!
//! ```text
//! bytes -> read -> Object / Review -> check (a state) or guard (a change) -> rules -> findings -> Report / Judgement
//! ```
#![warn(missing_docs)]

pub mod actor;
pub mod attest;
pub mod baseline;
pub mod catalogue;
pub mod certificate;
pub mod chain;
pub mod change;
pub mod check;
pub mod command;
pub mod data;
pub mod derive;
pub mod finding;
pub mod fit;
pub mod guard;
pub mod heartbeat;
pub mod image;
pub mod inventory;
pub mod kinds;
pub mod moment;
pub mod object;
pub mod origin;
pub mod pod;
pub mod probe;
pub mod quantity;
pub mod read;
pub mod report;
pub mod rule;
mod rules;
mod selector;
pub mod text;
pub mod versions;
pub mod waiver;
pub mod webhook_digest;
pub mod weigh;

pub use jiff;
