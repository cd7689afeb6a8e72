//! The engine of kubectl-aksarc. It decides from facts alone whether a cluster or a change is inside Microsoft's
//! published support policy for AKS enabled by Azure Arc.
//!
//! The crate has no I/O, no async, no clock and no environment: the time, the platform and the data tables are
//! arguments.
//!
//! ```text
//! bytes -> read -> Object / Review -> check (a state) or guard (a change) -> rules -> findings -> Report / Judgement
//! ```
#![warn(missing_docs)]

pub mod chain;
pub mod command;
pub mod data;
pub mod facts;
pub mod finding;
pub mod k8s;
pub mod moment;
pub mod people;
pub mod rules;
pub mod text;
pub mod verdict;

pub use jiff;
