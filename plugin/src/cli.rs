//! The command line: arguments, shared flags, completion, exit codes, and the names of this program.

pub mod args;
pub mod complete;
pub mod configured;
pub mod duration;
pub mod environment;
pub mod exit;
pub(crate) mod flags;
pub mod help;
pub mod invocation;
pub mod kubectl_flags;
pub mod tool;
pub mod words;
