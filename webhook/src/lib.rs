//! The guard: a validating admission webhook that judges changes with the same engine as the command line.
//!
//! It fails open on purpose, so the work here is to answer every review quickly, to lose none while starting, reloading
//! and stopping, and to count what it could not judge. The request path does no I/O and takes no lock but that of the
//! log's queue: configuration and certificates are in memory and are swapped as a whole. What needs the API server runs
//! beside it, and may fail.
//!
//! ```text
//! bytes -> server (limits) -> review (review -> judgement -> answer) -> bytes
//!                  |              ^ guards, tls: swapped as a whole
//!                  large ones -> workers, until their time is over
//! probes, scrapers -> admin, each port on a thread of its own
//! lines -> log, on a thread that may hang
//! files -> reload -> guards, tls
//! the API server <- api <- waivers -> guards
//!                       <- heartbeat
//! ```
#![warn(missing_docs)]

mod accept;
pub mod admin;
pub mod api;
pub mod args;
pub mod config;
mod guards;
mod health;
pub mod heartbeat;
mod log;
pub mod manifest;
pub mod metrics;
mod plain;
pub mod refusal;
pub mod reload;
pub mod review;
pub mod server;
mod slots;
pub mod tls;
pub mod waivers;
