//! The dry run: a change is sent to the server with `dryRun=All`, and judged by the rules.
//!
//! ```text
//! verb, object -> request -> gate -> rehearse -> answer -> change -> judge -> report -> screen or JSON
//! ```
//!
//! Each arrow is a function of its own. Writes are sent by [`call::rehearse`] only, after [`gate::Gate`] has cleared
//! them, and [`judge::Sides::judge`] uses the same engine as the guard.

pub mod api_path;
pub mod call;
pub mod diff;
pub mod discover;
pub mod edit;
pub mod gate;
pub mod judge;
mod listing;
pub mod patch;
pub mod plan;
pub mod refusal;
pub mod rehearsal;
pub mod request;
pub mod run;
pub mod selector;
pub mod session;
pub mod strategic;
pub mod target;
pub mod write;
