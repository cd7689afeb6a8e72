//! The results of the rules: the check of a state, the guard's answer to a change, and the report.

pub mod audit;
pub mod check;
pub mod guard;
pub mod observed;
pub mod published;
pub mod report;
pub mod review;
pub mod weigh;
