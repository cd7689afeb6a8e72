//! One module per command, and one for what all of them share that read a cluster.

pub mod baseline;
mod cluster;
pub mod complete;
pub mod completion;
pub mod doctor;
pub mod dry_run;
pub mod explain;
mod missing;
pub mod rules;
pub mod snapshot;
pub mod support_check;
pub mod version;
pub mod versions;
pub mod waivers;
