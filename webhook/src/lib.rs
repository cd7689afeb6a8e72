//! The guard: a validating admission webhook that judges changes with the same engine as the command line.
//!
//! The guard fails open on purpose. It therefore has to answer every review quickly, to lose none while it starts,
//! reloads and stops, and to count the reviews that it could not judge. The request path does no I/O and takes no lock
//! but that of the log's queue: configuration and certificates are in memory and are swapped as a whole. Tasks that
//! need the API server run beside the request path, and may fail.
//!
//! ```text
//! bytes -> server (limits) -> review (review -> judgement -> answer) -> bytes
//!                  |              ^ guards, tls: swapped as a whole
//!                  large ones -> workers, until their time is over
//! probes, scrapers -> admin, each port on a thread of its own
//! log lines -> log, on a thread that may hang
//! files -> reload -> guards, tls
//! the API server <- api <- waivers -> guards
//!                       <- heartbeat
//!                       <- published, which only the metrics show
//!                       <- observed <- a queue <- reviews with findings
//!                       <- certificates -> tls, in place of files
//! ```
#![warn(missing_docs)]

mod accept;
pub mod admin;
pub mod api;
pub mod args;
pub mod certificates;
pub mod config;
mod guards;
mod health;
pub mod heartbeat;
mod log;
pub mod manifest;
pub mod metrics;
pub mod observed;
pub mod opening;
mod plain;
mod presented;
pub mod protection;
pub mod published;
pub mod refusal;
pub mod reload;
pub mod review;
pub mod server;
mod slots;
pub mod tls;
pub mod waivers;
