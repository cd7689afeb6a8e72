//! What people state: waivers, and answers to questions that Kubernetes cannot answer.

pub mod answers;
pub mod waiver;
