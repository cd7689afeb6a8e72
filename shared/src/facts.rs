//! Facts about a cluster or a change, gathered before any rule looks at them.

pub mod actor;
pub mod answers;
pub mod azure_resource;
pub mod baseline;
pub mod change;
pub mod digest;
pub mod heartbeat;
pub mod inventory;
pub mod notes;
pub mod origin;
pub mod probe;
