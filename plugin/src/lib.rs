//! kubectl-aksarc: collects what the rules read, hands it to the engine, and shows what came of it.
//!
//! `main.rs` holds arguments, runtime and exit code; every command is a module in [`commands`].
#![warn(missing_docs)]

pub mod api;
pub mod cli;
pub mod collect;
pub mod commands;
pub mod dry_run;
pub mod input;
pub mod screen;
pub mod snapshot;
