//! Input from people on findings: waivers, and answers to questions that Kubernetes cannot answer.

pub mod questions;
pub mod waiver;
