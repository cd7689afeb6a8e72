//! What is known of a cluster or of a change before any rule looks at it.

pub mod actor;
pub mod answers;
pub mod baseline;
pub mod change;
pub mod digest;
pub mod heartbeat;
pub mod inventory;
pub mod notes;
pub mod origin;
pub mod probe;
