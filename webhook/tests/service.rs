//! The guard over loopback sockets, with certificates of its own: one binary, since linking takes longer than running.

mod generated_files;
mod service_drain;
mod service_limits;
mod service_reload;
mod service_reviews;
mod support;
