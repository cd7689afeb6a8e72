//! What a change would do, asked of the server with `dryRun=All`, and what the policy says of it.
//!
//! ```text
//! verb, object -> request -> rehearse -> answer -> change -> judge -> report -> screen or JSON
//! ```
//!
//! Each arrow is a function of its own. [`call::rehearse`] is the only way a write reaches the wire, and [`judge::judge`]
//! asks the same engine as the guard.

pub mod call;
pub mod diff;
pub mod discover;
pub mod edit;
pub mod judge;
pub mod manifest;
pub mod patch;
pub mod refusal;
pub mod render;
pub mod report;
pub mod request;
pub mod run;
pub mod session;
pub mod strategic;
pub mod target;

pub use judge::judge;
