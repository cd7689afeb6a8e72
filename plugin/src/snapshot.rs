//! Snapshots: what the rules read, recorded, to be judged elsewhere.
//!
//! A snapshot of ours is lists as the API prints them plus an index that tells what was read, what was refused and what
//! is not served. One made with kubectl has no index: there a kind is recorded when an object or a typed list of it is
//! in it.

pub mod index;
pub mod read;
pub mod reduce;
pub mod script;
pub mod write;
