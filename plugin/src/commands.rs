//! The commands, one module each, and a module shared by those that read a cluster.

pub mod baseline;
mod cluster;
pub mod complete;
pub mod completion;
pub mod config;
pub mod doctor;
pub mod dry_run;
pub mod explain;
pub mod guard;
mod missing;
pub mod report;
pub mod rules;
pub mod showing;
pub mod snapshot;
pub mod support_check;
pub mod version;
pub mod versions;
pub mod waivers;
