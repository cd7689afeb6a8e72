//! What a change would do, asked of the server with `dryRun=All`, and what the policy says of it.
//!
//! ```text
//! verb, object -> request -> gate -> rehearse -> answer -> change -> judge -> report -> screen or JSON
//! ```
//!
//! Each arrow is a function of its own. [`call::rehearse`] is the only way a write reaches the wire, [`gate::Gate`] the only
//! one that lets a write through to it, and [`judge::Sides::judge`] asks the same engine as the guard.

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
pub mod session;
pub mod strategic;
pub mod target;
pub mod write;
