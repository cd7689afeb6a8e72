//! kubectl-aksarc: reads what the rules need, passes it to the engine, and shows the result.
//!
//! `main.rs` holds runtime and exit code; every command is a module in [`commands`]. The other rooms:
//!
//! ```text
//! cli        arguments, flags that several commands share, completion, exit codes, names
//! input      files, directories, archives and standard input: manifests, settings, waivers
//! api        the way to the API server: kubeconfig, connection, the one sender
//! collect    the lists and answers that rules read, from a cluster
//! snapshot   the same lists in files, written and read
//! dry_run    a change as kubectl would send it, rehearsed and judged
//! screen     streams, colours, tables, files: everything that is printed or written
//! formats    a report for other programs and for documents: one file per format
//! ticket     what a support ticket gets: names replaced, and the list of what is inside
//! ```
#![warn(missing_docs)]

pub mod api;
pub mod cli;
pub mod collect;
pub mod commands;
pub mod dry_run;
pub mod formats;
pub mod input;
pub mod screen;
pub mod snapshot;
pub(crate) mod ticket;
