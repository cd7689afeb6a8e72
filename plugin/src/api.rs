//! The way to the API server.

mod certificate;
mod connect;
mod exec;
mod kubeconfig;
mod proxy;

pub use connect::{Connection, connect};
