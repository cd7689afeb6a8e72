//! Output: streams, colours, tables, files, and the screens of the commands.

pub mod explain;
pub mod fixes;
pub mod format;
pub mod grid;
pub mod output;
pub(crate) mod pager;
pub mod plan;
pub mod progress;
pub mod report;
pub(crate) mod sheet;
pub mod status;
pub mod style;
pub mod ui;
pub(crate) mod waivers;
pub(crate) mod wording;
