//! Snapshots: records of the objects that rules read, to be judged elsewhere.
//!
//! A snapshot of this program consists of lists as the API prints them, and an index that says which were read,
//! refused, or not served. A snapshot made with kubectl has no index: a kind counts as recorded when the snapshot
//! contains an object of it or a typed list.

pub(crate) mod digest;
pub mod index;
pub mod read;
pub(crate) mod recorded;
pub mod reduce;
pub mod script;
pub mod write;
