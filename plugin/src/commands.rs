//! One module per command.

pub mod baseline;
pub mod completion;
pub mod doctor;
pub mod dry_run;
pub mod explain;
pub mod rules;
pub mod snapshot;
pub mod support_check;
pub mod version;
pub mod versions;
pub mod waivers;
