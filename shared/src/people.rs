//! What people say about findings and are asked: waivers, and the questions that Kubernetes cannot answer.

pub mod questions;
pub mod waiver;
